//! Stars through the ledger: from deliveries, lists and answers to needs and neighbours, and what a crash between the
//! rows of one record leaves of them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, Epoch, Event, Ledger, Millis, NeedKey, RepoId, Row, RowKey, Second, Stamp, StreamKey,
    Told, Version, ViewKey,
    event::{
        Gazer, GazersListed, HiddenWhy, OwnerReading, RepositoryReading, StarReading, StarredConfirmed,
        StarredReading, StarredRepository, StarrerReading, StarsReading, TrackedBy,
    },
    ledger::LargeViews,
    need::Need,
    view::neighbours::{Chunk, Head, NEIGHBOURS_MAX, Reader, StoredHead},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const OWNER: u64 = 9;
const TARGET: u64 = 70;

fn owner() -> AccountId {
    AccountId::github(OWNER)
}

fn target() -> RepoId {
    RepoId::github(TARGET)
}

fn stream() -> StreamKey {
    StreamKey::Account(owner())
}

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

type Rows = BTreeMap<RowKey, Row>;

fn write(rows: &mut Rows, row: Row) {
    let known = rows.get(&row.key);
    if known.is_none_or(|known| known.version <= row.version) {
        rows.insert(row.key.clone(), row);
    }
}

fn load(rows: &Rows) -> Ledger {
    let is_in_range =
        |key: &RowKey| matches!(key, RowKey::Entity(..) | RowKey::Member { .. } | RowKey::Need(..));
    let mine: Vec<Row> = rows.values().filter(|row| is_in_range(&row.key)).cloned().collect();
    Ledger::load(owner(), mine).unwrap()
}

fn drain(ledger: &mut Ledger) -> Vec<Row> {
    let mut rows = Vec::new();
    loop {
        let drained = ledger.drain(LargeViews::Render);
        rows.extend(drained.rows);
        if !drained.has_more {
            assert!(ledger.has_large_neighbours() || ledger.unwritten_since().is_none());
            return rows;
        }
    }
}

/// The store and the ledger over it; every record is folded, drained and written at once.
struct Bench {
    rows: Rows,
    ledger: Ledger,
    offset: u64,
}

impl Bench {
    /// With a kept account, and its repository, in which somebody is interested.
    fn new() -> Self {
        let rows = Rows::new();
        let ledger = load(&rows);
        let mut bench = Bench { rows, ledger, offset: 0 };
        bench.fold(Told::Command, &opening());
        bench.fold(Told::Command, &[Event::NeighboursWanted { repo: target() }]);
        bench
    }

    fn fold(&mut self, told: Told, events: &[Event<'static>]) {
        self.offset += 1;
        let stamp = Stamp { version: version(self.offset), received_at: Millis(1_000), told };
        self.ledger.evolve(&stamp, events);
        for row in drain(&mut self.ledger) {
            write(&mut self.rows, row);
        }
    }

    fn star(&mut self, user: u64, given: bool, at: i64) {
        self.fold(Told::Delivery, &[star(user, given, at)]);
    }

    /// Appends an answer that was asked for now; its `Date` is `date`.
    fn answer(&mut self, date: i64, reading: StarsReading<'static>) {
        let asked = self.asked(date);
        self.fold(Told::Answer(asked), &[Event::Stars(Box::new(reading))]);
    }

    fn asked(&self, date: i64) -> Asked {
        Asked { asked_at: version(self.offset), asked_ms: Millis(date * 1_000), date: Second(date) }
    }

    fn list(&mut self, date: i64, gazers: &[(u64, i64)], absent: &[u64]) {
        let since = version(self.offset);
        let absent = absent.iter().copied().map(AccountId::github).collect();
        let listed = Some(GazersListed { since, is_whole: true, absent });
        let gazers = gazers.iter().map(|(id, at)| gazer(*id, *at)).collect();
        self.answer(date, StarsReading { gazers, listed, ..about_target() });
    }

    fn starred(&mut self, date: i64, user: u64, repos: &[u64]) {
        self.answer(date, StarsReading { starred: vec![starred(user, repos)], ..about_target() });
    }

    fn is_open(&self, key: &NeedKey) -> bool {
        let row = self.rows.get(&RowKey::Need(stream(), key.clone()));
        row.is_some_and(|row| Need::decode(&row.value).unwrap().is_open())
    }

    fn needs(&self) -> (bool, bool) {
        (self.is_open(&NeedKey::Stargazers(target())), self.is_open(&NeedKey::Starred(target())))
    }

    fn head(&self) -> Option<Head> {
        let row = self.rows.get(&RowKey::View(stream(), ViewKey::Neighbours(target())))?;
        match StoredHead::decode(&row.value).unwrap() {
            StoredHead::Head(head) => Some(head),
            StoredHead::Gone => None,
        }
    }

    fn shown(&self) -> Option<(Value, bool)> {
        let head = self.head()?;
        let mut reader = Reader::new(&head, NEIGHBOURS_MAX, 0);
        let mut body = Vec::new();
        for number in 0..head.chunks {
            let row = &self.rows[&RowKey::View(stream(), ViewKey::NeighboursChunk(target(), number))];
            body.extend(reader.read(&Chunk::decode(&row.value).unwrap(), |_, _| false).unwrap());
        }
        body.extend_from_slice(reader.end());
        Some((serde_json::from_slice(&body).unwrap(), head.meta.complete))
    }
}

fn opening() -> Vec<Event<'static>> {
    let ada = OwnerReading { id: owner(), login: "ada".into(), kind: None, url: None, avatar_url: None };
    let reading = RepositoryReading {
        name: Some("engine".into()),
        private: Some(false),
        updated_at: Some(Second(10)),
        ..RepositoryReading::of(target())
    };
    vec![
        Event::Tracked(TrackedBy::Person),
        Event::Owner(ada),
        Event::Repository(Box::new(RepositoryReading { ..reading })),
    ]
}

fn about_target() -> StarsReading<'static> {
    StarsReading::of(target())
}

fn gazer(id: u64, at: i64) -> Gazer<'static> {
    Gazer { id: AccountId::github(id), login: format!("user-{id}").into(), at: Second(at) }
}

fn star(user: u64, given: bool, at: i64) -> Event<'static> {
    Event::Star(StarReading {
        repo: target(),
        owner: owner(),
        starrer: AccountId::github(user),
        login: Some(format!("user-{user}").into()),
        given,
        at: Second(at),
    })
}

fn starred(user: u64, repos: &[u64]) -> StarredReading<'static> {
    let repository = |id: &u64| StarredRepository {
        id: RepoId::github(*id),
        owner: AccountId::github(100),
        full_name: format!("o/r{id}").into(),
    };
    StarredReading {
        starrer: AccountId::github(user),
        login: format!("user-{user}").into(),
        repositories: repos.iter().map(repository).collect(),
        is_whole: true,
        older_ms: None,
        pages: Vec::new(),
    }
}

#[test]
fn wanted_neighbours_are_asked_for_step_by_step_and_shown() {
    let mut bench = Bench::new();
    assert_eq!((bench.needs(), bench.head()), ((true, false), None));

    bench.list(100, &[(1, 50), (2, 60)], &[]);
    assert_eq!((bench.needs(), bench.shown()), ((false, true), Some((json!([]), false))));

    bench.starred(101, 1, &[TARGET, 3, 4]);
    let one = json!([
        {"repo": "o/r3", "stargazers": ["user-1"]},
        {"repo": "o/r4", "stargazers": ["user-1"]},
    ]);
    assert_eq!((bench.needs(), bench.shown()), ((false, true), Some((one.clone(), false))));

    bench.starred(102, 2, &[4, TARGET]);
    let two = json!([
        {"repo": "o/r4", "stargazers": ["user-1", "user-2"]},
        {"repo": "o/r3", "stargazers": ["user-1"]},
    ]);
    assert_eq!((bench.needs(), bench.shown()), ((false, false), Some((two.clone(), true))));

    // A new star asks about its giver, and counts once that is answered.
    bench.star(3, true, 200);
    assert_eq!((bench.needs(), bench.shown()), ((false, true), Some((two, false))));
    bench.starred(201, 3, &[3]);
    let (neighbours, complete) = bench.shown().unwrap();
    assert_eq!(neighbours[0], json!({"repo": "o/r3", "stargazers": ["user-1", "user-3"]}));
    assert!(complete);

    // A star taken back no longer counts.
    bench.star(2, false, 300);
    bench.star(3, false, 301);
    assert_eq!((bench.needs(), bench.shown()), ((false, false), Some((one, true))));
}

#[test]
fn a_late_star_that_the_list_did_not_show_is_doubted_until_it_is_read_again() {
    let mut bench = Bench::new();
    bench.list(100, &[], &[]);
    assert_eq!(bench.shown(), Some((json!([]), true)));
    bench.star(1, true, 90);
    assert!(bench.needs().0, "it was taken back before the list was read, or missed");
    assert!(!bench.shown().unwrap().1);
    bench.list(110, &[], &[1]);
    assert_eq!((bench.needs(), bench.shown()), ((false, false), Some((json!([]), true))));
}

#[test]
fn neighbours_of_a_hidden_repository_are_gone_at_once_and_its_stars_for_ever() {
    let mut bench = Bench::new();
    bench.list(100, &[(1, 50)], &[]);
    bench.starred(101, 1, &[3]);
    assert_eq!(bench.shown().unwrap().0[0]["repo"], "o/r3");

    let hidden = Event::RepositoryHidden { repo: target(), at: Second(120), why: HiddenWhy::Private };
    bench.fold(Told::Delivery, &[hidden]);
    assert_eq!((bench.needs(), bench.shown()), ((false, false), None));

    bench.fold(Told::Delivery, &[Event::RepositoryPublished { repo: target(), at: Second(130) }]);
    let (neighbours, _) = bench.shown().unwrap();
    assert_eq!(neighbours, json!([]), "the forge erased the stars");
    // An old delivery brings nobody back; a new star counts.
    bench.star(1, true, 50);
    assert_eq!(bench.shown().unwrap().0, json!([]));
    bench.star(1, true, 140);
    assert_eq!(bench.shown().unwrap().0[0]["repo"], "o/r3");
}

#[test]
fn a_closed_list_shows_what_deliveries_tell() {
    let mut bench = Bench::new();
    let asked = bench.asked(100);
    let refused = Event::Refused { about: NeedKey::Stargazers(target()), status: 403 };
    bench.fold(Told::Answer(asked), &[refused]);
    assert!(bench.head().unwrap().is_closed);
    assert_eq!(bench.needs(), (false, false), "a refusal is not asked about again at once");
    bench.star(1, true, 110);
    assert!(!bench.head().unwrap().is_closed);
    bench.starred(111, 1, &[3]);
    let expected = json!([{"repo": "o/r3", "stargazers": ["user-1"]}]);
    assert_eq!(bench.shown(), Some((expected, false)));
}

#[test]
fn nobody_is_asked_about_stars_that_nobody_wants() {
    let rows = Rows::new();
    let ledger = load(&rows);
    let mut bench = Bench { rows, ledger, offset: 0 };
    bench.fold(Told::Command, &opening());
    bench.star(1, true, 50);
    bench.star(2, true, 60);
    assert_eq!((bench.needs(), bench.head()), ((false, false), None));
    // They are known all the same, once somebody wants them.
    bench.fold(Told::Command, &[Event::NeighboursWanted { repo: target() }]);
    assert_eq!(bench.needs(), (true, true));
}

/// A star of the account on somebody else's repository, as its own stream is told.
fn own_star(given: bool) -> Event<'static> {
    let (repo, other) = (RepoId::github(3), AccountId::github(100));
    let login = Some("ada".into());
    Event::Star(StarReading { repo, owner: other, starrer: owner(), login, given, at: Second(50) })
}

fn starrer_asked(is_wanted: bool) -> Event<'static> {
    let target = is_wanted.then(|| (AccountId::github(100), RepoId::github(101)));
    Event::StarrerAsked(StarrerReading { login: "ada".into(), target })
}

#[test]
fn a_star_on_another_repository_is_asked_about_where_somebody_wants_to_know() {
    let rows = Rows::new();
    let ledger = load(&rows);
    let mut bench = Bench { rows, ledger, offset: 0 };
    bench.fold(Told::Delivery, &[own_star(true)]);
    assert!(!bench.is_open(&NeedKey::OwnStars), "nobody wants to know");

    // It was asked before a star was folded that it may not show.
    let asked = bench.asked(60);
    bench.fold(Told::Delivery, &[own_star(true)]);
    bench.fold(Told::Answer(asked), &[starrer_asked(true)]);
    assert!(bench.is_open(&NeedKey::OwnStars));
    let asked = bench.asked(61);
    bench.fold(Told::Answer(asked), &[starrer_asked(true)]);
    assert!(!bench.is_open(&NeedKey::OwnStars));

    // From its rows it is the same.
    bench.ledger = load(&bench.rows);
    bench.fold(Told::Delivery, &[own_star(false)]);
    assert!(bench.is_open(&NeedKey::OwnStars));
    bench.ledger = load(&bench.rows);
    let asked = bench.asked(62);
    bench.fold(Told::Answer(asked), &[starrer_asked(false)]);
    assert!(!bench.is_open(&NeedKey::OwnStars));
    bench.fold(Told::Delivery, &[own_star(true)]);
    assert!(!bench.is_open(&NeedKey::OwnStars), "nobody wants to know any more");
}

#[test]
fn a_confirmation_counts_for_the_answer_that_it_confirms() {
    let mut bench = Bench::new();
    bench.list(100, &[(1, 50), (2, 60)], &[]);
    bench.starred(101, 1, &[3]);
    bench.starred(102, 2, &[3]);
    let checked = |bench: &Bench| bench.head().unwrap().meta.checked_ms.unwrap().0 / 1_000;
    assert_eq!(checked(&bench), 100);
    bench.list(200, &[(1, 50), (2, 60)], &[]);
    assert_eq!(checked(&bench), 101);
    let confirm = |bench: &mut Bench, date, user, read: i64| {
        let starrer = AccountId::github(user);
        let confirmed = vec![StarredConfirmed { starrer, read_ms: Millis(read * 1_000) }];
        bench.answer(date, StarsReading { confirmed, ..about_target() });
    };
    let chunk = RowKey::View(stream(), ViewKey::NeighboursChunk(target(), 0));
    let before = bench.rows[&chunk].version;
    confirm(&mut bench, 201, 1, 101);
    assert_eq!(checked(&bench), 102);
    confirm(&mut bench, 202, 2, 90);
    assert_eq!(checked(&bench), 102, "of another answer");
    confirm(&mut bench, 203, 2, 102);
    assert_eq!(checked(&bench), 200);
    assert_eq!(bench.rows[&chunk].version, before, "what is shown did not change");

    // From its rows it is the same; and what is newer than the confirmation stands by itself.
    bench.ledger = load(&bench.rows);
    bench.list(300, &[(1, 50), (2, 60)], &[]);
    assert_eq!(checked(&bench), 201);
    bench.starred(250, 1, &[3, 4]);
    assert_eq!(checked(&bench), 203);
}

/// Sixty stargazers with a hundred stars each.
fn large() -> Bench {
    let mut bench = Bench::new();
    let gazers: Vec<(u64, i64)> = (1..=60).map(|user| (user, 50)).collect();
    bench.list(100, &gazers, &[]);
    let repos: Vec<u64> = (200..300).collect();
    for user in 1..=60 {
        bench.starred(101, user, &repos);
    }
    bench
}

#[test]
fn large_neighbours_are_rendered_in_slices_and_called_incomplete_until_then() {
    let mut bench = large();
    let is_marked = |bench: &Bench| {
        let mark = bench.rows.get(&RowKey::View(stream(), ViewKey::NeighboursMark(target())));
        mark.is_some_and(|mark| bench.head().is_none_or(|head| head.at < mark.version))
    };
    let settle = |bench: &mut Bench| {
        loop {
            let drained = bench.ledger.render_neighbours();
            for row in drained.rows {
                write(&mut bench.rows, row);
            }
            if !drained.has_more {
                return;
            }
        }
    };
    assert!(is_marked(&bench) && bench.ledger.is_dirty());
    settle(&mut bench);
    assert!(!is_marked(&bench) && !bench.ledger.is_dirty());
    let (before, complete) = bench.shown().unwrap();
    assert!(complete);
    assert_eq!(before.as_array().unwrap().len(), 100);

    // What is folded while they are rendered is shown by the next ones, and what is shown meanwhile is whole.
    bench.star(1, false, 200);
    bench.ledger.render_neighbours();
    bench.star(2, false, 201);
    assert_eq!(bench.shown(), Some((before, true)));
    assert!(is_marked(&bench));
    let since = bench.ledger.unwritten_since();
    assert_eq!(since, Some(version(bench.offset - 1)), "a crash must render both again");
    settle(&mut bench);
    let (after, _) = bench.shown().unwrap();
    assert_eq!(after[0]["stargazers"].as_array().unwrap().len(), 58);
    assert!(!is_marked(&bench));

    // What goes private leaves at once, whatever is being rendered.
    bench.star(3, false, 202);
    bench.ledger.render_neighbours();
    let hidden = Event::RepositoryHidden { repo: target(), at: Second(300), why: HiddenWhy::Private };
    bench.fold(Told::Delivery, &[hidden]);
    assert_eq!(bench.shown(), None);
    assert!(!bench.ledger.is_dirty());
}

/// One record of a history; answers are asked for when everything before was folded.
#[derive(Debug, Clone)]
enum Told0 {
    Star(u64, bool, i64),
    List(Vec<(u64, i64)>, Vec<u64>),
    Starred(u64, Vec<u64>),
    Hidden(i64),
    Published(i64),
    Refused,
}

fn told() -> impl Strategy<Value = Told0> {
    let gazers = prop::collection::vec((1u64..6, 0i64..40), 0..4);
    let absent = prop::collection::vec(1u64..6, 0..3);
    prop_oneof![
        4 => (1u64..6, any::<bool>(), 0i64..40).prop_map(|(user, given, at)| Told0::Star(user, given, at)),
        2 => (gazers, absent).prop_map(|(gazers, absent)| Told0::List(gazers, absent)),
        3 => (1u64..6, prop::collection::vec(1u64..6, 0..4)).prop_map(|(user, repos)| Told0::Starred(user, repos)),
        1 => (0i64..40).prop_map(Told0::Hidden),
        1 => (0i64..40).prop_map(Told0::Published),
        1 => Just(Told0::Refused),
    ]
}

/// The record at a place of a history, the same each time it is read.
fn record(place: usize, told: &Told0) -> (Stamp, Vec<Event<'static>>) {
    let offset = u64::try_from(place).unwrap() + 3;
    let date = Second(20 + i64::try_from(place).unwrap());
    let asked = Asked { asked_at: version(offset - 1), asked_ms: Millis(date.0 * 1_000), date };
    let answer = |reading| (Told::Answer(asked), Event::Stars(Box::new(reading)));
    let (told, event) = match told {
        Told0::Star(user, given, at) => (Told::Delivery, star(*user, *given, *at)),
        Told0::List(gazers, absent) => {
            let absent = absent.iter().copied().map(AccountId::github).collect();
            let listed = Some(GazersListed { since: asked.asked_at, is_whole: true, absent });
            let gazers = gazers.iter().map(|(id, at)| gazer(*id, *at)).collect();
            answer(StarsReading { gazers, listed, ..about_target() })
        }
        Told0::Starred(user, repos) => {
            answer(StarsReading { starred: vec![starred(*user, repos)], ..about_target() })
        }
        Told0::Hidden(at) => {
            let why = HiddenWhy::Private;
            (Told::Delivery, Event::RepositoryHidden { repo: target(), at: Second(*at), why })
        }
        Told0::Published(at) => {
            (Told::Delivery, Event::RepositoryPublished { repo: target(), at: Second(*at) })
        }
        Told0::Refused => {
            let refused = Event::Refused { about: NeedKey::Stargazers(target()), status: 403 };
            (Told::Answer(asked), refused)
        }
    };
    (Stamp { version: version(offset), received_at: Millis(1_000), told }, vec![event])
}

proptest! {
    /// A crash writes any part of the rows since the last commit; what is folded again comes to the same rows.
    #[test]
    fn a_crash_between_the_rows_of_a_record_loses_nothing(
        history in prop::collection::vec(told(), 1..14),
        committed in any::<prop::sample::Index>(),
        crashed in any::<prop::sample::Index>(),
        lost in prop::collection::vec(any::<bool>(), 64),
    ) {
        let records: Vec<_> = history.iter().enumerate().map(|(place, told)| record(place, told)).collect();
        let run = |crash: Option<(usize, usize)>| {
            let mut bench = Bench::new();
            let mut lost = lost.iter().cycle();
            let (committed, crashed) = crash.unwrap_or((records.len(), records.len()));
            for (place, (stamp, events)) in records.iter().enumerate().take(crashed) {
                bench.ledger.evolve(stamp, events);
                for row in drain(&mut bench.ledger) {
                    if place < committed || !lost.next().unwrap() {
                        write(&mut bench.rows, row);
                    }
                }
            }
            bench.ledger = load(&bench.rows);
            for (stamp, events) in &records[committed.min(records.len())..] {
                bench.ledger.evolve(stamp, events);
                for row in drain(&mut bench.ledger) {
                    write(&mut bench.rows, row);
                }
            }
            bench
        };
        let crashed = crashed.index(records.len()) + 1;
        let committed = committed.index(crashed);
        let (whole, broken) = (run(None), run(Some((committed, crashed))));
        prop_assert_eq!(broken.shown(), whole.shown());
        prop_assert_eq!(broken.needs(), whole.needs());
        let facts = |rows: &Rows| {
            let is_fact = |key: &RowKey| matches!(key, RowKey::Entity(..) | RowKey::Member { .. });
            rows.iter().filter(|(key, _)| is_fact(key)).map(|(_, row)| row.clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(facts(&broken.rows), facts(&whole.rows));
    }
}
