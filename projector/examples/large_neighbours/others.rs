//! What other accounts of the same process notice while the rows of the large one are read after a start.

use std::{sync::Arc, time::Duration};

use domain::{
    AccountId, Asked, Epoch, Event, Millis, RepoId, Row, RowKey, Second, StreamKey, Version, ViewKey,
    record::{ANSWER, Answer},
};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, Record};
use projector::{Metrics, Progress, Projector, ProjectorSettings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use view_store::{
    EmbeddedStore, EmbeddedStoreSettings, Follower, Heard, Hint, Hints, InProcessHints, ViewStore,
};

use crate::made_up;

/// So many rows are written at once.
const ROWS: usize = 500;
/// Another account's record comes so long after the one before was shown.
const PAUSE: Duration = Duration::from_millis(20);

/// How long whom waited.
pub(crate) struct Waits {
    /// Until the large account's record was shown.
    pub(crate) large: Duration,
    /// Until records of another account of its partition were shown, in order of length.
    pub(crate) others: Vec<Duration>,
}

/// Stores the rows in a folder, and folds a record of the large account and as many of another one as come meanwhile.
pub(crate) async fn measure(stargazers: u64, stars: u64) -> Waits {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(folder.path(), &EmbeddedStoreSettings::default()).expect("a new store");
    let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
    store.write(vec![epoch]).await.expect("a row is written");
    let mut rows = made_up::stargazers_rows(stargazers);
    for user in 0..stargazers {
        rows.push(made_up::starred_row(user, stars));
        if rows.len() >= ROWS {
            store.write(std::mem::take(&mut rows)).await.expect("rows are written");
        }
    }
    store.write(rows).await.expect("rows are written");
    store.flush().await.expect("the disk has room");

    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).expect("a log fits into memory");
    let log: Arc<dyn EventLog> = Arc::new(log);
    let hints = Arc::new(InProcessHints::new());
    let mut follower = hints.follow();
    let (progress, _reader) = Progress::new();
    let projector = Projector {
        log: Arc::clone(&log),
        store: Arc::new(store),
        hints,
        progress,
        metrics: Metrics::register(&prometheus::Registry::new()).expect("an empty registry"),
        settings: ProjectorSettings::default(),
    };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));

    let large = AccountId::github(made_up::OWNER);
    let partition = |account| log.partition_of(StreamKey::Account(account));
    let others = (100..).map(AccountId::github);
    let other = others.into_iter().find(|other| partition(*other) == partition(large));
    let other = other.expect("every partition has accounts");

    let begun = Instant::now();
    append(&*log, large, 70).await;
    let mut waits = Vec::new();
    let mut second = 70;
    let large = loop {
        second += 1;
        let asked = Instant::now();
        append(&*log, other, second).await;
        let is_large_shown = shown(&mut *follower, other, large).await;
        waits.push(asked.elapsed());
        if is_large_shown {
            break begun.elapsed();
        }
        tokio::time::sleep(PAUSE).await;
    };
    shutdown.cancel();
    running.await.expect("the projector ends").expect("the projector ends well");
    waits.sort_unstable();
    Waits { large, others: waits }
}

/// Waits until an account's page is written; whether the large one's was meanwhile.
async fn shown(follower: &mut dyn Follower, account: AccountId, large: AccountId) -> bool {
    let page =
        |of| RowKey::View(StreamKey::Account(of), ViewKey::Repository(RepoId::github(made_up::TARGET)));
    let mut is_large_shown = false;
    while let Some(heard) = follower.next().await {
        let Heard::Hints(hints) = heard else { continue };
        for hint in hints.iter() {
            let Hint::Row { key, .. } = hint else { continue };
            is_large_shown |= *key == page(large);
            if *key == page(account) {
                return is_large_shown;
            }
        }
    }
    unreachable!("the projector runs");
}

/// Appends that the account's repository changed in this second.
async fn append(log: &dyn EventLog, account: AccountId, second: i64) {
    let asked = Asked { asked_at: Version::LEAST, asked_ms: Millis(second * 1000), date: Second(second) };
    let events: Vec<Event<'static>> = made_up::opening(account, second);
    let record = Record {
        stream: StreamKey::Account(account),
        id: "example".to_owned(),
        dedupe: None,
        kind: ANSWER.to_owned(),
        received_at: Millis(1),
        headers: Vec::new(),
        body: Answer { asked, events, cursors: Vec::new() }.encode().into(),
    };
    log.append(vec![record]).await.expect("a log in memory takes what it is given");
}
