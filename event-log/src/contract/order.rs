//! Where records stand.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tokio::task::JoinSet;

use super::{
    Failure, Harness, ensure,
    sample::{append_new, check_present, read_all, record, stream},
};
use crate::{
    port::{EventLog, Position},
    record::Record,
};

/// How many tasks append at once, each to a stream of its own.
const APPENDERS: u64 = 8;
const APPENDS: u64 = 40;

pub(super) async fn stream_keeps_order(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    append_concurrently(&log).await?;
    let mut newest = HashMap::new();
    // Positions are read in order, partition by partition.
    for (position, record) in read_all(&*log).await? {
        let partition = log.partition_of(record.stream);
        ensure!(position.partition == partition, "{} is in partition {}", record.id, position.partition.0);
        let number = number_of(&record)?;
        if let Some(before) = newest.insert(record.stream, number) {
            ensure!(before < number, "of {}, record {number} comes after {before}", record.stream);
        }
    }
    ensure!(newest.len() as u64 == APPENDERS, "{} streams were written, {APPENDERS} expected", newest.len());
    Ok(())
}

pub(super) async fn offsets_are_dense(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let acked = append_concurrently(&log).await?;
    let positions: BTreeSet<Position> = acked.iter().map(|(position, _)| *position).collect();
    ensure!(positions.len() == acked.len(), "one position was given to two records");
    for bounds in log.bounds().await? {
        let offsets = positions.iter().filter(|position| position.partition == bounds.partition);
        ensure!(
            offsets.map(|position| position.offset).eq(0..bounds.end),
            "the offsets given out in partition {} are not 0..{}",
            bounds.partition.0,
            bounds.end
        );
    }
    check_present(&read_all(&*log).await?, &acked)
}

/// Each task appends one or two records at a time, and waits for each append.
async fn append_concurrently(log: &Arc<dyn EventLog>) -> Result<Vec<(Position, Record)>, Failure> {
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let log = log.clone();
        appenders.spawn(async move {
            let mut acked = Vec::new();
            let mut number = 0;
            while number < APPENDS {
                let count = 1 + number % 2;
                let records: Vec<Record> =
                    (number..number + count).map(|number| record(stream(appender), number)).collect();
                number += count;
                let positions = append_new(&*log, records.clone()).await?;
                acked.extend(positions.into_iter().zip(records));
            }
            Ok::<_, Failure>(acked)
        });
    }
    let mut acked = Vec::new();
    while let Some(appender) = appenders.join_next().await {
        acked.extend(appender.map_err(|error| Failure(error.to_string()))??);
    }
    Ok(acked)
}

fn number_of(record: &Record) -> Result<u64, Failure> {
    let number = record.id.strip_prefix("delivery-").and_then(|number| number.parse().ok());
    number.ok_or_else(|| Failure(format!("a record came back as {:?}", record.id)))
}
