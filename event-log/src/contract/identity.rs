//! Which log it is, and where its streams are.

use std::collections::BTreeSet;

use domain::StreamKey;

use super::{Failure, Harness, ensure, sample::stream};

pub(super) async fn identity_is_stable(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let before = log.identity();
    ensure!(before.partitions >= 2, "a log with fewer than two partitions hides races between them");
    drop(log);
    ensure!(harness.open().await?.identity() == before, "the log is another one after it was opened again");
    harness.crash().await?;
    ensure!(harness.open().await?.identity() == before, "the log is another one after a crash");
    let another = harness.open_another().await?.identity();
    ensure!(another.incarnation != before.incarnation, "two logs are told to be the same");
    Ok(())
}

pub(super) async fn partition_is_stable(harness: &dyn Harness) -> Result<(), Failure> {
    const STREAMS: u64 = 200;
    let streams = || (0..STREAMS).map(stream).chain([StreamKey::Service]);
    let log = harness.open().await?;
    let before: Vec<_> = streams().map(|stream| log.partition_of(stream)).collect();
    let count = log.identity().partitions;
    ensure!(before.iter().all(|partition| partition.0 < count), "a stream has no partition");
    let used: BTreeSet<_> = before.iter().collect();
    ensure!(used.len() == count.min(16) as usize || used.len() > 16, "only {used:?} have streams");
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    ensure!(streams().map(|stream| log.partition_of(stream)).eq(before), "streams moved");
    Ok(())
}
