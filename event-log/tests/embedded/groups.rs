//! Groups on an embedded log: one member each, fair delivery, and commits that ride along.

use std::sync::{Arc, Mutex};

use event_log::{
    EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, LogError, Next, Partition, Position, Record,
    Subscription, Wait,
    contract::power_loss::{PowerLossDisk, Unsynced},
};
use tokio::sync::mpsc;

use crate::{
    harness::{PATIENCE, open},
    sample::{ALL, append_new, record, sized},
};

fn in_memory(tail_bytes: usize) -> EmbeddedLog {
    EmbeddedLog::in_memory(EmbeddedLogSettings { tail_bytes, ..EmbeddedLogSettings::default() }).unwrap()
}

/// An account whose stream is in the partition.
fn account_in(log: &EmbeddedLog, partition: u32) -> u64 {
    (1..).find(|account| log.partition_of(record(*account, 0).stream) == Partition(partition)).unwrap()
}

async fn joined(log: &EmbeddedLog, group: &str) -> (Box<dyn Subscription>, Vec<Option<u64>>) {
    let mut subscription = log.subscribe(group).await.unwrap();
    let Next::Assigned(assignments) = subscription.next(ALL).await.unwrap() else {
        panic!("the partitions come first")
    };
    (subscription, assignments.iter().map(|assignment| assignment.committed).collect())
}

async fn resumed(log: &EmbeddedLog, group: &str) -> Box<dyn Subscription> {
    let (mut subscription, committed) = joined(log, group).await;
    for (partition, committed) in (0..).map(Partition).zip(committed) {
        subscription.seek(Position { partition, offset: committed.unwrap_or(0) }).await.unwrap();
    }
    subscription
}

async fn batch(subscription: &mut dyn Subscription, limit: Limit) -> Vec<(Position, Record)> {
    match subscription.next(limit).await.unwrap() {
        Next::Records(records) => records,
        other => panic!("{other:?} came where records were due"),
    }
}

fn sentence<T>(outcome: Result<T, LogError>) -> String {
    match outcome {
        Err(LogError::Stop(sentence)) => sentence,
        Err(other) => panic!("{other} is not a reason to stop"),
        Ok(_) => panic!("it was let through"),
    }
}

#[tokio::test]
async fn a_group_has_one_member_at_a_time() {
    let log = in_memory(1 << 20);
    let member = log.subscribe("projector-g1").await.unwrap();
    let refused = sentence(log.subscribe("projector-g1").await);
    assert!(refused.contains("\"projector-g1\""), "{refused}");
    let other = log.subscribe("projector-g2").await.unwrap();
    drop(member);
    log.subscribe("projector-g1").await.unwrap();
    drop(other);
}

#[tokio::test]
async fn no_partition_starves_behind_another_ones_backlog() {
    for tail_bytes in [0, 1 << 20] {
        let log = in_memory(tail_bytes);
        let busy = account_in(&log, 0);
        for number in 0..200 {
            append_new(&log, record(busy, number)).await;
        }
        let quiet = account_in(&log, 2);
        append_new(&log, record(quiet, 1000)).await;
        let mut subscription = resumed(&log, "group").await;
        let limit = Limit { records_max: 10, bytes_max: usize::MAX };
        let mut before = 0;
        while !batch(&mut *subscription, limit).await.iter().any(|(p, _)| p.partition == Partition(2)) {
            before += 1;
        }
        assert!(before <= 4, "{before} batches came before the quiet partition's only record");
    }
}

#[tokio::test]
async fn a_large_record_is_not_passed_over_for_ever() {
    let log = in_memory(8 << 20);
    let (small, large) = (account_in(&log, 0), account_in(&log, 1));
    append_new(&log, sized(large, 0, 100_000)).await;
    let mut subscription = resumed(&log, "group").await;
    let limit = Limit { records_max: 10, bytes_max: 5000 };
    for number in 1..10 {
        // There is always a small one that fits.
        append_new(&log, sized(small, number, 100)).await;
        append_new(&log, sized(small, number, 100)).await;
        let records = batch(&mut *subscription, limit).await;
        if records.iter().any(|(_, record)| record.body.len() == 100_000) {
            return;
        }
    }
    panic!("the large record never came");
}

#[tokio::test]
async fn old_and_new_records_come_in_one_order() {
    const COUNT: u64 = 400;
    let log = in_memory(20_000);
    for number in 0..COUNT {
        append_new(&log, sized(number % 7, number, 200)).await;
    }
    let mut subscription = resumed(&log, "group").await;
    let mut ends = [0; 4];
    let mut count = 0;
    while count < 2 * COUNT {
        let limit = Limit { records_max: 13, bytes_max: usize::MAX };
        for (position, record) in batch(&mut *subscription, limit).await {
            let end = &mut ends[position.partition.0 as usize];
            assert_eq!(position.offset, *end);
            assert_eq!(log.read(position, ALL).await.unwrap()[0].1, record);
            *end += 1;
            count += 1;
        }
        if count < COUNT {
            // The end moves away while the backlog is worked off.
            append_new(&log, sized(count % 7, COUNT + count, 200)).await;
        } else {
            break;
        }
    }
    let bounds = log.bounds().await.unwrap();
    let total: u64 = bounds.iter().map(|bounds| bounds.end).sum();
    while count < total {
        count += batch(&mut *subscription, ALL).await.len() as u64;
    }
    assert_eq!(count, total);
}

#[tokio::test]
async fn what_was_never_delivered_is_not_committed() {
    let log = in_memory(1 << 20);
    let account = account_in(&log, 1);
    for number in 0..5 {
        append_new(&log, record(account, number)).await;
    }
    let (mut subscription, _) = joined(&log, "group").await;
    let at = |offset| Position { partition: Partition(1), offset };
    let unasked = sentence(subscription.commit(&[at(1)], Wait::No).await);
    assert!(unasked.contains("1:1") && unasked.contains("\"group\""), "{unasked}");
    let beyond = sentence(subscription.seek(at(6)).await);
    assert!(beyond.contains("ends at 5"), "{beyond}");
    subscription.seek(at(0)).await.unwrap();
    batch(&mut *subscription, Limit { records_max: 2, bytes_max: usize::MAX }).await;
    let early = sentence(subscription.commit(&[at(3)], Wait::Durable).await);
    assert!(early.contains("up to 2"), "{early}");
    subscription.commit(&[at(2)], Wait::Durable).await.unwrap();
    let nowhere = sentence(subscription.seek(Position { partition: Partition(9), offset: 0 }).await);
    assert!(nowhere.contains("no partition 9"), "{nowhere}");
}

#[tokio::test]
async fn a_commit_rides_along_with_the_next_append() {
    let disk = PowerLossDisk::in_memory();
    let log = open(&disk).unwrap();
    let account = account_in(&log, 0);
    append_new(&log, record(account, 0)).await;
    let mut subscription = resumed(&log, "group").await;
    batch(&mut *subscription, ALL).await;
    let next = Position { partition: Partition(0), offset: 1 };
    subscription.commit(&[next], Wait::No).await.unwrap();
    append_new(&log, record(account, 1)).await;
    disk.crash(Unsynced::Lost).unwrap();
    drop((subscription, log));
    let log = open(&disk).unwrap();
    assert_eq!(joined(&log, "group").await.1[0], Some(1));
}

#[tokio::test]
async fn a_commit_is_saved_soon_when_no_append_comes_and_only_when_it_changes() {
    let disk = PowerLossDisk::in_memory();
    let (saved, mut saves) = mpsc::unbounded_channel();
    let saved = Mutex::new(saved);
    let settings = EmbeddedLogSettings {
        on_commit: Some(Arc::new(move |stats| {
            let _ = saved.lock().unwrap().send((stats.records, stats.offsets));
        })),
        ..EmbeddedLogSettings::default()
    };
    let log = EmbeddedLog::with_backend(disk.backend(), "the disk", settings).unwrap();
    let account = account_in(&log, 0);
    append_new(&log, record(account, 0)).await;
    let mut subscription = resumed(&log, "group").await;
    batch(&mut *subscription, ALL).await;
    let next = Position { partition: Partition(0), offset: 1 };
    subscription.commit(&[next], Wait::No).await.unwrap();
    assert_eq!(saves.recv().await, Some((1, 0)), "the append");
    let alone = tokio::time::timeout(PATIENCE, saves.recv()).await;
    assert_eq!(alone, Ok(Some((0, 1))), "the offset, without an append");

    subscription.commit(&[next], Wait::No).await.unwrap();
    append_new(&log, record(account, 1)).await;
    assert_eq!(saves.recv().await, Some((1, 0)), "the same offset again is nothing to save");
    disk.crash(Unsynced::Lost).unwrap();
    drop((subscription, log));
    let log = open(&disk).unwrap();
    assert_eq!(joined(&log, "group").await.1[0], Some(1));
}

#[tokio::test]
async fn closing_saves_commits_and_ends_subscriptions() {
    let disk = PowerLossDisk::in_memory();
    let log = open(&disk).unwrap();
    let account = account_in(&log, 0);
    append_new(&log, record(account, 0)).await;
    let mut subscription = resumed(&log, "group").await;
    batch(&mut *subscription, ALL).await;
    subscription.commit(&[Position { partition: Partition(0), offset: 1 }], Wait::No).await.unwrap();
    let waiting = tokio::spawn(async move {
        let outcome = subscription.next(ALL).await;
        (subscription, outcome)
    });
    tokio::task::yield_now().await;
    drop(log);
    let (mut subscription, outcome) = waiting.await.unwrap();
    assert_eq!(sentence(outcome), "the log was closed");
    let late = subscription.commit(&[Position { partition: Partition(0), offset: 1 }], Wait::Durable).await;
    assert_eq!(sentence(late), "the log was closed");
    // The subscription is still there and holds nothing open.
    let log = open(&disk).unwrap();
    assert_eq!(joined(&log, "group").await.1[0], Some(1));
}
