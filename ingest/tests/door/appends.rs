//! What the log's behaviour means for a sender.

use std::sync::Arc;

use async_trait::async_trait;
use boot::http::Served;
use domain::{AccountId, StreamKey};
use event_log::{AppendError, Appended, EventLog, Record};
use ingest::IngestLimits;
use testkit::watched::{WatchedLog, Watcher};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    delivery::{Delivery, PUSH},
    server::{SHORT, Server, memory, records_of},
};

const ACCOUNT: u64 = 21_031_067;

/// Appends wait until they are released, and tell when they arrive.
pub(crate) struct Held {
    released: Semaphore,
    arrived: mpsc::UnboundedSender<usize>,
}

impl Held {
    /// The log, and how many records each append brought as it arrived.
    pub(crate) fn over(log: Arc<dyn EventLog>) -> (Arc<WatchedLog<Held>>, mpsc::UnboundedReceiver<usize>) {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let held = Held { released: Semaphore::new(0), arrived };
        (Arc::new(WatchedLog::over(log, held)), arrivals)
    }

    /// Lets all appends go on, from now on.
    pub(crate) fn release(&self) {
        self.released.close();
    }
}

#[async_trait]
impl Watcher for Held {
    async fn append(&self, log: &dyn EventLog, records: Vec<Record>) -> Result<Appended, AppendError> {
        // Whether anybody listens does not matter here.
        let _ = self.arrived.send(records.len());
        let _ = self.released.acquire().await;
        log.append(records).await
    }
}

/// Every append is refused.
struct Refused(fn() -> AppendError);

#[async_trait]
impl Watcher for Refused {
    async fn append(&self, _: &dyn EventLog, _: Vec<Record>) -> Result<Appended, AppendError> {
        Err((self.0)())
    }
}

fn impatient() -> IngestLimits {
    IngestLimits { append_timeout: SHORT, ..IngestLimits::default() }
}

#[tokio::test]
async fn a_log_that_takes_too_long_may_still_keep_it_and_a_repetition_does_no_harm() {
    let (log, mut arrivals) = Held::over(memory());
    let server = Server::with(Arc::clone(&log) as _, impatient());
    let answer = server.deliver(&Delivery::push()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(server.deliveries("push", "unavailable"), 1.0);
    arrivals.recv().await.unwrap();
    assert_eq!(server.record_count().await, 0);
    // Nobody waits for it any more, but its bytes are still there.
    assert_eq!(server.bytes_in_flight(), PUSH.len() as f64);

    log.watcher.release();
    server.ingest.drained().await;
    assert_eq!(server.record_count().await, 1);
    assert_eq!(server.status_of(&Delivery::push()).await, 200);
    assert_eq!(server.record_count().await, 1);
    assert_eq!(server.bytes_in_flight(), 0.0);
}

#[tokio::test]
async fn a_log_that_refuses_sends_the_sender_away_for_a_moment() {
    let cases: [(fn() -> AppendError, u16); 4] = [
        (|| AppendError::Full, 503),
        (|| AppendError::Retry("the leader moved".to_owned()), 503),
        (|| AppendError::Stop("the disk is full".to_owned()), 503),
        (|| AppendError::TooLarge { bytes: 2, bytes_max: 1 }, 413),
    ];
    for (error, status) in cases {
        let server =
            Server::with(Arc::new(WatchedLog::over(memory(), Refused(error))), IngestLimits::default());
        let answer = server.deliver(&Delivery::push()).await;
        assert_eq!(answer.status, status, "{:?}", error());
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
        // Why is for the operator's log, not for the sender.
        assert!(!answer.body.contains("disk") && !answer.body.contains("leader"), "{}", answer.body);
        assert_eq!(server.bytes_in_flight(), 0.0);
    }
}

#[tokio::test]
async fn a_delivery_that_concerns_two_accounts_is_one_append_to_both_streams() {
    let (log, mut arrivals) = Held::over(memory());
    log.watcher.release();
    let server = Server::with(log, IngestLimits::default());
    let star = r#"{"action":"created","repository":{"id":1,"owner":{"id":10}},"sender":{"id":20}}"#;
    assert_eq!(server.status_of(&Delivery::of("star", star)).await, 202);
    assert_eq!(arrivals.recv().await, Some(2));
    let (owner, starrer) = (server.records_of(10).await, server.records_of(20).await);
    assert_eq!((owner.len(), starrer.len()), (1, 1));
    assert_eq!((&owner[0].body, &owner[0].headers), (&starrer[0].body, &starrer[0].headers));
    assert_eq!(owner[0].dedupe, starrer[0].dedupe);
    assert_eq!(server.status_of(&Delivery::of("star", star)).await, 200);
    assert_eq!(server.record_count().await, 2);

    assert_eq!(server.status_of(&Delivery::of("star", r#"{"zen":"for nobody"}"#)).await, 202);
    assert_eq!(records_of(&*server.log, StreamKey::Service).await.len(), 1);
}

#[tokio::test]
async fn a_drain_answers_what_is_being_appended() {
    let (log, mut arrivals) = Held::over(memory());
    let server = Server::with(Arc::clone(&log) as _, IngestLimits::default());
    let mut client = server.connect().await;
    client.send(Delivery::push().bytes()).await;
    arrivals.recv().await.unwrap();
    server.shutdown.cancel();
    log.watcher.release();
    assert_eq!(client.answer().await.status, 202);
    assert!(client.is_closed().await);
    assert_eq!(server.done.await.unwrap(), Served { cut_off: 0 });
    server.ingest.drained().await;
    assert_eq!(records_of(&*server.log, StreamKey::Account(AccountId::github(ACCOUNT))).await[0].body, PUSH);
}

#[tokio::test]
async fn an_append_goes_on_when_its_sender_goes_away() {
    let (log, mut arrivals) = Held::over(memory());
    let server = Server::with(Arc::clone(&log) as _, IngestLimits::default());
    let mut client = server.connect().await;
    client.send(Delivery::push().bytes()).await;
    arrivals.recv().await.unwrap();
    drop(client);
    // The drain ends although the append does not: nobody is left to be answered.
    server.shutdown.cancel();
    assert_eq!(server.done.await.unwrap(), Served { cut_off: 0 });
    log.watcher.release();
    server.ingest.drained().await;
    assert_eq!(log.bounds().await.unwrap().iter().map(|bounds| bounds.end).sum::<u64>(), 1);
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart_and_known_as_a_duplicate() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Arc::new(event_log::EmbeddedLog::open(dir.path(), Default::default()).unwrap());
    let server = Server::with(open(), IngestLimits::default());
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    server.shutdown.cancel();
    server.done.await.unwrap();
    server.ingest.drained().await;
    drop((server.ingest, server.log));

    let server = Server::with(open(), IngestLimits::default());
    assert_eq!(server.status_of(&Delivery::push()).await, 200);
    assert_eq!(server.records_of(ACCOUNT).await.len(), 1);
}
