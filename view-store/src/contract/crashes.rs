//! Cases about crashes: what a flush promises, and what may be lost without one.

use std::{collections::BTreeMap, sync::Arc};

use domain::{EntityKey, RowKey, ScanKey, StreamKey, Version, ViewKey};
use tokio::task::JoinSet;

use super::{
    concurrency::all,
    harness::{Harness, Outcome, ensure, open},
    rows::{brief, expect_row, expect_rows, member, pattern, row, scan, stream, telling_row, version},
};
use crate::port::Row;

pub(super) async fn flushed_rows_survive(harness: &dyn Harness) -> Outcome {
    const ROUNDS: u64 = 4;
    const ROWS: u32 = 200;
    let mut flushed: BTreeMap<_, Row> = BTreeMap::new();
    for round in 1..=ROUNDS {
        let store = open(harness).await?;
        // Every round rewrites some rows of the rounds before and adds some, of many sizes and families.
        for number in 0..ROWS {
            let length = (number as usize * 97) % 9_000;
            let seed = u8::try_from(round).expect("few rounds");
            let written = [
                row(&member(stream(1), number), version(round), pattern(length, seed)),
                row(
                    &RowKey::View(stream(u64::from(number) + round * 50), ViewKey::Account),
                    version(round),
                    pattern(9, seed),
                ),
            ];
            store.write(written.to_vec()).await?;
            flushed.extend(written.map(|row| (row.key.encode(), row)));
        }
        store.flush().await?;
        // Rows of their own, because a lost row is allowed here.
        store.write(vec![row(&RowKey::Seen(7), version(round), "not flushed")]).await?;
        drop(store);
        harness.crash().await;
        let store = open(harness).await?;
        for row in flushed.values() {
            expect_row(&store, row).await?;
        }
        let members: Vec<Row> =
            flushed.values().filter(|row| matches!(row.key, RowKey::Member { .. })).cloned().collect();
        let range = ScanKey::Members(stream(1));
        expect_rows(range, &scan(&store, range).await?, &members)?;
    }
    Ok(())
}

pub(super) async fn concurrent_flushes_survive(harness: &dyn Harness) -> Outcome {
    const TASKS: u64 = 8;
    const WRITES: u32 = 10;
    let key = |task: u64, number: u32| member(stream(task), number);
    let store = open(harness).await?;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for number in 0..WRITES {
                store.write(vec![telling_row(&key(task, number), version(1))]).await?;
                store.flush().await?;
            }
            Ok(())
        });
    }
    all(tasks).await?;
    drop(store);
    harness.crash().await;
    let store = open(harness).await?;
    for task in 0..TASKS {
        for number in 0..WRITES {
            expect_row(&store, &telling_row(&key(task, number), version(1))).await?;
        }
    }
    Ok(())
}

pub(super) async fn unflushed_rows_are_whole_or_gone(harness: &dyn Harness) -> Outcome {
    const ROWS: u32 = 60;
    const FLUSHED: u64 = 3;
    let sized = |number: u32, offset: u64| {
        let length = 100 + (number as usize * 131 + usize::try_from(offset).expect("small") * 977) % 12_000;
        row(
            &member(stream(1), number),
            version(offset),
            pattern(length, u8::try_from(offset).expect("small")),
        )
    };
    let mut greatest = 0;
    for round in 0..4 {
        let store = open(harness).await?;
        for offset in greatest + 1..=greatest + FLUSHED {
            store.write((0..ROWS).map(|number| sized(number, offset)).collect()).await?;
        }
        store.flush().await?;
        let flushed = greatest + FLUSHED;
        // Half of the rows get newer versions, and there are new rows; none is flushed.
        for offset in flushed + 1..=flushed + 4 {
            let halves = (0..ROWS).step_by(2).chain(ROWS * (round + 1)..ROWS * (round + 1) + 10);
            store.write(halves.map(|number| sized(number, offset)).collect()).await?;
        }
        drop(store);
        harness.crash().await;

        let store = open(harness).await?;
        for found in scan(&store, ScanKey::Members(stream(1))).await? {
            let RowKey::Member { bucket, .. } = found.key else { continue };
            ensure!(
                found == sized(bucket, found.version.offset()),
                "after a crash there is {}, which nobody wrote",
                brief(Some(&found))
            );
            expect_row(&store, &found).await?;
        }
        for number in 0..ROWS {
            let found = store.get(&member(stream(1), number)).await?;
            ensure!(
                found.as_ref().is_some_and(|row| row.version >= version(flushed)),
                "version {flushed} was flushed, and after a crash there is {}",
                brief(found.as_ref())
            );
        }
        greatest = flushed + 4;
    }
    Ok(())
}

pub(super) async fn versions_decide_afterwards(harness: &dyn Harness) -> Outcome {
    let key = RowKey::Entity(StreamKey::Service, EntityKey::Door);
    let store = open(harness).await?;
    let flushed = row(&key, version(50), "flushed");
    store.write(vec![flushed.clone()]).await?;
    store.flush().await?;
    drop(store);
    harness.crash().await;

    let store = open(harness).await?;
    for late in [Version::LEAST, version(1), version(49)] {
        store.write(vec![row(&key, late, "late")]).await?;
        expect_row(&store, &flushed).await?;
    }
    let rewritten = row(&key, version(50), "rewritten");
    store.write(vec![rewritten.clone()]).await?;
    expect_row(&store, &rewritten).await?;
    let newer = row(&key, version(51), "newer");
    store.write(vec![newer.clone()]).await?;
    expect_row(&store, &newer).await
}
