//! Cases about many callers at once.

use std::sync::Arc;

use domain::{EntityKey, RowKey};
use tokio::task::JoinSet;

use super::{
    harness::{Finding, Harness, Outcome, ensure, open},
    rows::{brief, expect_row, member, stream, telling_row, version},
};
use crate::port::Row;

const TASKS: u64 = 8;
const WRITES: u64 = 40;

pub(super) async fn writers_of_one_row(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let key = RowKey::Entity(stream(1), EntityKey::Account);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, key) = (Arc::clone(&store), key.clone());
        tasks.spawn(async move {
            for number in 0..WRITES {
                // Each task's versions interleave with the others' and do not rise.
                let offset = (number * 27 % WRITES) * TASKS + task + 1;
                store.write(vec![telling_row(&key, version(offset))]).await?;
                let found = store.get(&key).await?;
                ensure!(
                    found.as_ref().is_some_and(|row| row.version >= version(offset)),
                    "after a write of version {} there is {}",
                    version(offset),
                    brief(found.as_ref())
                );
                ensure!(
                    found.as_ref().is_some_and(|row| *row == telling_row(&key, row.version)),
                    "there is {}, which nobody wrote",
                    brief(found.as_ref())
                );
            }
            Ok(())
        });
    }
    all(tasks).await?;
    expect_row(&store, &telling_row(&key, version(TASKS * WRITES))).await
}

pub(super) async fn reads(harness: &dyn Harness) -> Outcome {
    const ROWS: u32 = 64;
    let store = open(harness).await?;
    let all_rows = |offset: u64| -> Vec<Row> {
        (0..ROWS).map(|number| telling_row(&member(stream(1), number), version(offset))).collect()
    };
    store.write(all_rows(0)).await?;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut least = vec![version(0); ROWS as usize];
            for number in 0..ROWS * 8 {
                let number = (number * 29 + u32::try_from(task).expect("a small number")) % ROWS;
                let key = member(stream(1), number);
                let found = store.get(&key).await?;
                let is_written = found.as_ref().is_some_and(|row| *row == telling_row(&key, row.version));
                ensure!(is_written, "there is {}, which nobody wrote", brief(found.as_ref()));
                let seen = &mut least[number as usize];
                *seen = found.map_or(*seen, |row| row.version.max(*seen));
            }
            Ok(())
        });
    }
    for offset in 1..=20 {
        store.write(all_rows(offset)).await?;
    }
    all(tasks).await
}

pub(super) async fn flushes_may_be_idle(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    store.flush().await?;
    let written = telling_row(&RowKey::Seen(0), version(1));
    store.write(vec![written.clone()]).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move { Ok(store.flush().await?) });
    }
    all(tasks).await?;
    store.flush().await?;
    expect_row(&store, &written).await
}

/// Waits for all tasks; the first finding of one is the case's.
pub(super) async fn all(mut tasks: JoinSet<Outcome>) -> Outcome {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Finding(format!("a call of the store panicked: {error}")))??;
    }
    Ok(())
}
