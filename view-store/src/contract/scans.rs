//! Cases about ranges: complete, in order, nothing of a neighbour.

use std::collections::BTreeMap;

use domain::ScanKey;
use futures::TryStreamExt;

use super::{
    harness::{Harness, Outcome, ensure, open},
    rows::{
        brief, every_key, every_range, expect_rows, is_in, member, pattern, row, scan, stream, telling_row,
        version,
    },
};
use crate::port::Row;

/// More than any adapter reads in one piece.
const ROWS: u32 = 10_000;
/// Shares no factor with [`ROWS`], so that its multiples visit every number once, out of order.
const STRIDE: u32 = 7_919;
const BATCH_ROWS: usize = 1_000;

pub(super) async fn complete_and_ordered(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let many = stream(1);
    let rows: Vec<Row> = (0..ROWS)
        .map(|number| telling_row(&member(many, number * STRIDE % ROWS), version(u64::from(number))))
        .collect();
    for batch in rows.chunks(BATCH_ROWS) {
        store.write(batch.to_vec()).await?;
    }
    let range = ScanKey::Members(many);
    expect_rows(range, &scan(&store, range).await?, &rows)?;

    let large = stream(2);
    let rows: Vec<Row> =
        (0..9).map(|number| row(&member(large, number), version(1), pattern(300_000, 3))).collect();
    store.write(rows.clone()).await?;
    let range = ScanKey::Members(large);
    expect_rows(range, &scan(&store, range).await?, &rows)?;

    let range = ScanKey::Members(stream(3));
    expect_rows(range, &scan(&store, range).await?, &[])
}

pub(super) async fn stays_in_its_range(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let keys = every_key();
    // One range at a time is filled while its neighbours already are or still are empty.
    let ranges = every_range(&keys);
    let mut rows: Vec<Row> = Vec::new();
    for half in [0, 1] {
        let batch: Vec<Row> =
            keys.iter().skip(half).step_by(2).map(|key| telling_row(key, version(1))).collect();
        store.write(batch.clone()).await?;
        rows.extend(batch);
        for range in &ranges {
            let expected: Vec<Row> = rows.iter().filter(|row| is_in(*range, &row.key)).cloned().collect();
            expect_rows(*range, &scan(&store, *range).await?, &expected)?;
        }
    }
    Ok(())
}

pub(super) async fn while_writing(harness: &dyn Harness) -> Outcome {
    const BEFORE: u32 = 3_000;
    let store = open(harness).await?;
    let stream_key = stream(1);
    // Even numbers before the scan, odd ones during it.
    let before: Vec<Row> =
        (0..BEFORE).map(|number| telling_row(&member(stream_key, 2 * number), version(1))).collect();
    store.write(before.clone()).await?;

    let mut found: Vec<Row> = Vec::new();
    let mut rows = store.scan(&ScanKey::Members(stream_key)).await?;
    let mut number = 0;
    while let Some(row) = rows.try_next().await? {
        found.push(row);
        // Behind the scan, around it and before it: new rows, and newer versions of old ones.
        if found.len().is_multiple_of(10) && number < BEFORE {
            let place = number * STRIDE % BEFORE;
            number += 7;
            store
                .write(vec![
                    telling_row(&member(stream_key, 2 * place), version(2)),
                    telling_row(&member(stream_key, 2 * place + 1), version(2)),
                ])
                .await?;
        }
    }
    ensure!(
        found.windows(2).all(|pair| pair[0].key.encode() < pair[1].key.encode()),
        "a scan during writes is not in key order, or gives a row twice"
    );
    let seen: BTreeMap<_, _> = found.iter().map(|row| (row.key.encode(), row)).collect();
    for row in &before {
        ensure!(
            seen.contains_key(&row.key.encode()),
            "{} was written before the scan and is not in it",
            brief(Some(row))
        );
    }
    for row in found {
        ensure!(
            row == telling_row(&row.key, row.version),
            "a scan during writes gives {}, which nobody wrote",
            brief(Some(&row))
        );
    }
    Ok(())
}
