//! Ranges of many pages, of small rows and of large ones.

use std::collections::BTreeMap;

use domain::{RowKey, ScanKey};
use futures::TryStreamExt;
use view_store::ViewStore;

use crate::server::{self, member, pattern, row, scanned, store, stream};

/// What a page weighs is judged by the one before; rows that grow a thousandfold must not be too much for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_rows_followed_by_large_ones_are_read_whole() {
    const SMALL: u32 = 3_000;
    const LARGE: u32 = 40;
    if server::skipped() {
        return;
    }
    let store = store().await;
    let mut written: Vec<_> = (0..SMALL).map(|number| row(member(3_000, number), 1, "small")).collect();
    let large = pattern(900_000, 1);
    written.extend((SMALL..SMALL + LARGE).map(|number| row(member(3_000, number), 1, large.clone())));
    for rows in written.chunks(500) {
        store.write(rows.to_vec()).await.unwrap();
    }
    let found = scanned(&store, 3_000).await;
    assert!(found == written, "{} rows of {}", found.len(), written.len());
}

/// The last page is a full one, and the next is empty.
#[tokio::test]
async fn a_range_may_end_with_a_page() {
    if server::skipped() {
        return;
    }
    let store = store().await;
    // The first page has 32 rows, the next ones 512.
    for (account, count) in [(3_010, 32), (3_011, 31), (3_012, 33), (3_013, 32 + 512), (3_014, 32 + 513)] {
        store
            .write((0..count).map(|number| row(member(account, number), 1, "small")).collect())
            .await
            .unwrap();
        assert_eq!(scanned(&store, account).await.len(), count as usize);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_of_many_pages_holds_all_that_was_there_while_rows_are_written() {
    const BEFORE: u32 = 5_000;
    if server::skipped() {
        return;
    }
    let store = store().await;
    let even = (0..BEFORE).map(|number| row(member(3_020, 2 * number), 1, "before"));
    store.write(even.collect()).await.unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for part in 0..50 {
                let odd = (0..BEFORE / 50).map(|number| 2 * (number * 50 + part) + 1);
                let rows = odd.map(|number| row(member(3_020, number), 2, "during"));
                store.write(rows.collect()).await.unwrap();
            }
        }
    });
    let mut scans = 0;
    while !writing.is_finished() || scans == 0 {
        let rows = store.scan(&ScanKey::Members(stream(3_020))).await.unwrap();
        let found: Vec<_> = rows.try_collect().await.unwrap();
        assert!(
            found.is_sorted_by(|one, other| one.key.encode() < other.key.encode()),
            "in key order, once each"
        );
        let values: BTreeMap<RowKey, _> = found.into_iter().map(|row| (row.key, row.value)).collect();
        for number in 0..BEFORE {
            assert_eq!(values.get(&member(3_020, 2 * number)).map(|value| &value[..]), Some(&b"before"[..]));
        }
        scans += 1;
    }
    writing.await.unwrap();
    assert_eq!(scanned(&store, 3_020).await.len(), 2 * BEFORE as usize);
}
