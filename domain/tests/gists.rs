//! Gists of an account, users of S2, visits, and how the sending of files stands.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, EntityKey, Epoch, Event, Ledger, Millis, NeedKey, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version, ViewKey,
    entity::gists::{Gist, Gists, SEARCHES, Sending},
    event::{
        GistFacts, GistFile, GistUserFound, GistsReading, GistsWantedBy, SendingNote, SendingStep, TrackedBy,
    },
    ledger::LargeViews,
    need::Need,
    service,
    view::{body::Stored, gists::Items},
};
use proptest::prelude::*;

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

fn ms(of: u64) -> i64 {
    1_000 * i64::try_from(of).unwrap()
}

/// An answer that was asked for when `asked` records were folded.
fn answered(offset: u64, asked: u64) -> Stamp {
    let at = ms(asked);
    let asked = Asked { asked_at: version(asked), asked_ms: Millis(at), date: Second(at / 1_000) };
    Stamp { version: version(offset), received_at: Millis(ms(offset)), told: Told::Answer(asked) }
}

fn commanded(offset: u64) -> Stamp {
    Stamp { version: version(offset), received_at: Millis(ms(offset)), told: Told::Command }
}

fn facts(id: &str, updated: i64, files: &[&str]) -> GistFacts {
    let file = |name: &&str| GistFile {
        filename: (*name).to_owned(),
        language: None,
        size: Some(3),
        raw_url: format!("https://gist.forge.test/raw/{id}/{name}"),
    };
    GistFacts {
        id: id.to_owned(),
        owner: "octocat".into(),
        url: format!("https://gist.forge.test/{id}"),
        description: Some("a \"gist\"".into()),
        files: files.iter().map(file).collect(),
        created_at: Some(Second(1)),
        updated_at: Second(updated),
    }
}

fn reading(gists: Vec<GistFacts>) -> GistsReading {
    let newest = gists.iter().map(|gist| gist.updated_at).max();
    GistsReading { gists, newest, next_ms: Millis(77), ..GistsReading::default() }
}

fn whole(gists: Vec<GistFacts>, absent: &[&str]) -> GistsReading {
    GistsReading {
        absent: absent.iter().map(|id| (*id).to_owned()).collect(),
        is_whole: true,
        ..reading(gists)
    }
}

fn wanted() -> Gists {
    let mut gists = Gists::default();
    gists.want(GistsWantedBy::User, &commanded(1));
    gists
}

fn present(gists: &Gists) -> Vec<&str> {
    gists.present().map(|(id, _)| id.as_str()).collect()
}

fn new_since(gists: &Gists, seen: u64) -> Vec<String> {
    let files: Vec<serde_json::Value> = serde_json::from_str(&Items::of(gists).since(version(seen))).unwrap();
    let name = |file: &serde_json::Value| {
        format!("{}/{}", file["id"].as_str().unwrap(), file["filename"].as_str().unwrap())
    };
    files.iter().map(name).collect()
}

#[test]
fn new_is_what_was_never_seen_and_a_file_that_is_added_later_is_not() {
    let mut gists = wanted();
    gists.read(&reading(vec![facts("a", 10, &["x", "y"])]), &answered(3, 2));
    assert_eq!(new_since(&gists, 0), ["a/x", "a/y"], "the first poll's gists count as new");
    gists.read(&reading(vec![facts("a", 20, &["x", "y", "z"]), facts("b", 20, &["x"])]), &answered(5, 4));
    assert_eq!(new_since(&gists, 3), ["b/x"]);
    let shown: Vec<&str> = gists.gists["a"].facts.files.iter().map(|file| file.filename.as_str()).collect();
    assert_eq!(shown, ["x", "y", "z"], "our own API shows the gist as it is now");
    assert!(gists.gists["a"].items.iter().all(|item| item.filename != "z"), "it is not sent");
}

#[test]
fn a_gist_that_was_deleted_is_still_new_to_who_has_not_seen_it_and_comes_back_when_it_is_listed_again() {
    let mut gists = wanted();
    gists.read(&whole(vec![facts("a", 10, &["x"]), facts("b", 10, &["x"])], &[]), &answered(3, 2));
    gists.read(&whole(vec![facts("b", 10, &["x"])], &["a"]), &answered(5, 4));
    assert_eq!(present(&gists), ["b"]);
    assert_eq!(new_since(&gists, 0), ["a/x", "b/x"]);
    gists.read(&reading(vec![facts("a", 10, &["x"])]), &answered(7, 3));
    assert_eq!(present(&gists), ["b"], "an answer that was asked for before the whole list");
    gists.read(&reading(vec![facts("a", 10, &["x"])]), &answered(8, 6));
    assert_eq!(present(&gists), ["a", "b"]);
    assert_eq!(new_since(&gists, 3), Vec::<String>::new(), "it is no new one");
}

#[test]
fn who_becomes_a_user_later_is_shown_and_sent_what_is_there_then() {
    let mut gists = Gists::default();
    gists.want(GistsWantedBy::Read, &commanded(1));
    gists.read(&whole(vec![facts("a", 10, &["x"]), facts("gone", 10, &["x"])], &[]), &answered(3, 2));
    gists.read(&whole(vec![facts("a", 10, &["x"])], &["gone"]), &answered(5, 4));
    assert_eq!(gists.outbox(), Need::Met, "what is only read is not sent");
    gists.want(GistsWantedBy::User, &commanded(6));
    let sendings: Vec<&Sending> = gists.gists.values().map(|gist| &gist.items[0].sending).collect();
    assert_eq!(
        sendings,
        [&Sending::Waiting { attempts: 0, not_before: Millis(0) }, &Sending::Unwanted],
        "what was deleted before is not"
    );
    assert!(gists.outbox().is_open());
}

#[test]
fn polls_are_asked_for_at_once_and_then_when_the_last_one_says() {
    let mut gists = Gists::default();
    assert_eq!(gists.need(), Need::Met);
    gists.want(GistsWantedBy::Read, &commanded(5));
    let at_once = Need::Open { is_doubt: true, raised_at: version(5), not_before: Millis(0) };
    assert_eq!(gists.need(), at_once);
    gists.read(&reading(vec![]), &answered(6, 4));
    assert_eq!(gists.need(), at_once, "it was asked before they were wanted");
    gists.read(&reading(vec![]), &answered(8, 7));
    let later = Need::Open { is_doubt: false, raised_at: version(7), not_before: Millis(77) };
    assert_eq!(gists.need(), later);
    gists.unread();
    assert_eq!(gists.need(), Need::Met);
}

/// Sending, step by step, of one file.
struct Sender {
    gists: Gists,
    at: u64,
}

impl Sender {
    fn new() -> Self {
        let mut gists = wanted();
        gists.read(&reading(vec![facts("a", 10, &["x"])]), &answered(3, 2));
        Sender { gists, at: 3 }
    }

    fn step(&mut self, step: SendingStep) -> Version {
        self.at += 1;
        let note = SendingNote { gist: "a".into(), filename: "x".into(), step };
        self.gists.note(&note, &commanded(self.at));
        version(self.at)
    }

    fn sending(&self) -> &Sending {
        &self.gists.gists["a"].items[0].sending
    }

    fn attempt(&self) -> Version {
        match self.sending() {
            Sending::Attempted { at, .. } => *at,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_two_who_begin_at_once_one_has_begun() {
    let mut sender = Sender::new();
    let first = sender.step(SendingStep::Began { after: 0 });
    let second = sender.step(SendingStep::Began { after: 0 });
    assert_eq!(sender.attempt(), first);
    sender.step(SendingStep::NotSent { attempt: second, not_before: Millis(9) });
    assert_eq!(sender.attempt(), first, "the other one says nothing about it");
    sender.step(SendingStep::NotSent { attempt: first, not_before: Millis(9) });
    assert_eq!(sender.sending(), &Sending::Waiting { attempts: 1, not_before: Millis(9) });
    sender.step(SendingStep::Began { after: 0 });
    assert_eq!(sender.sending(), &Sending::Waiting { attempts: 1, not_before: Millis(9) }, "a late copy");
    sender.step(SendingStep::Began { after: 1 });
    sender.step(SendingStep::Sent { attempt: second });
    assert_eq!(sender.sending(), &Sending::Sent, "whoever's it was, it is there");
    sender.step(SendingStep::Began { after: 2 });
    assert_eq!(sender.sending(), &Sending::Sent);
    assert_eq!(sender.gists.outbox(), Need::Met);
}

#[test]
fn an_attempt_of_unknown_outcome_is_looked_for_before_the_next_one() {
    let mut sender = Sender::new();
    let attempt = sender.step(SendingStep::Began { after: 0 });
    for _ in 0..SEARCHES {
        sender.step(SendingStep::Began { after: 1 });
        assert_eq!(sender.attempt(), attempt, "not before it was looked for");
        sender.step(SendingStep::NotFound { attempt, not_before: Millis(8) });
    }
    let next = sender.step(SendingStep::Began { after: 1 });
    assert_eq!(sender.attempt(), next);
}

#[test]
fn a_refused_file_waits_for_a_person() {
    let mut sender = Sender::new();
    let attempt = sender.step(SendingStep::Began { after: 0 });
    sender.step(SendingStep::Refused { attempt, reason: "400".into() });
    assert_eq!(sender.gists.outbox(), Need::Met);
    sender.step(SendingStep::Retried);
    assert!(sender.gists.outbox().is_open());
    let attempt = sender.step(SendingStep::Began { after: 0 });
    sender.step(SendingStep::Dropped);
    assert_eq!(sender.attempt(), attempt, "what may be on its way is not given up");
    sender.step(SendingStep::Refused { attempt: Version::NONE, reason: "unreadable".into() });
    assert_eq!(sender.attempt(), attempt, "nor is it refused unread");
    sender.step(SendingStep::NotSent { attempt, not_before: Millis(0) });
    sender.step(SendingStep::Refused { attempt: Version::NONE, reason: "unreadable".into() });
    sender.step(SendingStep::Dropped);
    assert_eq!(sender.sending(), &Sending::Dropped);
}

// ---- The rows of an account

fn rows_of(ledger: &mut Ledger) -> BTreeMap<RowKey, Row> {
    let mut rows = BTreeMap::new();
    loop {
        let drained = ledger.drain(LargeViews::Render);
        rows.extend(drained.rows.into_iter().map(|row| (row.key.clone(), row)));
        if !drained.has_more {
            return rows;
        }
    }
}

#[test]
fn an_account_of_which_only_gists_are_wanted_has_no_other_rows_and_loads_as_it_was() {
    let account = AccountId::github(9);
    let stream = StreamKey::Account(account);
    let mut ledger = Ledger::load(account, []).unwrap();
    let poll = Event::Gists(Box::new(reading(vec![facts("a", 10, &["x"])])));
    ledger.evolve(&commanded(1), &[Event::GistsWanted(GistsWantedBy::User)]);
    ledger.evolve(&answered(3, 2), std::slice::from_ref(&poll));
    assert_eq!(ledger.unwritten_since(), Some(version(1)));
    let rows = rows_of(&mut ledger);
    assert!(!ledger.is_dirty());
    let entity = RowKey::Entity(stream, EntityKey::Gists);
    let mut expected = vec![
        entity.clone(),
        RowKey::View(stream, ViewKey::Gists),
        RowKey::View(stream, ViewKey::NewGists),
        RowKey::Need(stream, NeedKey::Gists),
        RowKey::Need(stream, NeedKey::Outbox),
    ];
    expected.sort();
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), expected);

    // The same record once more, after a crash: the same rows at the same versions.
    let mut loaded = Ledger::load(account, rows.values().cloned()).unwrap();
    assert!(!loaded.is_dirty());
    loaded.evolve(&answered(3, 2), &[poll]);
    assert_eq!(rows_of(&mut loaded), rows);

    // Kept for other reasons, its needs do not end those of its gists.
    loaded.evolve(&commanded(5), &[Event::Tracked(TrackedBy::Person)]);
    let kept = rows_of(&mut loaded);
    assert!(!kept.contains_key(&entity));
    assert!(!kept.contains_key(&RowKey::Need(stream, NeedKey::Gists)), "{kept:?}");
}

#[test]
fn gists_that_are_only_read_end_with_the_account() {
    let account = AccountId::github(9);
    let stream = StreamKey::Account(account);
    let mut ledger = Ledger::load(account, []).unwrap();
    ledger.evolve(&commanded(1), &[Event::Tracked(TrackedBy::Read), Event::GistsWanted(GistsWantedBy::Read)]);
    ledger.evolve(&answered(3, 2), &[Event::Gists(Box::new(reading(vec![facts("a", 10, &["x"])])))]);
    let view = |rows: &BTreeMap<RowKey, Row>| {
        Stored::decode(&rows[&RowKey::View(stream, ViewKey::Gists)].value).unwrap()
    };
    let Stored::Body(body) = view(&rows_of(&mut ledger)) else { panic!("it is shown") };
    assert!(body.meta.complete);
    assert_eq!(body.meta.as_of, Second(10));
    ledger.evolve(&commanded(4), &[Event::Dropped]);
    let rows = rows_of(&mut ledger);
    assert_eq!(view(&rows), Stored::Gone);
    assert_eq!(Need::decode(&rows[&RowKey::Need(stream, NeedKey::Gists)].value), Ok(Need::Met));
}

// ---- Users

struct Service(BTreeMap<RowKey, Row>);

impl Service {
    fn fold(&mut self, stamp: &Stamp, event: &Event<'_>) {
        let key = service::touched(event).unwrap();
        for row in service::evolve(self.0.get(&key), stamp, event).unwrap() {
            self.0.insert(row.key.clone(), row);
        }
    }

    fn users(&self) -> String {
        use std::io::Read as _;

        let row = &self.0[&RowKey::View(StreamKey::Service, ViewKey::GistUsers)];
        let Stored::Body(body) = Stored::decode(&row.value).unwrap() else { panic!("a list") };
        let mut text = String::new();
        flate2::read::GzDecoder::new(&body.gzip[..]).read_to_string(&mut text).unwrap();
        text
    }

    fn need(&self, login: &str) -> Need {
        let key = RowKey::Need(StreamKey::Service, NeedKey::GistUser(login.into()));
        Need::decode(&self.0[&key].value).unwrap()
    }
}

fn added(login: &'static str, id: u64) -> Event<'static> {
    Event::GistUserAdded { login: login.into(), id }
}

#[test]
fn a_login_and_an_id_belong_to_one_user_and_the_first_record_decides() {
    let mut service = Service(BTreeMap::new());
    for (at, event) in
        (1..).zip([added("Octo", 2), added("octo", 3), added("ada", 2), added("ada", 1), added("Octo", 2)])
    {
        service.fold(&commanded(at), &event);
    }
    assert_eq!(service.users(), r#"[{"login":"Octo","id":2},{"login":"ada","id":1}]"#);
    let key = RowKey::Entity(StreamKey::Service, EntityKey::GistUsers);
    let before = service.0[&key].clone();
    service.fold(&commanded(4), &added("joan", 7));
    assert_eq!(service.0[&key], before, "a record that is folded already");
}

#[test]
fn who_a_user_is_is_asked_until_it_is_known() {
    let mut service = Service(BTreeMap::new());
    service.fold(&commanded(1), &added("Octo", 2));
    assert_eq!(
        service.need("octo"),
        Need::Open { is_doubt: true, raised_at: version(1), not_before: Millis(0) }
    );
    let found = |account, next_ms| {
        Event::GistUserFound(GistUserFound { login: "octo".into(), account, next_ms: Millis(next_ms) })
    };
    service.fold(&answered(3, 2), &found(None, 500));
    assert_eq!(
        service.need("octo"),
        Need::Open { is_doubt: false, raised_at: version(2), not_before: Millis(500) }
    );
    service.fold(&answered(5, 4), &found(Some(AccountId::github(9)), 0));
    assert_eq!(service.need("octo"), Need::Met);
}

#[test]
fn visits_count_from_the_newest_whatever_their_order() {
    let mut service = Service(BTreeMap::new());
    let visited = |seen| Event::GistsVisited { login: "Octo".into(), seen: version(seen) };
    service.fold(&commanded(1), &visited(9));
    service.fold(&commanded(2), &visited(4));
    let key = RowKey::Entity(StreamKey::Service, EntityKey::GistVisit("octo".into()));
    let visit = domain::entity::gist_users::GistVisit::decode(&service.0[&key].value).unwrap();
    assert_eq!(visit.seen, version(9));
}

// ---- Any order, any doubling

const IDS: [&str; 3] = ["a", "b", "c"];

/// Polls by rising moments at which they were asked.
fn polls() -> impl Strategy<Value = Vec<GistsReading>> {
    let poll = (prop::collection::vec((0..3_usize, 0..6_i64, 0..3_usize), 0..4), any::<bool>());
    prop::collection::vec(poll, 1..8).prop_map(|polls| {
        let of = |(listed, is_whole): (Vec<(usize, i64, usize)>, bool)| {
            // A list shows each gist once.
            let listed: BTreeMap<usize, (i64, usize)> =
                listed.into_iter().map(|(id, updated, files)| (id, (updated, files))).collect();
            let absent: Vec<&str> = (0..3).filter(|id| !listed.contains_key(id)).map(|id| IDS[id]).collect();
            let gists = listed
                .into_iter()
                .map(|(id, (updated, files))| facts(IDS[id], updated, &["x", "y", "z"][..=files]))
                .collect();
            if is_whole { whole(gists, &absent) } else { reading(gists) }
        };
        polls.into_iter().map(of).collect()
    })
}

/// What does not depend on which record came first.
fn settled(gists: &Gists) -> Gists {
    let mut settled = gists.clone();
    // Absences of gists that nothing has shown yet are not kept: a list shows what it does not miss.
    settled.gists = gists
        .gists
        .iter()
        .map(|(id, gist)| {
            let gist = Gist {
                first_seen: Version::NONE,
                first_seen_ms: Millis(0),
                items: Vec::new(),
                absent: gist.absent.filter(|_| gist.is_gone()),
                ..gist.clone()
            };
            (id.clone(), gist)
        })
        .collect();
    settled
}

proptest! {
    /// Names of gists that vanished are only appended where they were known: the model shows each once before.
    #[test]
    fn polls_in_any_order_and_doubled_come_to_the_same(
        polls in polls(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let first = reading(IDS.iter().map(|id| facts(id, 0, &["x"])).collect());
        let fold = |order: &[usize]| {
            let mut gists = wanted();
            gists.read(&first, &answered(3, 2));
            for (place, poll) in order.iter().enumerate() {
                let asked = u64::try_from(*poll).unwrap() + 3;
                let offset = u64::try_from(place).unwrap() + 20;
                gists.read(&polls[*poll], &answered(offset, asked));
            }
            settled(&gists)
        };
        let straight: Vec<usize> = (0..polls.len()).collect();
        let mut mixed: Vec<usize> = order.iter().map(|index| index.index(polls.len())).collect();
        mixed.extend(straight.iter().rev());
        prop_assert_eq!(fold(&mixed), fold(&straight));
    }

    /// A reader who comes again and again is shown each new file once, whatever is deleted in between.
    #[test]
    fn each_new_file_is_shown_exactly_once(
        polls in polls(),
        visits in prop::collection::vec(any::<bool>(), 8),
    ) {
        let mut gists = wanted();
        let mut seen = 0;
        let mut shown = Vec::new();
        let mut new = Vec::new();
        for (asked, (poll, is_visited)) in (2..).step_by(2).zip(polls.iter().zip(visits)) {
            for facts in poll.gists.iter().filter(|facts| !gists.gists.contains_key(&facts.id)) {
                new.extend(facts.files.iter().map(|file| format!("{}/{}", facts.id, file.filename)));
            }
            gists.read(poll, &answered(asked + 1, asked));
            if is_visited {
                shown.extend(new_since(&gists, seen));
                seen = asked + 1;
            }
        }
        shown.extend(new_since(&gists, seen));
        shown.sort();
        new.sort();
        prop_assert_eq!(shown, new);
    }
}
