//! Cases about single rows: what goes in comes out.

use domain::{EntityKey, RowKey, ViewKey};

use super::{
    harness::{Harness, Outcome, ensure, open},
    rows::{
        brief, every_key, every_range, expect_row, expect_rows, is_in, pattern, row, scan, stream,
        telling_row, version,
    },
};
use crate::port::Row;

pub(super) async fn reads_what_was_written(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let key = RowKey::Entity(stream(1), EntityKey::Account);
    let found = store.get(&key).await?;
    ensure!(found.is_none(), "an empty store has {}", brief(found.as_ref()));

    let written = telling_row(&key, version(3));
    store.write(vec![written.clone()]).await?;
    expect_row(&store, &written).await?;

    let neighbours =
        [RowKey::Entity(stream(2), EntityKey::Account), RowKey::View(stream(1), ViewKey::Account)];
    for neighbour in neighbours {
        let found = store.get(&neighbour).await?;
        ensure!(found.is_none(), "{} was never written", brief(found.as_ref()));
    }
    store.write(vec![]).await?;
    expect_row(&store, &written).await
}

pub(super) async fn values_of_any_size(harness: &dyn Harness) -> Outcome {
    const MIB: usize = 1024 * 1024;
    let store = open(harness).await?;
    let mut written = Vec::new();
    for (number, length) in [0, 1, 511, 4096, 70_000, MIB, 20 * MIB].into_iter().enumerate() {
        let key = RowKey::View(stream(number as u64), ViewKey::Account);
        let large = row(&key, version(1), pattern(length, 1));
        store.write(vec![large.clone()]).await?;
        expect_row(&store, &large).await?;
        written.push(large);
    }
    // Growing and shrinking in place, and everything else untouched by it.
    for (number, length) in [MIB, 0, 20 * MIB, 1, 511, 4096, 70_000].into_iter().enumerate() {
        written[number].version = version(2);
        written[number].value = pattern(length, 2);
        store.write(vec![written[number].clone()]).await?;
    }
    store.flush().await?;
    for row in &written {
        expect_row(&store, row).await?;
    }
    Ok(())
}

pub(super) async fn whole_batch_is_written(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let keys = every_key();
    for offset in 1..=3 {
        let batch: Vec<Row> = keys.iter().map(|key| telling_row(key, version(offset))).collect();
        store.write(batch.clone()).await?;
        for row in &batch {
            expect_row(&store, row).await?;
        }
    }
    Ok(())
}

pub(super) async fn every_key_round_trips(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let rows: Vec<Row> = every_key().iter().map(|key| telling_row(key, version(1))).collect();
    for row in &rows {
        store.write(vec![row.clone()]).await?;
    }
    for row in &rows {
        expect_row(&store, row).await?;
    }
    for range in every_range(&every_key()) {
        let expected: Vec<Row> = rows.iter().filter(|row| is_in(range, &row.key)).cloned().collect();
        expect_rows(range, &scan(&store, range).await?, &expected)?;
    }
    Ok(())
}
