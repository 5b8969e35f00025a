//! Records to append, and how the tests find them again.

use std::time::Instant;

use bytes::Bytes;
use domain::{AccountId, Millis, StreamKey};
use event_log::{Appended, EventLog, Limit, LogError, Partition, Position, Record};

use crate::follow::PATIENCE;

/// Enough for any batch.
pub(crate) const ALL: Limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };

pub(crate) fn stream(account: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(account))
}

/// A record whose id is its number.
pub(crate) fn record(account: u64, number: u64) -> Record {
    Record {
        stream: stream(account),
        id: number.to_string(),
        dedupe: None,
        kind: "test".to_owned(),
        received_at: Millis(1_763_719_200_000),
        headers: vec![("X-GitHub-Event".to_owned(), "push".to_owned())],
        body: Bytes::from_static(b"{}"),
    }
}

/// Appends one record, and tries again until it is acknowledged.
pub(crate) async fn append(log: &dyn EventLog, record: Record) -> Position {
    loop {
        match log.append(vec![record.clone()]).await {
            Ok(Appended::New(positions)) => return positions[0],
            Ok(Appended::Duplicate) => panic!("a log on Kafka knows no duplicates"),
            Err(event_log::AppendError::Retry(_) | event_log::AppendError::Full) => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Appends so many records to each partition.
pub(crate) async fn fill(log: &dyn EventLog, per_partition: u64) {
    for partition in 0..log.identity().partitions {
        let account =
            (1..).find(|account| log.partition_of(stream(*account)) == Partition(partition)).unwrap();
        let records = (0..per_partition).map(|number| record(account, number)).collect();
        log.append(records).await.unwrap();
    }
}

/// Everything in the log, in order within each partition.
pub(crate) async fn read_all(log: &dyn EventLog) -> Vec<(Position, Record)> {
    let mut all = Vec::new();
    for bounds in answer(async || log.bounds().await).await {
        let mut offset = bounds.start;
        while offset < bounds.end {
            let from = Position { partition: bounds.partition, offset };
            let limit = Limit { records_max: 5_000, bytes_max: 64 << 20 };
            let records = answer(async || log.read(from, limit).await).await;
            offset = records.last().unwrap().0.offset + 1;
            all.extend(records);
        }
    }
    all
}

/// Asks until the brokers answer: those that are just back take their time.
async fn answer<T>(mut ask: impl AsyncFnMut() -> Result<T, LogError>) -> T {
    let started = Instant::now();
    loop {
        match ask().await {
            Err(LogError::Retry(_)) if started.elapsed() < PATIENCE => tokio::task::yield_now().await,
            answered => return answered.unwrap(),
        }
    }
}
