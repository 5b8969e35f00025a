//! A disk that fills up or fails at any moment: the log stops, and what was acknowledged is there afterwards.

use std::{collections::BTreeMap, io::ErrorKind, sync::Arc};

use event_log::{
    AppendError, Appended, EmbeddedLog, EventLog, LogError, Next, Position, Record,
    contract::power_loss::{PowerLossDisk, Unsynced},
};
use tokio::task::JoinSet;

use crate::{
    harness::open,
    sample::{ALL, append_new, read_all, record, sized},
};

/// What each of several tasks got acknowledged until the log stopped, and the sentence that stopped it.
async fn append_until_it_stops(log: &Arc<EmbeddedLog>) -> (Vec<(Position, Record)>, String) {
    let mut appenders = JoinSet::new();
    for appender in 0..4 {
        let log = log.clone();
        appenders.spawn(async move {
            let mut acked = Vec::new();
            for number in 0.. {
                let number = appender * 1_000_000 + number;
                // Two records, often of two partitions, and now and then a large one.
                let body_bytes = if number % 5 == 0 { 50_000 } else { 100 };
                let records = vec![sized(number % 11, number, body_bytes), sized(number % 7, number, 10)];
                match log.append(records.clone()).await {
                    Ok(Appended::New(positions)) => acked.extend(positions.into_iter().zip(records)),
                    Err(AppendError::Stop(sentence)) => return (acked, sentence),
                    other => panic!("{other:?}"),
                }
            }
            unreachable!("the numbers do not end")
        });
    }
    let mut all = (Vec::new(), String::new());
    for (acked, sentence) in appenders.join_all().await {
        all.0.extend(acked);
        all.1 = sentence;
    }
    all
}

/// Two records of one number stand or fall together.
fn check_whole(found: &[(Position, Record)]) {
    let mut records = BTreeMap::<&str, usize>::new();
    for (_, record) in found {
        *records.entry(&record.id).or_default() += 1;
    }
    for (id, count) in records {
        assert_eq!(count, 2, "{count} of the two records of {id} are there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_the_disk_was_full_is_there_afterwards() {
    for round in 0..120_u64 {
        let disk = PowerLossDisk::in_memory();
        let log = Arc::new(open(&disk).unwrap());
        let kind = if round % 3 == 0 { ErrorKind::Other } else { ErrorKind::StorageFull };
        disk.fail_after(round * 7 % 300, kind);
        let (acked, sentence) = append_until_it_stops(&log).await;
        assert!(sentence.starts_with("the disk could not be written"), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");

        let unsynced = match round % 4 {
            0 => Unsynced::Kept,
            1 => Unsynced::Lost,
            _ => Unsynced::Torn { seed: round },
        };
        disk.crash(unsynced).unwrap();
        drop(log);
        let log = open(&disk).unwrap();
        let found = read_all(&log).await;
        for (position, record) in &acked {
            let present = found.iter().find(|(found, _)| found == position);
            assert_eq!(
                present.map(|(_, found)| found),
                Some(record),
                "round {round}, {unsynced:?}: {position}"
            );
        }
        check_whole(&found);
        append_new(&log, record(1, 0)).await;
    }
}

#[tokio::test]
async fn everyone_learns_of_it_and_nothing_goes_on() {
    let disk = PowerLossDisk::in_memory();
    let log = Arc::new(open(&disk).unwrap());
    append_new(&*log, record(1, 1)).await;
    let mut broken = log.broken();
    assert_eq!(*broken.borrow(), None);
    let mut follower = log.subscribe("group").await.unwrap();
    let Next::Assigned(assignments) = follower.next(ALL).await.unwrap() else { panic!("not assigned") };
    for assignment in assignments {
        let end = log.bounds().await.unwrap()[assignment.partition.0 as usize].end;
        follower.seek(Position { partition: assignment.partition, offset: end }).await.unwrap();
    }
    let waiting = tokio::spawn(async move { follower.next(ALL).await });
    tokio::task::yield_now().await;

    disk.fail_after(0, ErrorKind::StorageFull);
    let Err(AppendError::Stop(sentence)) = log.append(vec![record(1, 2)]).await else {
        panic!("an append was acknowledged without being written")
    };
    assert!(sentence.contains("free space"), "{sentence}");
    broken.changed().await.unwrap();
    assert_eq!(broken.borrow().as_deref(), Some(sentence.as_str()));
    let Err(LogError::Stop(heard)) = waiting.await.unwrap() else { panic!("a follower goes on") };
    assert_eq!(heard, sentence);
    // Room again: but nobody knows what is on the disk.
    disk.fail_after(u64::MAX / 2, ErrorKind::StorageFull);
    let Err(AppendError::Stop(later)) = log.append(vec![record(1, 3)]).await else {
        panic!("an append was acknowledged after the log had stopped")
    };
    assert_eq!(later, sentence);
}
