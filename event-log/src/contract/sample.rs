//! Records for the suite to append, and how it finds them again.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{AccountId, Millis, StreamKey};

use super::{Failure, ensure};
use crate::{
    port::{Appended, EventLog, Limit, Position},
    record::{DedupeKey, Record},
};

/// Enough for any batch of the suite.
pub(super) const ALL: Limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };

/// The stream of an account.
pub(super) fn stream(account: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(account))
}

/// A small record whose id is unique as long as `number` is.
pub(super) fn record(stream: StreamKey, number: u64) -> Record {
    Record {
        stream,
        id: format!("delivery-{number}"),
        dedupe: None,
        kind: "suite/small".to_owned(),
        received_at: Millis(1_763_719_200_000),
        headers: vec![("X-GitHub-Event".to_owned(), "push".to_owned())],
        body: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

/// The same with a key.
pub(super) fn keyed(stream: StreamKey, number: u64, key: u8) -> Record {
    Record { dedupe: Some(DedupeKey([key; 16])), ..record(stream, number) }
}

/// So many streams that each partition has some: `count` for each.
pub(super) fn streams_of_each_partition(log: &dyn EventLog, count: usize) -> Vec<Vec<StreamKey>> {
    let mut found = vec![Vec::new(); log.identity().partitions as usize];
    for account in 1.. {
        let stream = stream(account);
        let of_partition: &mut Vec<StreamKey> = &mut found[log.partition_of(stream).0 as usize];
        if of_partition.len() < count {
            of_partition.push(stream);
        }
        if found.iter().all(|streams| streams.len() == count) {
            break;
        }
    }
    found
}

/// Appends records that must be new, and returns where each is.
pub(super) async fn append_new(log: &dyn EventLog, records: Vec<Record>) -> Result<Vec<Position>, Failure> {
    let count = records.len();
    match log.append(records).await? {
        Appended::New(positions) => {
            ensure!(positions.len() == count, "{count} records got {} positions", positions.len());
            Ok(positions)
        }
        Appended::Duplicate => Err(Failure("a new record was taken for a duplicate".to_owned())),
    }
}

/// Reads the whole log by `read`, every partition from its start to its end, and checks that positions go
/// up by one.
pub(super) async fn read_all(log: &dyn EventLog) -> Result<BTreeMap<Position, Record>, Failure> {
    let mut all = BTreeMap::new();
    for bounds in log.bounds().await? {
        let mut expected = bounds.start;
        while expected < bounds.end {
            let from = Position { partition: bounds.partition, offset: expected };
            let records = log.read(from, Limit { records_max: 64, bytes_max: 1 << 20 }).await?;
            ensure!(
                !records.is_empty(),
                "nothing was read at {from}, which is before the end {}",
                bounds.end
            );
            for (position, record) in records {
                let wanted = Position { partition: bounds.partition, offset: expected };
                ensure!(position == wanted, "{position} was read where {wanted} was due");
                all.insert(position, record);
                expected += 1;
            }
        }
        ensure!(expected == bounds.end, "partition {} went past its end {}", bounds.partition.0, bounds.end);
    }
    Ok(all)
}

/// Checks that each of these records is where its append said.
pub(super) fn check_present<'a>(
    all: &BTreeMap<Position, Record>,
    appended: impl IntoIterator<Item = &'a (Position, Record)>,
) -> Result<(), Failure> {
    for (position, record) in appended {
        let found = all.get(position);
        ensure!(found.is_some(), "{} was acknowledged at {position} and is gone", record.id);
        ensure!(
            found == Some(record),
            "{} was acknowledged at {position}, where there is something else",
            record.id
        );
    }
    Ok(())
}
