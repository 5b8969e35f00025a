//! Who folds a partition changes at any moment: owners crash in the middle of a write, are taken for dead and
//! wake up later, writes reach a minority of replicas and surface when nobody thinks of them any more. Whatever
//! the schedule, every quorum ends with the rows of an undisturbed fold of the same log.
//!
//! The log is a recorded history with all its questions and answers; the projector is the real one, and the
//! store is what a quorum of three replicas does at its worst. That the model can fail at all is shown by
//! taking shortcuts: each of them must be caught.
//!
//! `TALLYHOOK_TEST_CASES` says how many schedules are tried for each log.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gate;
mod owner;
mod playback;
mod recorded;
mod replicas;
mod schedule;

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use recorded::Recorded;
use replicas::Shortcut;
use schedule::Schedule;

/// Logs that are recorded.
const LOGS: u64 = 16;
/// Schedules that each is folded by.
const SCHEDULES: u64 = 640;
/// A shortcut that none of so many schedules catches would never be caught.
const SCHEDULES_OF_SHORTCUT: u64 = 400;

fn schedules() -> u64 {
    std::env::var("TALLYHOOK_TEST_CASES").map_or(SCHEDULES, |cases| cases.parse().expect("a number"))
}

/// Does this for every number below, on all cores.
fn spread(until: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= until {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

#[test]
fn every_schedule_ends_in_the_rows_of_an_undisturbed_fold() {
    let started = Instant::now();
    let (records, disturbances) = (AtomicUsize::new(0), AtomicUsize::new(0));
    spread(LOGS, |seed| {
        let log = Recorded::of(seed);
        let expected = schedule::undisturbed(&log);
        assert!(expected.len() > 20, "a log that says next to nothing proves next to nothing");
        for number in 0..schedules() {
            let schedule = Schedule::of(seed << 32 | number);
            let ran = schedule.run(&log, None).unwrap_or_else(|error| {
                panic!("log {seed}, schedule {number}: the projector stopped: {error}")
            });
            disturbances.fetch_add(ran.disturbances, Ordering::Relaxed);
            if let Some(wrong) = ran.difference(&expected) {
                panic!("log {seed}, schedule {number}: {wrong}\n{schedule:?}");
            }
        }
        records.fetch_add(log.len(), Ordering::Relaxed);
    });
    println!(
        "{} schedules of {LOGS} logs with {} records: {} crashes, zombies and late writes, 0 wrong, {:.1} s",
        LOGS * schedules(),
        records.into_inner(),
        disturbances.into_inner(),
        started.elapsed().as_secs_f64(),
    );
}

/// How many of the schedules it took until a shortcut was caught.
fn caught_after(shortcut: Shortcut) -> Option<u64> {
    let logs: Vec<_> = (0..4).map(Recorded::of).collect();
    let expected: Vec<_> = logs.iter().map(schedule::undisturbed).collect();
    (0..SCHEDULES_OF_SHORTCUT).find(|number| {
        let at = usize::try_from(number % 4).unwrap();
        let ran = Schedule::of(1 << 48 | number).run(&logs[at], Some(shortcut));
        ran.is_ok_and(|ran| ran.difference(&expected[at]).is_some())
    })
}

#[test]
fn rows_that_stand_there_already_must_be_written_again() {
    assert!(caught_after(Shortcut::SkipEqual).is_some(), "an equal version may sit on a minority");
}

#[test]
fn versions_must_be_those_of_records() {
    assert!(
        caught_after(Shortcut::WallClock).is_some(),
        "a late write of a former owner may win by its clock"
    );
}

#[test]
fn a_commit_must_follow_the_writes() {
    assert!(caught_after(Shortcut::CommitEarly).is_some(), "what a crash left unwritten is never written");
}

#[test]
fn a_record_must_not_be_folded_into_a_row_that_has_it() {
    assert!(
        caught_after(Shortcut::FoldTwice).is_some(),
        "an old delivery would speak against what came after"
    );
}
