//! Forgetting the oldest records. A log that forgets nothing at our word passes by doing so.

use std::sync::Arc;

use super::{
    Failure, Harness, ensure,
    follow::Follower,
    sample::{ALL, append_new, check_present, read_all, record, stream},
};
use crate::{
    port::{EventLog, LogError, Partition, Position, Wait},
    record::Record,
};

/// Kept wherever it stands.
const KEPT: &str = "suite/kept";
/// More than any adapter forgets at once.
const MANY: u64 = 2_500;

/// So many records of one stream, every tenth of the kept kind; returns the partition.
async fn fill(log: &dyn EventLog, count: u64) -> Result<Partition, Failure> {
    let records = (0..count).map(|number| {
        let kind = if number % 10 == 0 { KEPT } else { "suite/small" };
        Record { kind: kind.to_owned(), ..record(stream(1), number) }
    });
    append_new(log, records.collect()).await?;
    Ok(log.partition_of(stream(1)))
}

fn number_of(record: &Record) -> Option<u64> {
    record.id.strip_prefix("delivery-")?.parse().ok()
}

/// Checks that a partition begins at `start`, that what is before it was kept, and everything else is where it was.
async fn check_trimmed(
    log: &dyn EventLog,
    partition: Partition,
    start: u64,
    end: u64,
) -> Result<(), Failure> {
    let bounds = log.bounds().await?[partition.0 as usize];
    ensure!(
        (bounds.start, bounds.end) == (start, end),
        "a partition that was trimmed to {start}..{end} has the bounds {bounds:?}"
    );
    let left = log.read(Position { partition, offset: start }, ALL).await?;
    let numbers: Vec<Option<u64>> = left.iter().map(|(_, record)| number_of(record)).collect();
    ensure!(
        numbers.iter().copied().eq((start..end).map(Some)),
        "after trimming to {start} there is {numbers:?}"
    );
    let kept = log.kept(Position { partition, offset: 0 }, ALL).await?;
    let kept: Vec<Option<u64>> = kept.iter().map(|(_, record)| number_of(record)).collect();
    let wanted = (0..start).filter(|number| number % 10 == 0).map(Some);
    ensure!(kept.iter().copied().eq(wanted), "of what must be kept before {start} there is {kept:?}");
    Ok(())
}

pub(super) async fn trim_forgets(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let other = (2..).map(stream).find(|other| log.partition_of(*other) != log.partition_of(stream(1)));
    let elsewhere = record(other.unwrap_or(stream(1)), 7);
    let beside = (append_new(&*log, vec![elsewhere.clone()]).await?[0], elsewhere);
    let partition = fill(&*log, MANY).await?;
    let before = log.stored_bytes();
    let Some(trimmed) = log.trim(Position { partition, offset: MANY - 5 }, &[KEPT]).await? else {
        return Ok(());
    };
    let forgotten = (0..MANY - 5).filter(|number| number % 10 != 0).count() as u64;
    ensure!(trimmed.records == forgotten, "{} records were forgotten, {forgotten} were due", trimmed.records);
    if let (Some(before), Some(after)) = (before, log.stored_bytes()) {
        let said = before.checked_sub(trimmed.bytes);
        ensure!(said == Some(after), "{before} bytes less {trimmed:?} became {after}");
    }
    check_trimmed(&*log, partition, MANY - 5, MANY).await?;
    check_present(&read_all(&*log).await?, [&beside])?;
    // Further back changes nothing; too far leaves the last record.
    log.trim(Position { partition, offset: 3 }, &[KEPT]).await?;
    check_trimmed(&*log, partition, MANY - 5, MANY).await?;
    log.trim(Position { partition, offset: MANY + 100 }, &[KEPT]).await?;
    check_trimmed(&*log, partition, MANY - 1, MANY).await?;
    let weighed = log.stored_bytes();
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    check_trimmed(&*log, partition, MANY - 1, MANY).await?;
    ensure!(
        log.stored_bytes() == weighed,
        "after a crash the log weighs {:?}, not {weighed:?}",
        log.stored_bytes()
    );
    let next = append_new(&*log, vec![record(stream(1), MANY)]).await?[0];
    ensure!(next.offset == MANY, "after trimming a record got offset {}, {MANY} was due", next.offset);
    Ok(())
}

pub(super) async fn what_is_gone_is_refused(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let partition = fill(&*log, 30).await?;
    let mut committed = Follower::resume(&*log, "behind").await?;
    committed.subscription.commit(&[Position { partition, offset: 0 }], Wait::Durable).await?;
    drop(committed);
    if log.trim(Position { partition, offset: 20 }, &[]).await?.is_none() {
        return Ok(());
    }
    let gone = Position { partition, offset: 19 };
    match log.read(gone, ALL).await {
        Err(LogError::Gone { at, start: 20 }) if at == gone => {}
        other => return Err(Failure(format!("a read of what was forgotten gave {other:?}"))),
    }
    let mut follower = Follower::join(&*log, "behind").await?;
    let sought = follower.subscription.seek(gone).await;
    ensure!(
        matches!(sought, Err(LogError::Gone { start: 20, .. })),
        "a seek to what was forgotten gave {sought:?}"
    );
    follower.subscription.seek(Position { partition, offset: 20 }).await?;
    let records = follower.take(10, ALL).await?;
    ensure!(records[0].0.offset == 20, "a follower of a trimmed log began at {}", records[0].0);
    Ok(())
}

pub(super) async fn trim_survives_crash(harness: &dyn Harness) -> Result<(), Failure> {
    let mut log = harness.open().await?;
    let partition = fill(&*log, MANY).await?;
    let wanted = Position { partition, offset: MANY - 5 };
    for _ in 0..3 {
        let trimming = tokio::spawn({
            let log = Arc::clone(&log);
            async move { log.trim(wanted, &[KEPT]).await }
        });
        let begun = log.bounds().await?[partition.0 as usize].start;
        while !trimming.is_finished() && log.bounds().await?[partition.0 as usize].start == begun {
            tokio::task::yield_now().await;
        }
        harness.crash().await?;
        // Whatever it says: it was interrupted, or it was not.
        let _ = trimming.await;
        drop(log);
        log = harness.open().await?;
        let start = log.bounds().await?[partition.0 as usize].start;
        ensure!(
            start >= begun,
            "after a crash a partition begins at {start}, and before it began at {begun}"
        );
        check_trimmed(&*log, partition, start, MANY).await?;
    }
    if log.trim(wanted, &[KEPT]).await?.is_some() {
        check_trimmed(&*log, partition, wanted.offset, MANY).await?;
    }
    Ok(())
}
