//! Cases about versions: the greatest one stays, whatever the order and the company.
//!
//! Greater versions get values of smaller bytes here, so that an adapter that lets values decide is seen.

use domain::{EntityKey, Epoch, RowKey, StreamKey, Version, ViewKey};

use super::{
    harness::{Harness, Outcome, open},
    rows::{expect_row, member, row, stream, telling_row, version},
};
use crate::port::Row;

const WRITES: usize = 4;

/// A row for each rank; the rank of 3 has the greatest version and the least value.
fn ranked(key: &RowKey) -> [Row; WRITES] {
    [(5, "d"), (6, "c"), (1000, "b"), (1001, "a")].map(|(offset, value)| row(key, version(offset), value))
}

/// All orders of the ranks.
fn orders() -> Vec<Vec<usize>> {
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for rank in 0..WRITES {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, rank);
                    longer
                })
            })
            .collect();
    }
    orders
}

pub(super) async fn greatest_wins_across_calls(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    for (number, order) in orders().into_iter().enumerate() {
        let key = RowKey::View(stream(number as u64), ViewKey::Account);
        let rows = ranked(&key);
        let mut greatest = 0;
        for rank in order {
            greatest = greatest.max(rank);
            store.write(vec![rows[rank].clone()]).await?;
            expect_row(&store, &rows[greatest]).await?;
        }
    }
    Ok(())
}

pub(super) async fn greatest_wins_within_a_call(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    for (number, order) in orders().into_iter().enumerate() {
        let key = RowKey::View(stream(number as u64), ViewKey::Account);
        let other = RowKey::Entity(stream(number as u64), EntityKey::Account);
        let (rows, others) = (ranked(&key), ranked(&other));
        let batch = order.iter().flat_map(|rank| [rows[*rank].clone(), others[*rank].clone()]).collect();
        store.write(batch).await?;
        expect_row(&store, &rows[WRITES - 1]).await?;
        expect_row(&store, &others[WRITES - 1]).await?;
    }
    Ok(())
}

/// The later value also has the greater bytes, because a store of replicas may settle a tie by bytes.
/// Outside of this case values of one version never differ, except where the earlier one was seen on a
/// minority of replicas only; then the later write has to reach them all.
pub(super) async fn equal_rewrites(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let key = RowKey::Entity(stream(1), EntityKey::Account);
    store.write(vec![row(&key, version(5), "early")]).await?;
    let later = row(&key, version(5), "later");
    store.write(vec![later.clone()]).await?;
    expect_row(&store, &later).await?;

    let latest = row(&key, version(5), "latest of them");
    let longer = row(&key, version(5), "longest of them");
    store.write(vec![latest, longer.clone()]).await?;
    expect_row(&store, &longer).await
}

pub(super) async fn older_is_ignored(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let keys: Vec<RowKey> = (0..8).map(|bucket| member(stream(1), bucket)).collect();
    let kept: Vec<Row> = keys.iter().map(|key| row(key, version(100), "kept")).collect();
    store.write(kept.clone()).await?;
    store.flush().await?;

    // A late writer's whole batch, alone and then among rows that are newer.
    let late: Vec<Row> = keys.iter().map(|key| row(key, version(99), "zombie")).collect();
    store.write(late.clone()).await?;
    for row in &kept {
        expect_row(&store, row).await?;
    }
    let newer = row(&member(stream(1), 100), version(101), "newer");
    let mut mixed = late;
    mixed.insert(4, newer.clone());
    mixed.push(row(&keys[7], Version::LEAST, "least"));
    mixed.push(row(&keys[6], Version::NONE, "none"));
    store.write(mixed).await?;
    expect_row(&store, &newer).await?;
    for row in &kept {
        expect_row(&store, row).await?;
    }
    Ok(())
}

pub(super) async fn later_epoch_wins(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let last_offset = (1 << 40) - 1;
    let rising = [
        Version::NONE,
        Version::LEAST,
        Version::new(Epoch(1), 0),
        Version::new(Epoch(1), last_offset),
        Version::new(Epoch(2), 0),
        Version::new(Epoch(255), last_offset),
        Version::new(Epoch(256), 0),
        Version::new(Epoch(1023), last_offset),
    ];
    for (number, pair) in rising.windows(2).enumerate() {
        let (older, newer) = (pair[0], pair[1]);
        let upwards = RowKey::View(stream(number as u64), ViewKey::Account);
        store.write(vec![row(&upwards, older, "older")]).await?;
        store.write(vec![row(&upwards, newer, "newer")]).await?;
        expect_row(&store, &row(&upwards, newer, "newer")).await?;

        let downwards = RowKey::View(stream(number as u64), ViewKey::GithubPayload);
        store.write(vec![row(&downwards, newer, "newer")]).await?;
        store.write(vec![row(&downwards, older, "older")]).await?;
        expect_row(&store, &row(&downwards, newer, "newer")).await?;
    }
    Ok(())
}

pub(super) async fn retry_is_harmless(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let batch = |offset: u64| -> Vec<Row> {
        (0..20).map(|bucket| telling_row(&member(StreamKey::Service, bucket), version(offset))).collect()
    };
    // The writer did not hear the answers and starts over, from the beginning and with parts.
    let calls = [batch(1), batch(2), batch(1), batch(2).split_off(10), batch(1).split_off(15), batch(2)];
    for (number, call) in calls.into_iter().enumerate() {
        store.write(call).await?;
        if number > 0 {
            for row in batch(2) {
                expect_row(&store, &row).await?;
            }
        }
    }
    Ok(())
}
