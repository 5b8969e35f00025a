//! What waits for the disk: groups, bounds, copies, and callers that give up.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Instant,
};

use event_log::{
    AppendError, Appended, EmbeddedLog, EmbeddedLogSettings, EventLog,
    embedded::{APPEND_BYTES_MAX, CommitStats},
};

use crate::{
    gate::{Gate, GatedBackend},
    harness::PATIENCE,
    sample::{append_new, keyed, read_all, record, sized},
};

type Append<'a> = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send + 'a>>;

struct Gated {
    log: EmbeddedLog,
    gate: Gate,
    commits: Arc<Mutex<Vec<CommitStats>>>,
}

impl Drop for Gated {
    /// The writing thread must get on, or a failed test would wait for it for ever.
    fn drop(&mut self) {
        self.gate.open();
    }
}

/// A log whose writing thread is held up in the middle of a group of one record, number 0 of account 0.
fn held_up<'a>(gated: &'a Gated) -> Append<'a> {
    gated.gate.close();
    let mut first: Append<'a> = Box::pin(gated.log.append(vec![record(0, 0)]));
    assert!(poll_once(&mut first).is_pending());
    gated.gate.wait_for_sync();
    first
}

fn gated() -> Gated {
    let gate = Gate::default();
    let commits = Arc::new(Mutex::new(Vec::new()));
    let (seen, passed) = (commits.clone(), gate.clone());
    let settings = EmbeddedLogSettings {
        on_commit: Some(Arc::new(move |stats| {
            seen.lock().unwrap().push(stats);
            passed.committed();
        })),
        ..EmbeddedLogSettings::default()
    };
    let log = EmbeddedLog::with_backend(GatedBackend::new(gate.clone()), "the gated disk", settings).unwrap();
    Gated { log, gate, commits }
}

fn poll_once(append: &mut Append<'_>) -> Poll<Result<Appended, AppendError>> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    append.as_mut().poll(&mut context)
}

#[tokio::test]
async fn what_waits_shares_transactions_of_bounded_size() {
    const APPENDS: u64 = 2500;
    let gated = gated();
    let first = held_up(&gated);
    let mut waiting: Vec<Append<'_>> = Vec::new();
    for number in 1..=APPENDS {
        let mut append: Append<'_> = Box::pin(gated.log.append(vec![record(number, number)]));
        assert!(poll_once(&mut append).is_pending());
        waiting.push(append);
    }
    gated.gate.open();
    first.await.unwrap();
    for append in waiting {
        assert!(matches!(append.await.unwrap(), Appended::New(positions) if positions.len() == 1));
    }
    let commits = gated.commits.lock().unwrap();
    let sizes: Vec<usize> = commits.iter().map(|commit| commit.records).collect();
    assert_eq!(sizes, [1, 1024, 1024, 452], "whatever waits goes together, in groups that keep their bound");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing() {
    for body_bytes in [10, 20 << 20] {
        let gated = gated();
        let first = held_up(&gated);
        let mut accepted: Vec<Append<'_>> = Vec::new();
        let refused = loop {
            let number = 1 + accepted.len() as u64;
            let mut append: Append<'_> = Box::pin(gated.log.append(vec![sized(1, number, body_bytes)]));
            // A large body is compressed on another thread first, so it takes a few polls to reach the queue;
            // its room is held from the first one on.
            match poll_once(&mut append) {
                Poll::Pending => accepted.push(append),
                Poll::Ready(outcome) => break outcome,
            }
            assert!(accepted.len() <= 10_000, "the queue has no bound");
        };
        assert!(matches!(refused, Err(AppendError::Full)), "{refused:?}");
        assert!(accepted.len() * body_bytes <= 256 << 20, "{} bodies of {body_bytes}", accepted.len());
        gated.gate.open();
        first.await.unwrap();
        let count = accepted.len();
        for append in accepted {
            append.await.unwrap();
        }
        append_new(&gated.log, record(2, 1_000_000)).await;
        let ends: u64 = gated.log.bounds().await.unwrap().iter().map(|bounds| bounds.end).sum();
        assert_eq!(ends, count as u64 + 2);
    }
}

#[tokio::test]
async fn an_append_keeps_its_bound() {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
    let halves = |bytes: usize| vec![sized(1, 1, bytes / 2), sized(2, 2, bytes / 2)];
    let refused = log.append(halves(APPEND_BYTES_MAX)).await;
    assert!(
        matches!(refused, Err(AppendError::TooLarge { bytes, bytes_max }) if bytes > bytes_max),
        "{refused:?}"
    );
    let accepted = log.append(halves(APPEND_BYTES_MAX - 4096)).await.unwrap();
    assert!(matches!(accepted, Appended::New(positions) if positions.len() == 2));
    assert_eq!(log.append(Vec::new()).await.unwrap(), Appended::New(Vec::new()));
}

#[tokio::test]
async fn a_copy_waits_for_the_first_that_is_being_written() {
    let gated = gated();
    gated.gate.close();
    let delivery = keyed(1, 7, 1000);
    let mut first: Append<'_> = Box::pin(gated.log.append(vec![delivery.clone()]));
    assert!(poll_once(&mut first).is_pending());
    gated.gate.wait_for_sync();
    let mut copies: Vec<Append<'_>> = Vec::new();
    for _ in 0..3 {
        let mut copy: Append<'_> = Box::pin(gated.log.append(vec![delivery.clone()]));
        assert!(poll_once(&mut copy).is_pending(), "a copy was answered before its first was durable");
        copies.push(copy);
    }
    assert!(read_all(&gated.log).await.is_empty(), "a record was shown before it was durable");
    gated.gate.open();
    assert!(matches!(first.await.unwrap(), Appended::New(_)));
    for copy in copies {
        assert_eq!(copy.await.unwrap(), Appended::Duplicate);
    }
    assert_eq!(read_all(&gated.log).await.len(), 1);
}

#[tokio::test]
async fn a_copy_is_no_duplicate_of_what_could_not_be_written() {
    let gated = gated();
    let held_up = held_up(&gated);
    // The first and its copies wait together and would be written together.
    let delivery = keyed(1, 7, 1000);
    let mut copies: Vec<Append<'_>> = Vec::new();
    for _ in 0..3 {
        let mut copy: Append<'_> = Box::pin(gated.log.append(vec![delivery.clone()]));
        assert!(poll_once(&mut copy).is_pending());
        copies.push(copy);
    }
    gated.gate.open_for_one_commit();
    held_up.await.unwrap();
    gated.gate.wait_for_sync();
    for copy in &mut copies {
        assert!(poll_once(copy).is_pending(), "a copy was answered before its first was durable");
    }
    gated.gate.break_disk();
    for copy in copies {
        let outcome = copy.await;
        assert!(matches!(outcome, Err(AppendError::Stop(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn whoever_gives_up_may_come_again() {
    let gated = gated();
    let first = held_up(&gated);
    let delivery = keyed(1, 7, 1000);
    let mut given_up: Append<'_> = Box::pin(gated.log.append(vec![delivery.clone()]));
    assert!(poll_once(&mut given_up).is_pending());
    drop(given_up);
    gated.gate.open();
    first.await.unwrap();
    assert_eq!(gated.log.append(vec![delivery]).await.unwrap(), Appended::Duplicate, "it had landed");
    assert_eq!(read_all(&gated.log).await.len(), 2);
}

#[tokio::test]
async fn room_is_given_back_by_those_who_give_up_early() {
    let gated = gated();
    let first = held_up(&gated);
    let large = sized(1, 1, 60 << 20);
    // More in all than the queue has room for.
    for _ in 0..6 {
        // Given up while it is compressed on another thread, it never reaches the queue; its room is free again
        // as soon as that thread has done with it.
        let started = Instant::now();
        loop {
            let mut given_up: Append<'_> = Box::pin(gated.log.append(vec![large.clone()]));
            if poll_once(&mut given_up).is_pending() {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "the room was never given back");
            std::thread::yield_now();
        }
    }
    gated.gate.open();
    first.await.unwrap();
}
