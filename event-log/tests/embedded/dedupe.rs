//! For how long deliveries are remembered.

use event_log::{
    Appended, EmbeddedLog, EventLog,
    contract::power_loss::{PowerLossDisk, Unsynced},
};

use crate::{
    harness::open,
    sample::{append_new, keyed},
};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// When the first delivery came.
const START_MS: i64 = 1_763_719_200_000;

async fn is_known(log: &EmbeddedLog, number: u64, received_at: i64) -> bool {
    log.append(vec![keyed(1, number, received_at)]).await.unwrap() == Appended::Duplicate
}

#[tokio::test]
async fn a_delivery_is_known_for_72_hours_and_then_forgotten() {
    let disk = PowerLossDisk::in_memory();
    let mut log = open(&disk).unwrap();
    append_new(&log, keyed(1, 1, START_MS)).await;
    let mut marker = 100;
    for hours in [1, 24, 71, 72] {
        append_new(&log, keyed(1, marker, START_MS + hours * HOUR_MS)).await;
        marker += 1;
        assert!(is_known(&log, 1, START_MS + hours * HOUR_MS).await, "after {hours} hours");
        disk.crash(Unsynced::Lost).unwrap();
        drop(log);
        log = open(&disk).unwrap();
        assert!(is_known(&log, 1, START_MS + hours * HOUR_MS).await, "after {hours} hours and a crash");
    }
    append_new(&log, keyed(1, marker, START_MS + 72 * HOUR_MS + 1)).await;
    append_new(&log, keyed(1, 1, START_MS + 72 * HOUR_MS + 2)).await;
    drop(log);
    let log = open(&disk).unwrap();
    assert!(is_known(&log, 1, START_MS + 73 * HOUR_MS).await, "it was appended a second time");
    assert!(is_known(&log, 100, START_MS + 73 * HOUR_MS).await, "the one of hour 1 is 72 hours old");
}

#[tokio::test]
async fn one_clock_that_ran_ahead_does_not_make_it_forget_for_ever() {
    const COUNT: u64 = 40;
    let disk = PowerLossDisk::in_memory();
    let log = open(&disk).unwrap();
    for number in 0..COUNT {
        append_new(&log, keyed(1, number, START_MS)).await;
    }
    append_new(&log, keyed(1, 1000, START_MS + 10_000 * HOUR_MS)).await;
    for number in 2000..2010 {
        append_new(&log, keyed(1, number, START_MS + HOUR_MS)).await;
    }
    drop(log);
    let log = open(&disk).unwrap();
    let mut known = 0;
    for number in (0..COUNT).chain(2000..2010) {
        known += u64::from(is_known(&log, number, START_MS + HOUR_MS).await);
    }
    assert!(known >= COUNT + 10 - 4, "{known} of {} are known", COUNT + 10);
}

#[tokio::test]
async fn a_backlog_of_old_rows_is_worked_off_in_passing() {
    const COUNT: u64 = 60;
    let disk = PowerLossDisk::in_memory();
    let log = open(&disk).unwrap();
    for number in 0..COUNT {
        append_new(&log, keyed(1, number, START_MS)).await;
    }
    // A week without deliveries, then a few: each of them takes some of the old rows away.
    let week = START_MS + 7 * 24 * HOUR_MS;
    let mut commits = 0;
    while is_known(&log, COUNT - 1, week).await {
        append_new(&log, keyed(1, 10_000 + commits, week)).await;
        commits += 1;
        assert!(commits <= COUNT / 2, "old rows are not removed faster than new ones come");
    }
    assert!(commits > 1, "one commit removed everything, however much it was");
    assert!(!is_known(&log, 0, week).await);
}
