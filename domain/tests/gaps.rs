//! What an account's pages say while deliveries are known to be missing: from looks at a webhook's record to rows.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, io::Read as _};

use domain::{
    AccountId, Asked, CommitId, Epoch, Event, Ledger, Millis, NeedKey, RepoId, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version, ViewKey,
    directory::Directory,
    event::{
        CommitsReading, HookReading, HourReading, OwnerReading, ProfileReading, RepositoryReading, Touched,
        TrackedBy,
    },
    ledger::LargeViews,
    view::{body::Stored, gaps::GapLedger},
};
use serde_json::{Value, json};

const HOUR: Second = Second(3_600);

fn account() -> AccountId {
    AccountId::github(9)
}

fn repo(id: u64) -> RepoId {
    RepoId::github(id)
}

fn stream() -> StreamKey {
    StreamKey::Account(account())
}

/// The store and the ledger over it; every record is folded, drained and written at once.
#[derive(Default)]
struct Bench {
    rows: BTreeMap<RowKey, Row>,
    ledger: Option<Ledger>,
    history: Vec<(Stamp, Vec<Event<'static>>)>,
}

impl Bench {
    /// An account with three repositories of which everything is known.
    fn settled() -> Self {
        let mut bench = Bench::default();
        bench.reload();
        let owner = || OwnerReading {
            id: account(),
            login: "octo".into(),
            kind: Some("User".into()),
            url: None,
            avatar_url: None,
        };
        let profile = ProfileReading {
            owner: owner(),
            name: None,
            email: None,
            followers: Some(2),
            public_gists: Some(0),
            public_repos: Some(3),
            as_of: None,
        };
        let listed = Event::RepositoriesListed { since: Version::LEAST };
        bench.answer(vec![Event::Tracked(TrackedBy::Person), Event::Profile(profile), listed]);
        for (id, name) in [(1, "one"), (2, "two"), (3, "three")] {
            let reading = RepositoryReading {
                owner: Some(owner()),
                name: Some(name.into()),
                url: Some("https://forge.test".into()),
                private: Some(false),
                updated_at: Some(Second(5)),
                stars: Some(3),
                forks: Some(1),
                open_issues: Some(0),
                watchers: Some(4),
                counted_at: Some(Second(5)),
                is_whole: true,
                ..RepositoryReading::of(repo(id))
            };
            bench.answer(vec![Event::Repository(Box::new(reading))]);
            bench.check(id);
        }
        assert_eq!(bench.incomplete(), Vec::<String>::new());
        bench
    }

    /// Everything about a repository is asked.
    fn check(&mut self, id: u64) {
        let repo = repo(id);
        let head: CommitId = format!("{id:040x}").parse().unwrap();
        let commits =
            CommitsReading { repo, branch: "main".into(), head: Some(head), count: 1, pushed_at: None };
        self.answer(vec![
            Event::Checked { about: NeedKey::Repository(repo) },
            Event::Commits(commits),
            Event::PullCount { repo, total: 0, newest: 0 },
            Event::PullsListed { repo, since: Version::LEAST },
            Event::Languages { repo, bytes: Vec::new() },
        ]);
    }

    fn now(&self) -> Millis {
        Millis(1_000_000 + i64::try_from(self.history.len()).unwrap() * 1_000)
    }

    fn version(&self) -> Version {
        Version::new(Epoch::FIRST, self.history.len() as u64)
    }

    fn answer(&mut self, events: Vec<Event<'static>>) {
        let asked = Asked { asked_at: self.version(), asked_ms: self.now(), date: self.now().to_second() };
        let version = Version::new(Epoch::FIRST, self.history.len() as u64 + 1);
        let stamp = Stamp { version, received_at: self.now().plus(1_000), told: Told::Answer(asked) };
        self.fold(&stamp, &events);
        self.history.push((stamp, events));
    }

    fn fold(&mut self, stamp: &Stamp, events: &[Event<'static>]) {
        let ledger = self.ledger.as_mut().unwrap();
        ledger.evolve(stamp, events);
        let drained = ledger.drain(LargeViews::Render);
        assert!(!drained.has_more && ledger.unwritten_since().is_none());
        for row in drained.rows {
            if self.rows.get(&row.key).is_none_or(|known| known.version <= row.version) {
                self.rows.insert(row.key.clone(), row);
            }
        }
    }

    fn reload(&mut self) {
        let is_ledgers =
            |key: &RowKey| matches!(key, RowKey::Entity(..) | RowKey::Need(..) | RowKey::Member { .. });
        let mine: Vec<Row> = self.rows.values().filter(|row| is_ledgers(&row.key)).cloned().collect();
        self.ledger = Some(Ledger::load(account(), mine).unwrap());
    }

    /// A look at webhook 7 of the organisation.
    fn looked(&mut self, held: u32, repaired: u32, open: u32, touched: Touched) {
        let sent = held + repaired + open;
        let hour = HourReading { hour: HOUR, sent, held, repaired, open, is_unseen: false, touched };
        self.look(hour);
    }

    fn look(&mut self, hour: HourReading) {
        let reading = HookReading { hook: 7, repo: None, looked_ms: self.now(), hours: vec![hour] };
        self.answer(vec![Event::HookLooked(Box::new(reading))]);
    }

    fn view(&self, key: ViewKey) -> (Value, bool) {
        let row = &self.rows[&RowKey::View(stream(), key)];
        let Stored::Body(body) = Stored::decode(&row.value).unwrap() else { panic!("{key:?}") };
        let mut text = String::new();
        flate2::read::GzDecoder::new(&body.gzip[..]).read_to_string(&mut text).unwrap();
        (serde_json::from_str(&text).unwrap(), body.meta.complete)
    }

    /// What is not called complete.
    fn incomplete(&self) -> Vec<String> {
        let views = [("account", ViewKey::Account), ("payload", ViewKey::GithubPayload)];
        let repos = ["1", "2", "3"].map(|id| (id, ViewKey::Repository(repo(id.parse().unwrap()))));
        let of_views = views.into_iter().chain(repos).filter(|(_, key)| !self.view(*key).1);
        let directory = Directory::decode(&self.rows[&RowKey::Directory(account())].value).unwrap();
        let of_directory = (!directory.complete).then_some("directory");
        of_views.map(|(name, _)| name).chain(of_directory).map(str::to_owned).collect()
    }

    fn sums(&self) -> [u64; 6] {
        let ledger = GapLedger::decode(&self.rows[&RowKey::View(stream(), ViewKey::Gaps)].value).unwrap();
        let [sums] = &ledger.0[..] else { panic!("{ledger:?}") };
        let hours = u64::from(sums.open_hours);
        assert_eq!(sums.sent, sums.held + sums.repaired + sums.swept + sums.open, "{sums:?}");
        [sums.sent, sums.held, sums.repaired, sums.swept, sums.open, hours]
    }
}

fn about(ids: &[u64]) -> Touched {
    let mut touched = Touched::default();
    for id in ids {
        touched.add(Some(repo(*id)));
    }
    touched
}

#[test]
fn what_a_lost_delivery_is_about_is_not_called_complete_until_it_is_had() {
    let mut bench = Bench::settled();
    bench.looked(5, 0, 0, Touched::default());
    assert_eq!((bench.incomplete().len(), bench.sums()), (0, [5, 5, 0, 0, 0, 0]));
    bench.looked(5, 0, 2, about(&[2]));
    assert_eq!(bench.incomplete(), ["account", "payload", "2", "directory"]);
    assert_eq!(bench.sums(), [7, 5, 0, 0, 2, 1]);
    let (page, _) = bench.view(ViewKey::Repository(repo(2)));
    assert_eq!(
        page["freshness"]["missing"],
        json!([{"field": "repository", "repository": "octo/two", "reason": "undelivered"}])
    );
    let (page, _) = bench.view(ViewKey::Account);
    assert_eq!(page["freshness"]["missing"], json!([{"field": "repositories", "reason": "undelivered"}]));
    bench.looked(5, 2, 0, about(&[2]));
    assert_eq!((bench.incomplete().len(), bench.sums()), (0, [7, 5, 2, 0, 0, 0]));
}

#[test]
fn what_nobody_knows_is_about_anything_and_ends_with_the_sweep() {
    let mut bench = Bench::settled();
    let unseen = HourReading {
        hour: HOUR,
        sent: 0,
        held: 0,
        repaired: 0,
        open: 0,
        is_unseen: true,
        touched: Touched::anything(),
    };
    let earlier = bench.now();
    bench.look(unseen);
    let raised = bench.history.last().unwrap().0.received_at;
    assert_eq!(bench.incomplete(), ["account", "payload", "1", "2", "3", "directory"]);
    bench.answer(vec![Event::Swept { begun_ms: earlier }]);
    assert_eq!(bench.incomplete().len(), 6, "that sweep began before it was known");
    bench.check(3);
    assert_eq!(bench.incomplete(), ["account", "payload", "1", "2", "directory"], "checked since");
    bench.answer(vec![Event::Swept { begun_ms: raised }]);
    assert_eq!((bench.incomplete().len(), bench.sums()), (0, [0; 6]));
}

#[test]
fn a_check_that_somebody_wished_for_ends_it_too() {
    let mut bench = Bench::settled();
    let mut itself = Touched::default();
    itself.add(None);
    bench.looked(0, 0, 1, itself);
    assert_eq!(bench.incomplete(), ["account", "payload", "directory"]);
    bench.answer(vec![Event::Checked { about: NeedKey::Everything }]);
    assert_eq!((bench.incomplete().len(), bench.sums()), (0, [1, 0, 0, 1, 0, 0]));
}

#[test]
fn a_crash_between_the_rows_of_any_record_is_mended_by_its_replay() {
    let mut bench = Bench::settled();
    let begin = bench.history.len();
    let mut stored = vec![bench.rows.clone()];
    let steps: [&dyn Fn(&mut Bench); 7] = [
        &|bench| bench.looked(5, 0, 2, about(&[2])),
        &|bench| bench.looked(5, 1, 1, about(&[2, 3])),
        &|bench| bench.check(2),
        &|bench| bench.answer(vec![Event::Swept { begun_ms: bench.now() }]),
        &|bench| bench.looked(5, 1, 2, Touched::anything()),
        &|bench| bench.looked(5, 3, 0, Touched::anything()),
        &|bench| bench.check(1),
    ];
    for step in steps {
        step(&mut bench);
        stored.push(bench.rows.clone());
    }
    assert!(bench.incomplete().is_empty());
    let (history, whole) = (bench.history.clone(), bench.rows.clone());
    let mut tried = 0;
    for (place, pair) in stored.windows(2).enumerate() {
        let changed = pair[1].iter().filter(|(key, row)| pair[0].get(*key) != Some(*row));
        for (lost, _) in changed {
            // The record's rows were written but for one, and nothing was committed.
            let mut rows = pair[1].clone();
            match pair[0].get(lost) {
                Some(row) => rows.insert(lost.clone(), row.clone()),
                None => rows.remove(lost),
            };
            let mut again = Bench { rows, ..Bench::default() };
            again.reload();
            for (stamp, events) in &history[begin + place..] {
                again.fold(stamp, events);
            }
            for (key, row) in &again.rows {
                // A replay says again what need not be asked.
                if let Some(expected) = whole.get(key) {
                    assert_eq!(row.value, expected.value, "{place} without {lost:?}: {key:?}");
                }
            }
            assert!(whole.keys().all(|key| again.rows.contains_key(key)), "{place} without {lost:?}");
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
}
