//! What was acknowledged is there, whatever happens.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Failure, Harness, ensure,
    sample::{append_new, check_present, read_all, record, stream, streams_of_each_partition},
};
use crate::{
    port::{Appended, Position},
    record::Record,
};

/// How many tasks append at once.
const APPENDERS: u64 = 8;

pub(super) async fn acked_survives_crash(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let log = log.clone();
        appenders.spawn(async move {
            let mut acked = Vec::new();
            for number in 0..25 {
                let record = record(stream(appender * 5 + number % 5), appender * 1000 + number);
                let positions = append_new(&*log, vec![record.clone()]).await?;
                acked.push((positions[0], record));
            }
            Ok::<_, Failure>(acked)
        });
    }
    let mut acked = Vec::new();
    while let Some(appender) = appenders.join_next().await {
        acked.extend(appender.map_err(|error| Failure(error.to_string()))??);
    }
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    check_present(&read_all(&*log).await?, &acked)
}

pub(super) async fn acked_append_is_whole(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let mut acked = Vec::new();
    for number in 0..10 {
        let records = across_partitions(&streams_of_each_partition(&*log, 2), number);
        let positions = append_new(&*log, records.clone()).await?;
        acked.extend(positions.into_iter().zip(records));
    }
    check_present(&read_all(&*log).await?, &acked)?;
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    check_present(&read_all(&*log).await?, &acked)
}

pub(super) async fn append_is_all_or_nothing(harness: &dyn Harness) -> Result<(), Failure> {
    const APPENDS: u64 = 24;
    let log = harness.open().await?;
    let streams = streams_of_each_partition(&*log, 1);
    let mut appends = JoinSet::new();
    for number in 0..APPENDS {
        let (log, records) = (log.clone(), across_partitions(&streams, number));
        appends.spawn(async move { (records.clone(), log.append(records).await) });
    }
    // Crash while the later half is on its way.
    let mut acked = Vec::<(Position, Record)>::new();
    let mut answered = 0;
    while answered < APPENDS / 2 {
        let Some(append) = appends.join_next().await else { break };
        answered += 1;
        let (records, outcome) = append.map_err(|error| Failure(error.to_string()))?;
        if let Ok(Appended::New(positions)) = outcome {
            acked.extend(positions.into_iter().zip(records));
        }
    }
    ensure!(!acked.is_empty(), "no append was acknowledged");
    harness.crash().await?;
    appends.shutdown().await;
    drop(log);
    let log = harness.open().await?;
    let all = read_all(&*log).await?;
    check_present(&all, &acked)?;
    if !harness.capabilities().appends_are_atomic {
        return Ok(());
    }
    for number in 0..APPENDS {
        let records = across_partitions(&streams, number);
        let found = records.iter().filter(|record| all.values().any(|found| &found == record)).count();
        ensure!(
            found == 0 || found == records.len(),
            "{found} of the {} records of one append are there after a crash",
            records.len()
        );
    }
    Ok(())
}

pub(super) async fn appends_continue_after_crash(harness: &dyn Harness) -> Result<(), Failure> {
    let mut acked = Vec::new();
    for round in 0..3 {
        let log = harness.open().await?;
        let positions = Arc::new(log.bounds().await?);
        for number in 0..12 {
            let record = record(stream(number), round * 100 + number);
            let position = append_new(&*log, vec![record.clone()]).await?[0];
            let end = positions[position.partition.0 as usize].end;
            ensure!(position.offset >= end, "{position} was given out again; the end had been {end}");
            acked.push((position, record));
        }
        harness.crash().await?;
    }
    let log = harness.open().await?;
    let all = read_all(&*log).await?;
    check_present(&all, &acked)?;
    ensure!(all.len() == acked.len(), "{} records were appended, {} are there", acked.len(), all.len());
    Ok(())
}

/// One record for each partition, and a second one for the first.
fn across_partitions(streams: &[Vec<domain::StreamKey>], number: u64) -> Vec<Record> {
    let first = streams.iter().flatten();
    let again = streams.iter().flatten().take(1);
    (0..).zip(first.chain(again)).map(|(part, stream)| record(*stream, number * 100 + part)).collect()
}
