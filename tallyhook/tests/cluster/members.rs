//! Owners that change while deliveries come in: two projectors that join and leave, and one that sleeps through its
//! session and wakes.

use std::{collections::BTreeMap, time::Duration};

use view_store::cql::Session;

use crate::{
    place::{Place, Process, SESSION},
    support::{
        load::{self, Load, Wrongs},
        seconds,
        truth::until_true,
        until,
    },
};

const SENDERS: usize = 16;

/// What was told while owners changed is shown within this: a handover waits for the group's next heartbeats.
const SHOWN_WITHIN: Duration = seconds(40);

/// A process says in its log that partitions came to it.
async fn has_partitions(process: &Process) {
    let line = process.running.stderr.find(seconds(60), |line| line.contains("folding a partition")).await;
    assert!(line.is_some(), "it ended before a partition came");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projectors_that_join_and_leave_lose_and_double_nothing() {
    let Some(place) = Place::shared("projectors that join and leave").await else { return };
    let (forge, clock) = load::forge(SENDERS).await;
    let setup = place.setup(&forge);
    place.migrate(&setup).await;
    let door = Process::start(&setup, "ingest").await;
    let first = Process::start(&setup, "projector").await;
    let query = Process::start(&setup, "query-api").await;
    until_true(&forge, &query.reader(), seconds(90)).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(door.api(), SENDERS);

    let mut wrongs = Wrongs::default();
    for round in 0..3 {
        load.more(50).await;
        let joining = [Process::start(&setup, "projector").await, Process::start(&setup, "projector").await];
        for process in &joining {
            has_partitions(process).await;
        }
        load.more(50).await;
        for process in joining {
            process.terminate().await.done();
        }
        // What is acknowledged stands still while it is compared.
        load.pause();
        load.compare_within(&query.reader(), &format!("round {round}"), SHOWN_WITHIN, &mut wrongs).await;
        load.send_to(door.api(), SENDERS);
    }
    let sent = load.end(door.api(), senders).await;
    load.compare_within(&query.reader(), "at the end", SHOWN_WITHIN, &mut wrongs).await;
    println!("{} deliveries acknowledged, {wrongs:?}", sent.acknowledged);
    wrongs.none();
    assert_eq!(first.metric("tallyhook_dead_letters").await, 0.0);
    load.forge.fake.faults().stop();
    until_true(&load.forge, &query.reader(), seconds(90)).await;
}

/// A stored view: its value, and when it was written as the store sees it.
type Views = BTreeMap<(Vec<u8>, Vec<u8>), (Vec<u8>, i64)>;

struct Store {
    session: Session,
    keyspace: String,
}

impl Store {
    async fn of(place: &Place) -> Store {
        let address = format!("scylla://{}/{}", place.cassandra.addresses().join(","), place.keyspace);
        let session = view_store::cql::connect(&address.parse().unwrap()).await.unwrap();
        Store { session, keyspace: place.keyspace.clone() }
    }

    async fn views(&self) -> Views {
        let text =
            format!("SELECT partition_key, row_key, value, WRITETIME(value) FROM {}.views_g1", self.keyspace);
        let result = self.session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap();
        let rows = result.rows::<(Vec<u8>, Vec<u8>, Vec<u8>, i64)>().unwrap();
        rows.map(|row| row.unwrap()).map(|(one, other, value, time)| ((one, other), (value, time))).collect()
    }

    /// Empties the table without leaving a trace that would hide what is written late.
    async fn forget_views(&self) {
        self.session.query_unpaged(format!("TRUNCATE {}.views_g1", self.keyspace), ()).await.unwrap();
    }

    /// Writes rows as they were written before; what is there and newer stays.
    async fn put_back(&self, views: &Views) {
        let text = format!(
            "INSERT INTO {}.views_g1 (partition_key, row_key, value) VALUES (?, ?, ?) USING TIMESTAMP ?",
            self.keyspace
        );
        for ((one, other), (value, time)) in views {
            self.session.query_unpaged(text.as_str(), (one, other, value, time)).await.unwrap();
        }
    }
}

/// The store is stopped first, so that the projector is sure to hold a batch that it could not write when it falls
/// asleep. When it wakes, its partitions have other owners who have written the same rows since; for the moment of
/// waking the table is emptied, so that what comes late can be seen, and then put back as it was.
#[tokio::test(flavor = "multi_thread")]
async fn late_writes_of_a_projector_that_slept_through_its_session_change_nothing() {
    let Some(place) = Place::alone("a projector that sleeps").await else { return };
    let (forge, clock) = load::forge(SENDERS).await;
    let setup = place.setup(&forge);
    place.migrate(&setup).await;
    let store = Store::of(&place).await;
    let door = Process::start(&setup, "ingest").await;
    let sleeper = Process::start(&setup, "projector").await;
    let query = Process::start(&setup, "query-api").await;
    until_true(&forge, &query.reader(), seconds(90)).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(door.api(), SENDERS);
    load.more(100).await;

    let cassandra = &place.cassandra;
    tokio::task::block_in_place(|| cassandra.pause(0)).unwrap();
    // What comes now is fetched, folded, and cannot be written.
    load.more(100).await;
    sleeper.running.signal("STOP").await;
    tokio::task::block_in_place(|| cassandra.resume(0)).unwrap();
    let owner = Process::start(&setup, "projector").await;
    has_partitions(&owner).await;
    load.more(100).await;
    let mut wrongs = Wrongs::default();
    let sent = load.end(door.api(), senders).await;
    load.compare_within(&query.reader(), "while it sleeps", SHOWN_WITHIN + SESSION, &mut wrongs).await;

    let before = store.views().await;
    store.forget_views().await;
    sleeper.running.signal("CONT").await;
    let late = until(seconds(60), "late writes", async || {
        let late = store.views().await;
        let is_older =
            late.iter().any(|(key, (_, time))| before.get(key).is_some_and(|(_, newest)| time < newest));
        if is_older { Ok(late) } else { Err(late.len()) }
    })
    .await;
    println!(
        "{} rows of {} came late; {} deliveries acknowledged",
        late.len(),
        before.len(),
        sent.acknowledged
    );
    let lost = sleeper.running.stderr.find(seconds(60), |line| line.contains(r#""is_lost":true"#)).await;
    assert!(lost.is_some(), "it noticed that it had lost its partitions");
    store.put_back(&before).await;
    let after = store.views().await;
    for (key, (value, time)) in &before {
        let (now, newest) = &after[key];
        assert!(newest >= time, "a late write won");
        assert!(newest > time || now == value, "two values of one version");
    }

    // Nobody remembers what was read while the table was empty.
    let query = Process::start(&setup, "query-api").await;
    load.compare_within(&query.reader(), "after it woke", SHOWN_WITHIN, &mut wrongs).await;
    wrongs.none();
    load.forge.fake.faults().stop();
    until_true(&load.forge, &query.reader(), seconds(90)).await;
    for process in [&sleeper, &owner] {
        assert_eq!(process.metric("tallyhook_dead_letters").await, 0.0);
    }
}
