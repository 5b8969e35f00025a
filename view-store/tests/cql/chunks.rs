//! Values too large for one cell: never torn, whoever is killed or writes at the same time.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use domain::{RowKey, ViewKey};
use view_store::{Row, ViewStore};

use crate::server::{self, member, pattern, row, scanned, session, store, stream};

const MIB: usize = 1024 * 1024;

fn large(key: &RowKey, version: u64) -> Row {
    row(key.clone(), version, pattern(3 * MIB + usize::try_from(version).unwrap() * 1_001, version))
}

fn small(key: &RowKey, version: u64) -> Row {
    row(key.clone(), version, format!("small as of {version}"))
}

/// A writer that is killed after it was woken so many times.
struct KilledAfter<F> {
    wakes: usize,
    work: F,
}

impl<F: Future + Unpin> Future for KilledAfter<F> {
    /// `None`: killed.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.work).poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.wakes == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.wakes -= 1;
                Poll::Pending
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_killed_between_chunks_tears_nothing() {
    if server::skipped() {
        return;
    }
    let store = store().await;
    let key = RowKey::View(stream(2_000), ViewKey::Account);
    let mut kept = large(&key, 1);
    store.write(vec![kept.clone()]).await.unwrap();
    let (mut killed, mut finished) = (0, 0);
    // Later and later, until it is never killed.
    for wakes in 0..60 {
        let next = large(&key, kept.version.as_raw() + 1);
        let write = pin!(store.write(vec![next.clone()]));
        let outcome = KilledAfter { wakes, work: write }.await;
        let found = store.get(&key).await.unwrap().unwrap();
        match outcome {
            Some(written) => {
                written.unwrap();
                finished += 1;
                assert!(found == next, "after a whole write there is version {}", found.version);
            }
            None => {
                killed += 1;
                assert!(found == kept || found == next, "a torn value at version {}", found.version);
            }
        }
        kept = found;
    }
    assert!(killed > 5, "only {killed} writers were killed at work");
    // And the last word is a whole write.
    let last = large(&key, 1_000);
    store.write(vec![last.clone()]).await.unwrap();
    assert!(store.get(&key).await.unwrap().unwrap() == last);
    assert!(finished < 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_meet_whole_values_while_newer_ones_are_written() {
    const VERSIONS: u64 = 25;
    if server::skipped() {
        return;
    }
    let store = store().await;
    let key = member(2_010, 1);
    store
        .write(vec![large(&key, 1), small(&member(2_010, 0), 1), small(&member(2_010, 2), 1)])
        .await
        .unwrap();
    let writing = tokio::spawn({
        let (store, key) = (store.clone(), key.clone());
        async move {
            for version in 2..=VERSIONS {
                store.write(vec![large(&key, version)]).await.unwrap();
            }
        }
    });
    let (mut last, mut seen) = (0, 0);
    while last < VERSIONS {
        let found = store.get(&key).await.unwrap().unwrap();
        let version = found.version.as_raw();
        assert!(version >= last, "version {version} after {last}");
        assert!(found == large(&key, version), "a torn value at version {version}");
        seen += usize::from(version > last);
        last = version;
        let all = scanned(&store, 2_010).await;
        assert_eq!(all.len(), 3);
        let version = all[1].version.as_raw();
        assert!(all[1] == large(&key, version) && version >= last, "a torn value in a scan");
    }
    writing.await.unwrap();
    assert!(seen > 1, "the reader met several versions");
}

/// Two owners of one partition for a moment: the late one's chunks change nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greatest_version_stays_in_every_order_of_sizes() {
    if server::skipped() {
        return;
    }
    let store = store().await;
    let sizes: [fn(&RowKey, u64) -> Row; 3] = [small, large, large];
    for (number, order) in
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].iter().enumerate()
    {
        for shift in 0..sizes.len() {
            let account = 2_100 + (number * sizes.len() + shift) as u64;
            let key = RowKey::View(stream(account), ViewKey::Account);
            let written = |rank: usize| sizes[(rank + shift) % sizes.len()](&key, 10 + rank as u64);
            let mut greatest = 0;
            for rank in order {
                greatest = greatest.max(*rank);
                store.write(vec![written(*rank)]).await.unwrap();
                let found = store.get(&key).await.unwrap().unwrap();
                assert!(found == written(greatest), "{order:?} shifted by {shift}: {}", found.version);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_a_large_value_again_is_harmless_and_replaced_ones_take_no_room() {
    if server::skipped() {
        return;
    }
    let (store, session) = (store().await, session().await);
    let key = RowKey::View(stream(2_200), ViewKey::Account);
    for version in 1..=5 {
        for _ in 0..2 {
            store.write(vec![large(&key, version)]).await.unwrap();
            assert!(store.get(&key).await.unwrap().unwrap() == large(&key, version));
        }
    }
    let encoded = key.encode().bytes;
    let text = "SELECT DISTINCT chunk_set FROM rows.chunks_g1";
    let rows = session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap();
    let sets = rows.rows::<(Vec<u8>,)>().unwrap().map(|row| row.unwrap().0);
    let ours = sets.filter(|set| set.windows(encoded.len()).any(|part| part == encoded)).count();
    assert_eq!(ours, 1, "sets of chunks of one value");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_values_of_one_version_never_mix() {
    if server::skipped() {
        return;
    }
    let store = store().await;
    for round in 0..4 {
        let key = RowKey::View(stream(2_300 + round), ViewKey::Account);
        let values = [1, 2].map(|seed| row(key.clone(), 9, pattern(3 * MIB, seed)));
        let writes = values.iter().map(|value| store.write(vec![value.clone()]));
        for written in futures::future::join_all(writes).await {
            written.unwrap();
        }
        let found = store.get(&key).await.unwrap().unwrap();
        assert!(values.contains(&found), "a mixture of two values");
    }
}
