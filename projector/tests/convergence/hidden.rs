//! What went private or was deleted is shown again only by the rules (design invariant 9). The evidence is
//! taken from the log, record by record.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, Epoch, Event, RepoId, Second, Version, ViewKey,
    event::HiddenWhy,
    record::{ANSWER, Answer, GITHUB_DELIVERY},
};
use event_log::{EventLog, Limit, Partition, Position, Record};
use github::{headers, translate};
use testkit::stage::Stage;

/// What was said about a repository of an account.
#[derive(Default)]
struct Evidence {
    hidings: Vec<(Second, Version)>,
    published: Vec<Second>,
    /// When it went to another account, whose affair its visibility was from then on.
    moved: Vec<Second>,
    /// Readings that say public: when by the forge, in which record, and asked when.
    public: Vec<(Second, Version, Option<Version>)>,
}

/// All that was said.
#[derive(Default)]
pub(crate) struct Hidings {
    read: BTreeMap<u32, u64>,
    evidence: BTreeMap<(AccountId, RepoId), Evidence>,
}

impl Hidings {
    /// Reads what is new in the log; returns what is shown although it is hidden.
    pub(crate) async fn look(&mut self, stage: &Stage) -> Vec<String> {
        let log = stage.log();
        let mut touched = BTreeSet::new();
        for partition in 0..log.identity().partitions {
            let next = self.read.entry(partition).or_default();
            let from = Position { partition: Partition(partition), offset: *next };
            let limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
            for (position, record) in log.read(from, limit).await.expect("a log in memory answers") {
                *next = position.offset + 1;
                touched.extend(record.stream.account());
                note(&mut self.evidence, &record, Version::new(Epoch::FIRST, position.offset));
            }
        }
        let mut complaints = Vec::new();
        let touched = |(account, _): &(AccountId, RepoId)| touched.contains(account);
        for ((account, repo), evidence) in self.evidence.iter().filter(|(key, _)| touched(key)) {
            let Some(hiding) = evidence.hidings.iter().find(|hiding| !evidence.reopens(**hiding)) else {
                continue;
            };
            let is_shown = stage.view(*account, ViewKey::Repository(*repo)).await.is_some();
            let is_listed = stage.listed(*account).await.is_some_and(|listed| listed.contains(repo));
            if is_shown || is_listed {
                complaints.push(format!("{repo} of {account} is shown, and was hidden at {hiding:?}"));
            }
            if !stage.rows().is_hidden(*account, Some(*repo)).await {
                complaints.push(format!("{repo} of {account} is not in the list of what is hidden"));
            }
        }
        complaints
    }
}

impl Evidence {
    fn reopens(&self, (at, version): (Second, Version)) -> bool {
        // Gone, changed there, and back.
        let is_back = |moved: &Second| *moved >= at && self.public.iter().any(|(public, ..)| public > moved);
        let is_published = self.published.iter().any(|published| *published > at);
        let is_answered = |(public, said, asked): &(Second, Version, Option<Version>)| {
            let was_known = *said < version;
            *public > at && (was_known || asked.is_some_and(|asked| asked >= version))
        };
        is_published || self.public.iter().any(is_answered) || self.moved.iter().any(is_back)
    }
}

fn note(evidence: &mut BTreeMap<(AccountId, RepoId), Evidence>, record: &Record, version: Version) {
    let Some(account) = record.stream.account() else { return };
    let mut note = |events: &[Event<'_>], asked: Option<Version>| {
        for event in events {
            match event {
                Event::RepositoryHidden { repo, at, why: HiddenWhy::Private | HiddenWhy::Deleted } => {
                    evidence.entry((account, *repo)).or_default().hidings.push((*at, version));
                }
                Event::RepositoryMoved { repo, at, .. } => {
                    evidence.entry((account, *repo)).or_default().moved.push(*at);
                }
                Event::RepositoryPublished { repo, at } => {
                    evidence.entry((account, *repo)).or_default().published.push(*at);
                }
                Event::Repository(reading) if reading.private == Some(false) => {
                    let of = evidence.entry((account, reading.id)).or_default();
                    of.public.push((reading.updated_at.unwrap_or_default(), version, asked));
                }
                _ => {}
            }
        }
    };
    match record.kind.as_str() {
        GITHUB_DELIVERY => {
            let delivery = translate::Delivery {
                stream: record.stream,
                event: record.header(headers::EVENT).unwrap_or_default(),
                received_at: record.received_at,
                body: &record.body,
            };
            note(&translate::translate(&delivery).expect("GitHub's deliveries are read").events, None);
        }
        ANSWER => {
            let answer = Answer::decode(&record.body).expect("our answers are read");
            note(&answer.events, Some(answer.asked.asked_at));
        }
        _ => {}
    }
}
