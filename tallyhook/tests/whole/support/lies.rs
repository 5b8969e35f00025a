//! Looking for lies while things happen: an answer that calls itself complete and is wrong, although every
//! change since it was checked was acknowledged more than five seconds ago (design §6).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};

use fake_github::{AccountId, AccountTruth, Life, RepoId, RepoTruth, Second, Step};
use serde_json::Value;
use testkit::expected;

use super::{
    forge::Forge,
    reader::Reader,
    seconds,
    truth::{differing, is_shown, same_floats},
};

/// How long an acknowledged delivery may take to be shown.
const SHOWN_WITHIN: Duration = seconds(5);

/// An answer of the forge may be from so many seconds before it was asked: its replicas lag.
pub(crate) const LAG_SECONDS_MAX: i64 = 3;

/// What a payload is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    Repository(RepoId),
    Account(AccountId),
}

/// Something that became another than it was.
#[derive(Debug, Clone)]
struct Change {
    at: Second,
    /// The deliveries that tell of it; none where GitHub does not.
    deliveries: Vec<u64>,
    /// It was shown before, and must not be from then on.
    hides: bool,
}

/// All changes so far, by what they changed.
#[derive(Default)]
pub(crate) struct Changes(Mutex<HashMap<Subject, Vec<Change>>>);

/// What a sample came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Samples {
    /// Answers that were looked at.
    pub(crate) taken: usize,
    /// Those that had to be right, and were.
    pub(crate) right: usize,
    /// Those that said that they were not complete.
    pub(crate) incomplete: usize,
}

/// The truth of all owners at one moment.
struct Moment {
    repositories: HashMap<RepoId, RepoTruth>,
    accounts: HashMap<AccountId, AccountTruth>,
}

impl Moment {
    fn of(world: &fake_github::World, owners: &[AccountId]) -> Self {
        let repositories = world.repositories().into_iter().filter_map(|id| Some((id, world.truth(id)?)));
        let accounts = owners.iter().filter_map(|id| Some((*id, world.account_truth(world.login(*id)?)?)));
        Moment {
            repositories: repositories.filter(|(_, truth)| owners.contains(&truth.owner)).collect(),
            accounts: accounts.collect(),
        }
    }
}

impl Changes {
    /// Lets one thing happen, and notes what it changed and who tells of it. Nobody else may act meanwhile.
    pub(crate) fn step(&self, forge: &Forge, life: &mut Life) -> Option<Step> {
        let known = forge.fake.deliveries().len();
        // Held until the deliveries are known, so that nobody looks at half of a step.
        let mut changes = self.0.lock().unwrap();
        let (step, at, before, after) = forge.fake.world(|world| {
            let before = Moment::of(world, &forge.owners);
            let step = life.step(world);
            println!("{} {}", world.now(), step.as_ref().map_or("nothing can happen", |step| &step.text));
            (step, world.now(), before, Moment::of(world, &forge.owners))
        });
        let deliveries = forge.fake.deliveries();
        let told: Vec<(u64, Option<u64>)> = deliveries[known..]
            .iter()
            .map(|delivery| (delivery.id, repository_of(&delivery.payload)))
            .collect();
        for (subject, about, hides) in changed(&before, &after) {
            let telling = told.iter().filter(|(_, repository)| *repository == about.map(|id| id.0));
            let deliveries = telling.map(|(id, _)| *id).collect();
            changes.entry(subject).or_default().push(Change { at, deliveries, hides });
        }
        step
    }

    /// Reads every payload once and judges those that can be judged; panics at a lie.
    pub(crate) async fn look(&self, forge: &Forge, reader: &Reader, samples: &mut Samples) {
        for repository in forge.repositories() {
            let subject = Subject::Repository(repository.id);
            self.judge(forge, reader, subject, samples).await;
        }
        for owner in &forge.owners {
            self.judge(forge, reader, Subject::Account(*owner), samples).await;
        }
    }

    async fn judge(&self, forge: &Forge, reader: &Reader, subject: Subject, samples: &mut Samples) {
        let count = self.count(subject);
        let Some((path, truth)) = shown(forge, subject) else { return };
        let answer = reader.get(&path).await;
        let changes = self.of(subject);
        if changes.len() != count {
            return;
        }
        samples.taken += 1;
        let Some(truth) = truth else {
            let hiding = changes.iter().rev().find(|change| change.hides);
            let is_told = hiding.is_none_or(|hiding| all_acknowledged(forge, std::slice::from_ref(hiding)));
            assert!(answer.status == 404 || !is_told, "{path} is private, and shown: {}", answer.text());
            return;
        };
        if answer.status != 200 || !answer.is_complete() {
            samples.incomplete += 1;
            return;
        }
        let checked = answer.header("tallyhook-checked-at").expect("what is complete was checked");
        let since =
            changes.iter().filter(|change| change.at.plus(LAG_SECONDS_MAX).to_string().as_str() >= checked);
        let since: Vec<Change> = since.cloned().collect();
        if !all_acknowledged(forge, &since) {
            return;
        }
        let mut found = Vec::new();
        differing(&path, &expected::without_freshness(answer.json()), &same_floats(&truth), &mut found);
        assert!(
            found.is_empty(),
            "a lie: complete, checked at {checked}, and wrong: {found:#?}\nchanges since: {since:#?}"
        );
        samples.right += 1;
    }

    fn count(&self, subject: Subject) -> usize {
        self.0.lock().unwrap().get(&subject).map_or(0, Vec::len)
    }

    fn of(&self, subject: Subject) -> Vec<Change> {
        self.0.lock().unwrap().get(&subject).cloned().unwrap_or_default()
    }
}

/// Where a subject is shown, and as what; `None` as what: as nothing.
fn shown(forge: &Forge, subject: Subject) -> Option<(String, Option<Value>)> {
    forge.fake.world(|world| match subject {
        Subject::Repository(id) => {
            let truth = world.truth(id)?;
            let payload = is_shown(&truth).then(|| expected::repository(&truth)).flatten();
            Some((format!("/v1/repos/{}", truth.full_name), payload))
        }
        Subject::Account(id) => {
            let truth = world.account_truth(world.login(id)?)?;
            Some((format!("/v1/accounts/{}", truth.login), Some(expected::account(&truth))))
        }
    })
}

/// What a step changed, each with the repository that it is about, and whether that is hidden by it. An account
/// changes with what it owns.
fn changed(before: &Moment, after: &Moment) -> Vec<(Subject, Option<RepoId>, bool)> {
    let mut found = Vec::new();
    let ids: BTreeSet<RepoId> =
        before.repositories.keys().chain(after.repositories.keys()).copied().collect();
    for id in ids {
        let (old, new) = (before.repositories.get(&id), after.repositories.get(&id));
        if old == new {
            continue;
        }
        let hides = old.is_some_and(is_shown) && !new.is_some_and(is_shown);
        found.push((Subject::Repository(id), Some(id), hides));
        let owners: BTreeSet<AccountId> = [old, new].into_iter().flatten().map(|truth| truth.owner).collect();
        found.extend(owners.into_iter().map(|owner| (Subject::Account(owner), Some(id), false)));
    }
    for (id, new) in &after.accounts {
        let alone = |truth: &AccountTruth| AccountTruth { repositories: Vec::new(), ..truth.clone() };
        if before.accounts.get(id).map(alone) != Some(alone(new)) {
            found.push((Subject::Account(*id), None, false));
        }
    }
    found
}

fn repository_of(payload: &[u8]) -> Option<u64> {
    let payload: Value = serde_json::from_slice(payload).ok()?;
    payload["repository"]["id"].as_u64()
}

/// Whether every change was told by deliveries that were acknowledged some time ago.
fn all_acknowledged(forge: &Forge, changes: &[Change]) -> bool {
    let deliveries = forge.fake.deliveries();
    let is_acknowledged = |id: &u64| {
        let delivery = usize::try_from(*id).ok().and_then(|id| deliveries.get(id));
        delivery.is_some_and(|delivery| {
            delivery.outcome.is_success() && delivery.concluded.is_some_and(|at| at.elapsed() > SHOWN_WITHIN)
        })
    };
    changes
        .iter()
        .all(|change| !change.deliveries.is_empty() && change.deliveries.iter().all(is_acknowledged))
}
