//! Owners that change while deliveries come in: two projectors that join and leave, and one that sleeps through its
//! session and wakes.

use std::{collections::BTreeMap, time::Duration};

use domain::GENERATION;
use view_store::cql::Session;

use crate::{
    place::Place,
    process::Process,
    roles::Loaded,
    support::{seconds, until},
};

/// A member that wakes writes and hears of the group within this.
const WOKEN_WITHIN: Duration = seconds(90);

#[tokio::test(flavor = "multi_thread")]
async fn two_projectors_that_join_and_leave_lose_and_double_nothing() {
    let Some(place) = Place::shared("projectors that join and leave").await else { return };
    let mut loaded = Loaded::start(&place, 1).await;
    for round in 0..3 {
        loaded.load.more(50).await;
        let setup = &loaded.roles.setup;
        let joining = [Process::start(setup, "projector").await, Process::start(setup, "projector").await];
        for process in &joining {
            process.has_partitions().await;
        }
        loaded.load.more(50).await;
        for process in joining {
            process.terminate().await.done();
        }
        loaded.compare_at_rest(&format!("round {round}")).await;
    }
    loaded.end_load("at the end").await;
    loaded.end().await;
}

/// A stored view: its value, and when it was written as the store sees it.
type Views = BTreeMap<(Vec<u8>, Vec<u8>), (Vec<u8>, i64)>;

struct Store {
    session: Session,
    keyspace: String,
}

impl Store {
    async fn of(place: &Place) -> Store {
        let address = format!("scylla://{}/{}", place.cassandra().addresses().join(","), place.keyspace);
        let session = view_store::cql::connect(&address.parse().unwrap()).await.unwrap();
        Store { session, keyspace: place.keyspace.clone() }
    }

    /// Where this release keeps views.
    fn table(&self) -> String {
        format!("{}.views_g{GENERATION}", self.keyspace)
    }

    async fn views(&self) -> Views {
        let text = format!("SELECT partition_key, row_key, value, WRITETIME(value) FROM {}", self.table());
        let result = self.session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap();
        let rows = result.rows::<(Vec<u8>, Vec<u8>, Vec<u8>, i64)>().unwrap();
        rows.map(|row| row.unwrap()).map(|(one, other, value, time)| ((one, other), (value, time))).collect()
    }

    /// Empties the table without leaving a trace that would hide what is written late.
    async fn forget_views(&self) {
        self.session.query_unpaged(format!("TRUNCATE {}", self.table()), ()).await.unwrap();
    }

    /// Writes rows as they were written before; what is there and newer stays.
    async fn put_back(&self, views: &Views) {
        let text = format!(
            "INSERT INTO {} (partition_key, row_key, value) VALUES (?, ?, ?) USING TIMESTAMP ?",
            self.table()
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
    let mut loaded = Loaded::start(&place, 1).await;
    let store = Store::of(&place).await;
    loaded.load.more(100).await;

    place.to_cassandra(|cassandra| cassandra.pause(0));
    // What comes now is fetched, folded, and cannot be written.
    loaded.load.more(100).await;
    loaded.roles.projectors[0].running.signal("STOP").await;
    place.to_cassandra(|cassandra| cassandra.resume(0));
    let owner = Process::start(&loaded.roles.setup, "projector").await;
    owner.has_partitions().await;
    loaded.roles.projectors.push(owner);
    loaded.load.more(100).await;
    loaded.end_load("while it sleeps").await;

    let before = store.views().await;
    store.forget_views().await;
    let sleeper = &loaded.roles.projectors[0].running;
    sleeper.signal("CONT").await;
    let late = until(WOKEN_WITHIN, "late writes", async || {
        let late = store.views().await;
        let is_older =
            late.iter().any(|(key, (_, time))| before.get(key).is_some_and(|(_, newest)| time < newest));
        if is_older { Ok(late) } else { Err(late.len()) }
    })
    .await;
    println!("{} rows of {} came late", late.len(), before.len());
    let lost = sleeper.stderr.find(WOKEN_WITHIN, |line| line.contains(r#""is_lost":true"#)).await;
    assert!(lost.is_some(), "it noticed that it had lost its partitions");
    store.put_back(&before).await;
    let after = store.views().await;
    for (key, (value, time)) in &before {
        let (now, newest) = &after[key];
        assert!(newest >= time, "a late write won");
        assert!(newest > time || now == value, "two values of one version");
    }

    // Nobody remembers what was read while the table was empty.
    loaded.roles.query = Process::start(&loaded.roles.setup, "query-api").await;
    loaded.compare("after it woke").await;
    loaded.end().await;
}
