//! What comes back, and how much at once.

use bytes::Bytes;
use domain::{AccountId, Millis, StreamKey};

use super::{
    Failure, Harness, ensure,
    sample::{ALL, append_new, check_present, read_all, record, stream, streams_of_each_partition},
};
use crate::{
    port::{Bounds, Limit, Partition, Position},
    record::{DedupeKey, Record},
};

pub(super) async fn records_round_trip(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let mut acked = Vec::new();
    for record in strange_records() {
        let position = append_new(&*log, vec![record.clone()]).await?[0];
        // Once from wherever the newest are kept, and below once more after everything was forgotten.
        check_present(&read_all(&*log).await?, [&(position, record.clone())])?;
        acked.push((position, record));
    }
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    check_present(&read_all(&*log).await?, &acked)
}

/// Every part at its limits.
fn strange_records() -> Vec<Record> {
    let plain = record(stream(1), 0);
    vec![
        Record { body: Bytes::new(), headers: Vec::new(), kind: String::new(), ..plain.clone() },
        Record { stream: StreamKey::Service, dedupe: Some(DedupeKey([0xff; 16])), ..plain.clone() },
        Record { stream: StreamKey::Account(AccountId::bitbucket(u128::MAX)), ..plain.clone() },
        Record { stream: StreamKey::Account(AccountId::github(u64::MAX)), ..plain.clone() },
        Record {
            id: "zażółć 🦀\n\"\0".to_owned(), kind: "ünïcode/κόσμε".to_owned(), ..plain.clone()
        },
        Record { received_at: Millis(i64::MIN), ..plain.clone() },
        Record { received_at: Millis(i64::MAX), ..plain.clone() },
        Record { body: Bytes::from((0..=255).collect::<Vec<u8>>()), ..plain.clone() },
        Record { body: Bytes::from(vec![b' '; 70_000]), ..plain.clone() },
        Record {
            headers: vec![
                ("twice".to_owned(), "1".to_owned()),
                ("twice".to_owned(), "2".to_owned()),
                (String::new(), String::new()),
                ("long".to_owned(), "värde".repeat(2000)),
            ],
            ..plain
        },
    ]
}

pub(super) async fn large_record_round_trips(harness: &dyn Harness) -> Result<(), Failure> {
    const BYTES: usize = 25 << 20;
    let log = harness.open().await?;
    let small = record(stream(1), 0);
    let repetitive = Record { body: Bytes::from(vec![b'x'; BYTES]), ..record(stream(1), 1) };
    let noisy = Record { body: noise(BYTES), ..record(stream(1), 2) };
    let mut acked = Vec::new();
    for record in [small.clone(), repetitive, small.clone(), noisy, small] {
        acked.push((append_new(&*log, vec![record.clone()]).await?[0], record));
    }
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    check_present(&read_all(&*log).await?, &acked)
}

/// Bytes that no compression makes smaller, the same every time.
fn noise(bytes: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes()[2..]);
    }
    noise.truncate(bytes);
    Bytes::from(noise)
}

pub(super) async fn read_keeps_limits(harness: &dyn Harness) -> Result<(), Failure> {
    const COUNT: usize = 20;
    const BODY_BYTES: usize = 1000;
    let log = harness.open().await?;
    let body = Bytes::from(vec![b'b'; BODY_BYTES]);
    let records = (0..COUNT as u64).map(|number| Record { body: body.clone(), ..record(stream(1), number) });
    append_new(&*log, records.collect()).await?;
    let partition = log.partition_of(stream(1));
    for offset in [0, 7, COUNT as u64 - 1] {
        let from = Position { partition, offset };
        let left = COUNT - usize::try_from(offset).unwrap_or(COUNT);
        for (records_max, bytes_max) in [
            (0, 0),
            (1, usize::MAX),
            (5, usize::MAX),
            (usize::MAX, 1),
            (usize::MAX, 3 * BODY_BYTES),
            (4, 9000),
        ] {
            let limit = Limit { records_max, bytes_max };
            let records = log.read(from, limit).await?;
            check_limit(limit, &records)?;
            ensure!(records.len() <= left, "more was read than there is");
            ensure!(records[0].0 == from, "{} was read where {from} was asked for", records[0].0);
        }
        ensure!(log.read(from, ALL).await?.len() == left, "a read without limits stopped early");
    }
    for offset in [COUNT as u64, COUNT as u64 + 100] {
        let beyond = log.read(Position { partition, offset }, ALL).await?;
        ensure!(beyond.is_empty(), "something was read beyond the end");
    }
    Ok(())
}

/// Checks a batch against its limit: the last record may be the one that reaches the bound in bytes.
pub(super) fn check_limit(limit: Limit, records: &[(Position, Record)]) -> Result<(), Failure> {
    let count = records.len();
    ensure!(count > 0, "a read returned nothing although there are records");
    ensure!(count <= limit.records_max.max(1), "{count} records came for {limit:?}");
    let before_last: usize = records[..count - 1].iter().map(|(_, record)| record.body.len()).sum();
    ensure!(before_last <= limit.bytes_max, "{before_last} bytes and one more record came for {limit:?}");
    Ok(())
}

pub(super) async fn bounds_are_exact(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let streams = streams_of_each_partition(&*log, 1);
    let mut expected: Vec<Bounds> = (0..log.identity().partitions)
        .map(|partition| Bounds { partition: Partition(partition), start: 0, end: 0 })
        .collect();
    ensure!(log.bounds().await? == expected, "a new log has other bounds than 0..0");
    for (round, stream) in (1..).zip(streams.iter().flatten()) {
        let records = (0..round).map(|number| record(*stream, number)).collect();
        append_new(&*log, records).await?;
        expected[log.partition_of(*stream).0 as usize].end += round;
        let bounds = log.bounds().await?;
        ensure!(bounds == expected, "the bounds are {bounds:?}, {expected:?} was appended");
    }
    harness.crash().await?;
    drop(log);
    let bounds = harness.open().await?.bounds().await?;
    ensure!(bounds == expected, "after a crash the bounds are {bounds:?}, {expected:?} was appended");
    Ok(())
}
