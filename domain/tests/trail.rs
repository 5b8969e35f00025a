//! The trail of a repository's numbers: a step for each record that changes one, the same rows however the records come
//! to be folded, and chains that end in what is shown.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, CommitId, EntityKey, Epoch, Event, Ledger, Millis, RepoId, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version, ViewKey,
    event::{
        CommitsReading, HiddenWhy, OwnerReading, PullReading, PullState, Push, RepositoryReading, TrackedBy,
    },
    ledger::LargeViews,
    trail::{
        Source, Teller,
        chain::{Beginning, NUMBERS, Number, Placed, Trail},
    },
    view::body::Stored,
};
use serde_json::Value;

const REPO: u64 = 3;

fn account() -> AccountId {
    AccountId::github(9)
}

fn repo() -> RepoId {
    RepoId::github(REPO)
}

fn number(name: &str) -> Number {
    NUMBERS.into_iter().find(|number| number.name == name).unwrap()
}

fn sha(number: u64) -> CommitId {
    format!("{:040x}", number + 1).parse().unwrap()
}

/// A record of the account's stream.
struct Record {
    stamp: Stamp,
    id: String,
    event: &'static str,
    events: Vec<Event<'static>>,
}

/// Records as they come, with versions and ids that follow from their order.
#[derive(Default)]
struct Log(Vec<Record>);

impl Log {
    fn add(&mut self, event: &'static str, told: impl FnOnce(Version) -> Told, events: Vec<Event<'static>>) {
        let offset = self.0.len() as u64 + 1;
        let version = Version::new(Epoch::FIRST, offset);
        let received_at = Millis(i64::try_from(offset).unwrap() * 1_000);
        let asked_at = Version::new(Epoch::FIRST, offset - 1).max(Version::LEAST);
        let stamp = Stamp { version, received_at, told: told(asked_at) };
        self.0.push(Record { stamp, id: format!("guid-{offset}"), event, events });
    }

    fn deliver(&mut self, event: &'static str, events: Vec<Event<'static>>) {
        self.add(event, |_| Told::Delivery, events);
    }

    fn answer(&mut self, events: Vec<Event<'static>>) {
        let told = |asked_at| Told::Answer(Asked { asked_at, asked_ms: Millis(0), date: Second(500) });
        self.add("", told, events);
    }

    /// The account is kept and everything about the repository was asked.
    fn settled() -> Self {
        let mut log = Log::default();
        log.add("", |_| Told::Command, vec![Event::Tracked(TrackedBy::Person)]);
        let whole = RepositoryReading { watchers: Some(4), is_whole: true, ..reading(100, 3) };
        log.answer(vec![Event::Repository(Box::new(whole))]);
        log.answer(vec![commits(10)]);
        log.answer(vec![Event::PullCount { repo: repo(), total: 2, newest: 2 }]);
        let pulls = vec![(1, PullState::Open, Second(90)), (2, PullState::Merged, Second(91))];
        let since = Version::new(Epoch::FIRST, 4);
        log.answer(vec![Event::Pulls { repo: repo(), pulls }, Event::PullsListed { repo: repo(), since }]);
        log.answer(vec![Event::Languages { repo: repo(), bytes: vec![("C".into(), 100), ("Go".into(), 7)] }]);
        log
    }

    fn push(&mut self, before: u64, after: u64, added: Option<u32>, at: i64) {
        let push = Push {
            repo: repo(),
            branch: Some("main".into()),
            default_branch: Some("main".into()),
            before: Some(sha(before)),
            after: Some(sha(after)),
            added,
            pushed_at: Some(Second(at)),
        };
        self.deliver("push", vec![Event::Push(push)]);
    }

    fn pull(&mut self, number: u64, state: PullState, at: i64) {
        let pull = PullReading { repo: repo(), number, state, updated_at: Second(at) };
        self.deliver("pull_request", vec![Event::Pull(pull)]);
    }

    fn star(&mut self, stars: u64, at: i64) {
        self.deliver("star", vec![Event::Repository(Box::new(reading(at, stars)))]);
    }

    /// All kinds of things.
    fn busy() -> Self {
        let mut log = Log::settled();
        for step in 0..50 {
            log.push(10 + step, 11 + step, Some(1), 1_000 + i64::try_from(step).unwrap());
        }
        log.push(70, 71, Some(1), 1_100);
        log.answer(vec![commits(61)]);
        for step in 0..5 {
            log.pull(3 + step, PullState::Open, 1_200);
            log.pull(3 + step, PullState::Open, 1_201);
            log.pull(3 + step, PullState::Closed, 1_202);
        }
        // Two values in one second.
        log.star(4, 1_300);
        log.star(5, 1_300);
        log.answer(vec![Event::Repository(Box::new(reading(1_300, 5)))]);
        log
    }
}

fn reading(at: i64, stars: u64) -> RepositoryReading<'static> {
    RepositoryReading {
        owner: Some(OwnerReading {
            id: account(),
            login: "octo".into(),
            kind: None,
            url: None,
            avatar_url: None,
        }),
        name: Some("hello".into()),
        private: Some(false),
        default_branch: Some("main".into()),
        updated_at: Some(Second(at)),
        stars: Some(stars),
        forks: Some(1),
        open_issues: Some(0),
        counted_at: Some(Second(at)),
        as_of: Some(Second(at)),
        ..RepositoryReading::of(repo())
    }
}

fn commits(count: u64) -> Event<'static> {
    let head = Some(sha(count));
    Event::Commits(CommitsReading {
        repo: repo(),
        branch: "main".into(),
        head,
        count,
        pushed_at: Some(Second(100)),
    })
}

type Rows = BTreeMap<RowKey, Row>;

fn write(ledger: &mut Ledger, rows: &mut Rows) {
    loop {
        let drained = ledger.drain(LargeViews::Render);
        for row in drained.rows {
            if rows.get(&row.key).is_none_or(|known| known.version <= row.version) {
                rows.insert(row.key.clone(), row);
            }
        }
        if !drained.has_more {
            return;
        }
    }
}

fn load(rows: &Rows) -> Ledger {
    let stream = StreamKey::Account(account());
    let is_loaded = |row: &&Row| {
        row.key.stream() == Some(stream)
            && matches!(row.key, RowKey::Entity(..) | RowKey::Member { .. } | RowKey::Need(..))
    };
    Ledger::load(account(), rows.values().filter(is_loaded).cloned().collect::<Vec<_>>()).unwrap()
}

/// Folds records into rows, so many at a time.
fn fold(records: &[Record], rows: &mut Rows, batch: usize) {
    let mut ledger = load(rows);
    for batch in records.chunks(batch) {
        for record in batch {
            let source = Source { id: &record.id, event: record.event };
            ledger.evolve_from(&record.stamp, source, &record.events);
        }
        write(&mut ledger, rows);
    }
}

fn folded(log: &Log, batch: usize) -> Rows {
    let mut rows = Rows::new();
    fold(&log.0, &mut rows, batch);
    rows
}

/// Rows of the trail and of the repository itself.
fn steps(rows: &Rows) -> Vec<&Row> {
    let is_of_it =
        |row: &&Row| matches!(row.key, RowKey::Trail(..) | RowKey::Entity(_, EntityKey::Repository(_)));
    rows.values().filter(is_of_it).collect()
}

fn trail(rows: &Rows) -> Trail {
    Trail::read(rows.values().cloned()).unwrap()
}

/// What is shown of the repository, and since which record.
fn shown(rows: &Rows) -> (Value, Version) {
    let row = &rows[&RowKey::View(StreamKey::Account(account()), ViewKey::Repository(repo()))];
    let Stored::Body(body) = Stored::decode(&row.value).unwrap() else { panic!("it is hidden") };
    let payload = domain::view::body::inflate(&body.gzip, body.meta.length).unwrap();
    (serde_json::from_slice(&payload).unwrap(), row.version)
}

fn shown_number(payload: &Value, number: Number) -> Option<u64> {
    let value = payload.pointer(&format!("/{}", number.name.replace('.', "/"))).unwrap();
    match value.as_object() {
        Some(languages) => Some(languages.values().map(|language| language["bytes"].as_u64().unwrap()).sum()),
        None => value.as_u64(),
    }
}

/// Fails unless every number that is shown has a chain that ends in it.
fn assert_adds_up(rows: &Rows) {
    let (payload, version) = shown(rows);
    let trail = trail(rows);
    for number in NUMBERS {
        let shown = shown_number(&payload, number);
        let chain = trail.chain(number, shown, version, usize::MAX).unwrap();
        assert_ne!(chain.beginning, Beginning::Unrecorded, "{}", number.name);
        let mut value = chain.base;
        for placed in &chain.steps {
            assert_eq!(placed.before(number), value, "{}", number.name);
            value = placed.after(number);
        }
        assert_eq!(value, shown, "{}", number.name);
    }
}

/// The steps of a number, as: who told, what, which, before, after, doubt before and after.
fn told(rows: &Rows, name: &str) -> Vec<String> {
    let (payload, version) = shown(rows);
    let (number, trail) = (number(name), trail(rows));
    let chain = trail.chain(number, shown_number(&payload, number), version, usize::MAX).unwrap();
    let text = |placed: &&Placed| {
        let step = &placed.step;
        let by = match step.teller {
            Teller::Delivery => "delivery",
            Teller::Answer => "answer",
            Teller::Command => "command",
        };
        let doubt = match step.marks.doubt() {
            (false, true) => " doubted",
            (true, false) => " settled",
            (true, true) => " still doubted",
            (false, false) => "",
        };
        let (before, after) = (text_of(placed.before(number)), text_of(placed.after(number)));
        format!("{by} {} {}: {before} to {after}{doubt}", step.what, step.id)
    };
    chain.steps.iter().map(text).collect()
}

fn text_of(number: Option<u64>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

#[test]
fn each_record_that_changes_a_number_is_a_step() {
    let mut log = Log::settled();
    log.push(10, 12, Some(2), 1_000);
    log.push(20, 21, Some(1), 1_001);
    log.push(21, 22, Some(1), 1_002);
    log.answer(vec![commits(22)]);
    log.pull(3, PullState::Open, 1_003);
    log.pull(3, PullState::Merged, 1_004);
    log.star(9, 1_005);
    let rows = folded(&log, 1);
    assert_adds_up(&rows);
    assert_eq!(
        told(&rows, "counts.commits"),
        [
            "answer commits : - to 10",
            "delivery push guid-7: 10 to 12",
            "delivery push guid-8: 12 to 12 doubted",
            "answer commits : 12 to 22 settled",
        ],
        "a push while the number is in doubt changes nothing"
    );
    assert_eq!(
        told(&rows, "counts.pull_requests.total"),
        ["answer pull_requests : - to 2", "delivery pull_request guid-11: 2 to 3"]
    );
    assert_eq!(
        told(&rows, "counts.pull_requests.open"),
        [
            "answer pull_requests : - to 1",
            "delivery pull_request guid-11: 1 to 2",
            "delivery pull_request guid-12: 2 to 1"
        ]
    );
    assert_eq!(told(&rows, "counts.stars"), ["answer repository : - to 3", "delivery star guid-13: 3 to 9"]);
    assert_eq!(told(&rows, "counts.watchers"), ["answer repository : - to 4"]);
    assert_eq!(told(&rows, "languages"), ["answer languages : - to 107"]);
    let chain = trail(&rows);
    let commits = number("counts.commits");
    let chain = chain.chain(commits, Some(22), Version::NONE, 9);
    assert_eq!(chain.map(|chain| chain.steps[1].step.at), Some(Second(1_000)), "the forge's time");
}

#[test]
fn steps_are_bounded_and_begin_from_what_was_before() {
    let rows = folded(&Log::busy(), 1);
    assert_adds_up(&rows);
    let commits = number("counts.commits");
    let trail = trail(&rows);
    let chain = trail.chain(commits, Some(61), Version::NONE, usize::MAX).unwrap();
    assert_eq!((chain.steps.len(), chain.beginning), (16, Beginning::Older));
    assert_eq!(chain.base, Some(46), "two doubts and fourteen pushes later it is 61");
    let kept = rows.keys().filter(|key| matches!(key, RowKey::Trail(..))).count();
    assert!(kept < 16 + 32 + 5 * 16, "{kept}");
}

#[test]
fn batches_restarts_and_replays_give_the_same_steps() {
    let log = Log::busy();
    let expected = folded(&log, 1);
    for batch in [2, 7, 1_000] {
        let rows = folded(&log, batch);
        assert_eq!(steps(&rows), steps(&expected), "in batches of {batch}");
        assert_adds_up(&rows);
    }
    for restart in [1, 6, 7, 20, 57, 60, log.0.len()] {
        for replayed in [0, 1, 9] {
            let mut rows = Rows::new();
            fold(&log.0[..restart], &mut rows, 3);
            // A new owner begins at what was committed, which may lie behind what is written.
            fold(&log.0[restart.saturating_sub(replayed)..], &mut rows, 3);
            assert_eq!(steps(&rows), steps(&expected), "after {restart}, {replayed} again");
        }
    }
}

#[test]
fn what_happens_while_it_is_hidden_is_not_told() {
    let mut log = Log::settled();
    log.push(10, 11, Some(1), 1_000);
    let why = HiddenWhy::Private;
    log.deliver("repository", vec![Event::RepositoryHidden { repo: repo(), at: Second(1_001), why }]);
    log.push(11, 12, Some(1), 1_002);
    log.push(12, 13, Some(1), 1_003);
    log.deliver("repository", vec![Event::RepositoryPublished { repo: repo(), at: Second(1_004) }]);
    log.answer(vec![commits(13)]);
    log.push(13, 14, Some(1), 1_006);
    let rows = folded(&log, 1);
    assert_adds_up(&rows);
    let steps = told(&rows, "counts.commits");
    assert!(!steps.iter().any(|step| step.contains("guid-9") || step.contains("guid-10")), "{steps:?}");
    assert_eq!(steps.last().unwrap(), "delivery push guid-13: 13 to 14");
    let (trail, commits) = (trail(&rows), number("counts.commits"));
    let chain = trail.chain(commits, Some(14), Version::NONE, usize::MAX).unwrap();
    assert_eq!((chain.beginning, chain.base), (Beginning::Hidden, Some(13)));
}
