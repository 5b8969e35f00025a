//! Erasing what records say: readers, restarts, and a supply that fails in the middle.

use std::io::ErrorKind;

use domain::{Millis, StreamKey};
use event_log::{
    Appended, DedupeKey, EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, LogError, Next, Position, Record,
    contract::power_loss::{PowerLossDisk, Unsynced},
};

use crate::harness;

const ALL: Limit = Limit { records_max: 1_000, bytes_max: usize::MAX };
const RECORDS: usize = 40;

fn record(number: usize) -> Record {
    Record {
        stream: StreamKey::Service,
        id: format!("told-{number}"),
        dedupe: Some(DedupeKey([u8::try_from(number).unwrap(); 16])),
        kind: "kind".to_owned(),
        received_at: Millis(1_000),
        headers: Vec::new(),
        body: format!("{{\"secret\":\"word-{number}\"}}").repeat(number + 1).into_bytes().into(),
    }
}

fn erased(number: usize) -> Record {
    Record {
        id: String::new(),
        dedupe: None,
        kind: "erased".to_owned(),
        body: Vec::new().into(),
        ..record(number)
    }
}

async fn filled(log: &EmbeddedLog) -> Vec<Position> {
    let mut positions = Vec::new();
    for number in 0..RECORDS {
        let Appended::New(at) = log.append(vec![record(number)]).await.unwrap() else { panic!("it is new") };
        positions.extend(at);
    }
    positions
}

/// Every other one.
fn erasing(positions: &[Position]) -> Vec<(Position, Record)> {
    positions.iter().enumerate().skip(1).step_by(2).map(|(number, at)| (*at, erased(number))).collect()
}

async fn stands(log: &EmbeddedLog, first: Position) -> Vec<Record> {
    log.read(first, ALL).await.unwrap().into_iter().map(|(_, record)| record).collect()
}

fn expected(is_erased: bool) -> Vec<Record> {
    (0..RECORDS)
        .map(|number| if is_erased && number % 2 == 1 { erased(number) } else { record(number) })
        .collect()
}

#[tokio::test]
async fn whoever_reads_afterwards_reads_what_was_put_in_their_place() {
    let folder = tempfile::TempDir::new().unwrap();
    // All in memory, some, and none: readers ask there first.
    for tail_bytes in [1 << 20, 4_000, 0] {
        let dir = folder.path().join(tail_bytes.to_string());
        let settings = || EmbeddedLogSettings { tail_bytes, ..EmbeddedLogSettings::default() };
        let log = EmbeddedLog::open(&dir, settings()).unwrap();
        let positions = filled(&log).await;
        let mut follower = log.subscribe("group").await.unwrap();
        let Next::Assigned(assigned) = follower.next(ALL).await.unwrap() else {
            panic!("it is assigned first")
        };
        let shorter = log.replace(erasing(&positions)).await.unwrap();
        assert!(shorter > 0);
        assert_eq!(stands(&log, positions[0]).await, expected(true), "{tail_bytes}");
        for assignment in assigned {
            follower.seek(Position { partition: assignment.partition, offset: 0 }).await.unwrap();
        }
        let Next::Records(followed) = follower.next(ALL).await.unwrap() else { panic!("there are records") };
        assert_eq!(followed[1].1, erased(1));
        assert_eq!(
            log.append(vec![record(1)]).await.unwrap(),
            Appended::Duplicate,
            "what was erased is known"
        );
        drop(follower);
        drop(log);
        let log = EmbeddedLog::open(&dir, settings()).unwrap();
        assert_eq!(stands(&log, positions[0]).await, expected(true), "{tail_bytes}");
        let Appended::New(at) = log.append(vec![record(RECORDS)]).await.unwrap() else { panic!("it is new") };
        assert_eq!(at[0].offset, RECORDS as u64, "offsets go on");
    }
}

#[tokio::test]
async fn what_was_never_appended_cannot_be_replaced() {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
    let positions = filled(&log).await;
    let beyond = Position { offset: RECORDS as u64, ..positions[0] };
    assert!(matches!(log.replace(vec![(beyond, erased(0))]).await, Err(LogError::Stop(_))));
    assert_eq!(stands(&log, positions[0]).await, expected(false));
    assert!(log.broken().borrow().is_none(), "the log goes on");
}

#[tokio::test]
async fn a_crash_leaves_all_of_a_step_or_none_and_what_was_answered_stays() {
    let (mut erased, mut whole) = (0, 0);
    for number in 0..24 {
        let disk = PowerLossDisk::in_memory();
        let log = harness::open(&disk).unwrap();
        let positions = filled(&log).await;
        disk.fail_after(number, ErrorKind::Other);
        let answered = log.replace(erasing(&positions)).await.is_ok();
        if !answered {
            assert!(log.broken().borrow().is_some(), "a process whose disk fails stops");
        }
        let unsynced = match number % 3 {
            0 => Unsynced::Lost,
            1 => Unsynced::Kept,
            _ => Unsynced::Torn { seed: number },
        };
        disk.crash(unsynced).unwrap();
        drop(log);
        let log = harness::open(&disk).unwrap();
        let found = stands(&log, positions[0]).await;
        let is_erased = found == expected(true);
        assert!(is_erased || (!answered && found == expected(false)), "step {number}");
        erased += usize::from(is_erased);
        whole += usize::from(!is_erased);
        log.replace(erasing(&positions)).await.unwrap();
        assert_eq!(stands(&log, positions[0]).await, expected(true), "it goes on where it was interrupted");
    }
    assert!(erased > 0 && whole > 0, "{erased} and {whole}: both were tried");
}
