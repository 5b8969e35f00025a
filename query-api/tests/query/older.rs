//! An older generation is shown until the new one has caught up: its payloads, none of them called complete.

use std::{io::Read as _, sync::Arc};

use axum::Router;
use domain::{
    Active, Epoch, Row, RowKey, ScanKey, StreamKey, ViewKey,
    view::body::{self, Body, Meta, Stored},
};
use event_log::EventLog;
use flate2::read::GzDecoder;
use futures::TryStreamExt;
use prometheus::Registry;
use query_api::{Metrics, QueryApi, QueryDeps};
use view_store::{
    EmbeddedStore, Hint, Hints, InProcessHints, Served, ViewStore,
    served::{Generation, Partitions},
};

use crate::{
    bench::{Bench, ObservedHints, Reply, ask, impatient, patient, request},
    forge::OCTO,
};

const PATHS: [&str; 4] =
    ["/githubPayload?user=octo", "/v1/accounts/octo", "/v1/repos/octo/a", "/v1/accounts/octo/repos"];
const OLD: &str = "Octo";
/// As long, so that a payload's length does not tell.
const NEW: &str = "Octa";

/// A query API of generation 2 on a bench whose rows are of generation 1.
struct Newer {
    router: Router,
    rows: EmbeddedStore,
    hints: Arc<ObservedHints>,
    served: Served,
    partitions: u32,
}

impl Newer {
    async fn beside(bench: &Bench) -> Self {
        let rows = bench.store.with_generation(2);
        let hints = Arc::new(ObservedHints::new());
        let log = Arc::clone(&bench.log);
        let partitions = log.identity().partitions;
        let own = Generation { number: 2, store: Arc::new(rows.clone()), hints: hints.clone() };
        let old = Arc::new(bench.store.with_generation(1));
        let older = Generation { number: 1, store: old, hints: Arc::new(InProcessHints::new()) };
        mark_active(&rows, 1, partitions).await;
        let of = Box::new(move |stream| log.partition_of(stream).0);
        let served = Served::open(own, vec![older], Partitions { count: partitions, of }).await.unwrap();
        let now = bench.now();
        let api = QueryApi::start(QueryDeps {
            log: bench.log.clone(),
            store: served.store(),
            hints: served.hints(),
            clock: Arc::new(move || now),
            planner: None,
            settings: impatient(),
            metrics: Metrics::register(&Registry::new()).unwrap(),
        })
        .await
        .unwrap();
        api.may_show_older(served.shows_older());
        Newer { router: api.router(), rows, hints, served, partitions }
    }

    async fn get(&self, path: &str) -> Reply {
        ask(&self.router, request(path)).await
    }
}

async fn mark_active(rows: &EmbeddedStore, generation: u32, partitions: u32) {
    let active = (0..partitions).map(|partition| Active { generation }.row(partition, Epoch::FIRST));
    rows.write(active.collect()).await.unwrap();
}

/// The rows as the next generation writes them: the same versions, other payloads.
async fn rewritten(old: &EmbeddedStore, account: domain::AccountId, repo: domain::RepoId) -> Vec<Row> {
    let stream = StreamKey::Account(account);
    let views =
        [ViewKey::GithubPayload, ViewKey::Account, ViewKey::RepositoryIndex, ViewKey::Repository(repo)];
    let mut rows = Vec::new();
    for key in views {
        let row = old.get(&RowKey::View(stream, key)).await.unwrap().expect("the view is there");
        let Stored::Body(stored) = Stored::decode(&row.value).unwrap() else { panic!("it shows something") };
        let mut text = String::new();
        GzDecoder::new(&stored.gzip[..]).read_to_string(&mut text).unwrap();
        let text = text.replace(OLD, NEW);
        let meta = Meta { hash: body::hash(text.as_bytes()), ..stored.meta };
        let value = Stored::Body(Body::new(text.as_bytes(), meta)).encode();
        rows.push(Row { value, ..row });
    }
    let directory = RowKey::Directory(account);
    let door = RowKey::Entity(StreamKey::Service, domain::EntityKey::Door);
    for key in [directory, door] {
        rows.push(old.get(&key).await.unwrap().expect("the row is there"));
    }
    let names = old.scan(&ScanKey::RepoNames(account)).await.unwrap();
    rows.extend(names.try_collect::<Vec<Row>>().await.unwrap());
    rows
}

#[tokio::test]
async fn the_old_payloads_are_shown_and_not_called_complete_until_the_new_ones_are_there() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let newer = Newer::beside(&bench).await;
    let is_old = async || {
        for path in PATHS {
            let (old, shown) = (bench.get(path).await, newer.get(path).await);
            assert_eq!((shown.status.as_u16(), &shown.body), (200, &old.body), "{path}");
            assert_eq!(old.header("tallyhook-complete"), "true", "{path}");
            assert_eq!(shown.header("tallyhook-complete"), "false", "{path}");
            assert_eq!(shown.header("etag"), old.header("etag"), "{path}: what a reader has is good");
        }
    };
    is_old().await;

    // The new generation comes by the account, long before it has caught up.
    let rows = rewritten(&bench.store.with_generation(1), OCTO.id(), domain::RepoId::github(1)).await;
    newer.rows.write(rows.clone()).await.unwrap();
    let hint =
        |row: &Row| Hint::Row { key: row.key.clone(), version: row.version, value: Some(row.value.clone()) };
    newer.hints.publish(rows.iter().map(hint).collect());
    newer.hints.settle().await;
    is_old().await;

    mark_active(&newer.rows, 2, newer.partitions).await;
    newer.served.look().await.unwrap();
    newer.hints.settle().await;
    for path in PATHS {
        let (old, shown) = (bench.get(path).await, newer.get(path).await);
        let text = String::from_utf8_lossy(&shown.body);
        assert_ne!(shown.body, old.body, "{path}: {text}");
        assert!(text.contains(NEW), "{path}: {text}");
        assert_eq!(shown.header("tallyhook-complete"), "true", "{path}");
    }
}
