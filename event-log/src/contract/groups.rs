//! Groups, their offsets, and where they go on.

use super::{
    Failure, Harness, ensure,
    follow::{Follower, after},
    sample::{ALL, append_new, record, streams_of_each_partition},
};
use crate::{
    port::{EventLog, Limit, Position, Wait},
    record::Record,
};

/// How many records of each partition a case starts with.
const PER_PARTITION: usize = 6;

/// Appends the same number of records to each partition; returns how many there are in all.
async fn fill(log: &dyn EventLog, per_partition: usize) -> Result<usize, Failure> {
    let streams = streams_of_each_partition(log, 1);
    let mut number = 0;
    for _ in 0..per_partition {
        let records: Vec<Record> =
            (number..).zip(streams.iter().flatten()).map(|(n, s)| record(*s, n)).collect();
        number += records.len() as u64;
        append_new(log, records).await?;
    }
    Ok(per_partition * streams.len())
}

/// What `fill` put there, from `first` of each partition on, as a group must be given it.
fn check_delivered(
    records: &[(Position, Record)],
    partitions: u32,
    offsets: std::ops::Range<u64>,
) -> Result<(), Failure> {
    for partition in 0..partitions {
        let of_partition =
            records.iter().map(|(position, _)| position).filter(|p| p.partition.0 == partition);
        let delivered: Vec<u64> = of_partition.map(|position| position.offset).collect();
        ensure!(
            delivered.iter().copied().eq(offsets.clone()),
            "partition {partition} was delivered as {delivered:?}, {offsets:?} was due"
        );
    }
    Ok(())
}

pub(super) async fn unknown_group_has_no_offsets(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    fill(&*log, 1).await?;
    let committed = Follower::join(&*log, "unknown").await?.committed();
    ensure!(committed.iter().all(Option::is_none), "a new group starts with {committed:?}");
    Ok(())
}

pub(super) async fn delivery_starts_with_seek(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::join(&*log, "group").await?;
    let sought = follower.assignments[1].partition;
    follower.subscription.seek(Position { partition: sought, offset: 2 }).await?;
    let records = follower.take(PER_PARTITION - 2, ALL).await?;
    let other = records.iter().find(|(position, _)| position.partition != sought);
    ensure!(other.is_none(), "a partition was delivered that nobody asked for");
    ensure!(
        records.iter().map(|(position, _)| position.offset).eq(2..PER_PARTITION as u64),
        "delivery did not start where seek said"
    );
    Ok(())
}

pub(super) async fn replay_starts_at_commit(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let partitions = log.identity().partitions;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    check_delivered(&follower.take(count, ALL).await?, partitions, 0..PER_PARTITION as u64)?;
    // The last two of each were delivered and never committed.
    let committed = PER_PARTITION as u64 - 2;
    let offsets: Vec<Position> =
        follower.assignments.iter().map(|a| Position { partition: a.partition, offset: committed }).collect();
    follower.subscription.commit(&offsets, Wait::Durable).await?;
    drop(follower);

    let mut follower = Follower::resume(&*log, "group").await?;
    let found = follower.committed();
    ensure!(found.iter().all(|c| *c == Some(committed)), "{committed} was committed, {found:?} is found");
    let again = follower.take(2 * partitions as usize, ALL).await?;
    check_delivered(&again, partitions, committed..PER_PARTITION as u64)
}

pub(super) async fn commit_survives_crash(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    let records = follower.take(count, ALL).await?;
    follower.subscription.commit(&after(&records), Wait::Durable).await?;
    harness.crash().await?;
    drop(follower);
    drop(log);
    let log = harness.open().await?;
    let committed = Follower::join(&*log, "group").await?.committed();
    ensure!(
        committed.iter().all(|offset| *offset == Some(PER_PARTITION as u64)),
        "{PER_PARTITION} was committed and waited for, after a crash it is {committed:?}"
    );
    Ok(())
}

pub(super) async fn seek_back_redelivers(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let partitions = log.identity().partitions;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    let first = follower.take(count, ALL).await?;
    for from in [0, 3] {
        for assignment in follower.assignments.clone() {
            let partition = assignment.partition;
            follower.subscription.seek(Position { partition, offset: from }).await?;
        }
        let due = (PER_PARTITION - usize::try_from(from).unwrap_or(0)) * partitions as usize;
        let again = follower.take(due, Limit { records_max: 4, bytes_max: usize::MAX }).await?;
        check_delivered(&again, partitions, from..PER_PARTITION as u64)?;
        for record in &again {
            ensure!(first.contains(record), "{} is another record the second time", record.0);
        }
    }
    Ok(())
}

pub(super) async fn rebuild_commits_from_its_start(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    let records = follower.take(count, ALL).await?;
    follower.subscription.commit(&after(&records), Wait::Durable).await?;

    let partition = follower.assignments[0].partition;
    follower.subscription.seek(Position { partition, offset: 0 }).await?;
    let _ = follower.batch(Limit { records_max: 2, bytes_max: usize::MAX }).await?;
    follower.subscription.commit(&[Position { partition, offset: 1 }], Wait::Durable).await?;
    harness.crash().await?;
    drop(follower);
    drop(log);

    let log = harness.open().await?;
    let committed = Follower::join(&*log, "group").await?.committed();
    ensure!(committed[0] == Some(1), "a rebuild committed 1, after a crash it is {:?}", committed[0]);
    ensure!(committed[1] == Some(PER_PARTITION as u64), "a rebuild of one partition changed another");
    Ok(())
}

pub(super) async fn late_commit_is_ignored(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    follower.take(count, ALL).await?;
    let partition = follower.assignments[0].partition;
    for offset in [4, 2, 3] {
        follower.subscription.commit(&[Position { partition, offset }], Wait::Durable).await?;
    }
    drop(follower);
    let committed = Follower::join(&*log, "group").await?.committed();
    ensure!(committed[0] == Some(4), "4 was committed, later commits made it {:?}", committed[0]);
    Ok(())
}

pub(super) async fn groups_are_independent(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let partitions = log.identity().partitions;
    let count = fill(&*log, PER_PARTITION).await?;
    let mut first = Follower::resume(&*log, "first").await?;
    let records = first.take(count, ALL).await?;
    first.subscription.commit(&after(&records), Wait::Durable).await?;
    let mut second = Follower::resume(&*log, "second").await?;
    let committed = second.committed();
    ensure!(committed.iter().all(Option::is_none), "a group sees another one's offsets: {committed:?}");
    check_delivered(&second.take(count, ALL).await?, partitions, 0..PER_PARTITION as u64)?;

    fill(&*log, 1).await?;
    for follower in [&mut first, &mut second] {
        let new = follower.take(partitions as usize, ALL).await?;
        check_delivered(&new, partitions, PER_PARTITION as u64..PER_PARTITION as u64 + 1)?;
    }
    Ok(())
}
