//! A broker that stops, comes back, or does not answer.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use event_log::{
    AppendError, Appended, EventLog, Position, Record,
    kafka::{KafkaLog, KafkaLogSettings, OpenError, RECORD_BYTES_MAX},
};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    follow::{PATIENCE, join_alone, take},
    sample::{append, read_all, record},
    server,
};

/// How many tasks append at once, each to a stream of its own.
const APPENDERS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acked_is_lost_or_reordered_when_the_broker_is_killed_under_load() {
    if server::is_missing() {
        return;
    }
    let broker = server::killable().await;
    let log = Arc::new(server::open(&server::made(&broker.addresses(), "").await).await);
    let (acks, mut acked) = watch::channel(0_u64);
    let stop = watch::Sender::new(false);
    let mut appenders = JoinSet::new();
    for account in 1..=APPENDERS {
        let (log, acks, stop) = (Arc::clone(&log), acks.clone(), stop.subscribe());
        appenders.spawn(async move {
            let mut acked = Vec::new();
            while !*stop.borrow() {
                let record = record(account, acked.len() as u64);
                acked.push((append(&*log, record.clone()).await, record));
                acks.send_modify(|count| *count += 1);
            }
            acked
        });
    }
    // A member follows meanwhile, and gets everything too.
    let (mut member, _) = join_alone(&*log, "group").await;
    for round in 1..=2 {
        acked.wait_for(|count| *count >= round * 500).await.unwrap();
        broker.kill();
        broker.restart();
    }
    let seen = *acked.borrow();
    acked.wait_for(|count| *count >= seen + 500).await.unwrap();
    stop.send_replace(true);
    let acked: Vec<(Position, Record)> = appenders.join_all().await.into_iter().flatten().collect();

    let all: Vec<(Position, Record)> = read_all(&*log).await;
    let found: HashMap<Position, &Record> =
        all.iter().map(|(position, record)| (*position, record)).collect();
    for (position, record) in &acked {
        assert_eq!(found.get(position), Some(&record), "acknowledged at {position}");
    }
    let mut newest = HashMap::new();
    for (position, record) in &all {
        let number: u64 = record.id.parse().unwrap();
        let before = newest.insert(record.stream, number).unwrap_or(0);
        assert!(before <= number && number <= before + 1, "{number} follows {before} at {position}");
    }
    let delivered = take(&mut *member, all.len()).await;
    let delivered: HashMap<Position, Record> = delivered.into_iter().collect();
    assert_eq!(delivered.len(), all.len(), "a record was delivered twice");
    assert!(all.iter().all(|(position, record)| delivered.get(position) == Some(record)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_drains_when_the_broker_answers_again() {
    if server::is_missing() {
        return;
    }
    const BODY_BYTES: usize = 100_000;
    let broker = server::killable().await;
    let address = server::made(&broker.addresses(), "").await;
    let settings = KafkaLogSettings { waiting_bytes_max: 1 << 20, ..KafkaLogSettings::default() };
    let log = Arc::new(server::open_with(&address, settings).await);
    let large = |number| Record { body: Bytes::from(vec![b'x'; BODY_BYTES]), ..record(1, number) };
    broker.pause();
    let mut appends = JoinSet::new();
    for number in 0..20 {
        let (log, record) = (Arc::clone(&log), large(number));
        appends.spawn(async move { log.append(vec![record]).await });
    }
    // Exactly so many fit: the others are refused while nobody answers.
    let fitting = (1 << 20) / (BODY_BYTES + 128);
    for _ in fitting..20 {
        let refused = tokio::time::timeout(PATIENCE, appends.join_next()).await.expect("nothing was refused");
        assert!(matches!(refused, Some(Ok(Err(AppendError::Full)))), "{refused:?}");
    }
    broker.resume();
    for _ in 0..fitting {
        let written = tokio::time::timeout(PATIENCE, appends.join_next()).await.expect("it does not drain");
        assert!(matches!(written, Some(Ok(Ok(Appended::New(_))))), "{written:?}");
    }
    assert_eq!(read_all(&*log).await.len(), fitting);
    log.append(vec![large(99)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_counts_also_when_its_sender_has_gone() {
    if server::is_missing() {
        return;
    }
    let broker = server::killable().await;
    let address = server::made(&broker.addresses(), "").await;
    let settings = KafkaLogSettings { waiting_bytes_max: 1 << 20, ..KafkaLogSettings::default() };
    let log = server::open_with(&address, settings).await;
    let large = Record { body: Bytes::from(vec![b'x'; 600_000]), ..record(1, 0) };
    broker.pause();
    let impatient = tokio::time::timeout(Duration::from_millis(50), log.append(vec![large.clone()])).await;
    assert!(impatient.is_err(), "a paused broker answered: {impatient:?}");
    let second = log.append(vec![large]).await;
    assert!(matches!(second, Err(AppendError::Full)), "{second:?}");
    broker.resume();
    // Until it is there: closing waits for no longer than its bound.
    let landed = async {
        while read_all(&log).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, landed).await.expect("who went took its record along");
    log.close().await;
    assert_eq!(read_all(&log).await.len(), 1, "it is there once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_will_never_fit_is_refused_before_it_is_sent() {
    if server::is_missing() {
        return;
    }
    let log = server::open(&server::made(&server::shared().await, "").await).await;
    let body = Bytes::from(vec![b'x'; RECORD_BYTES_MAX]);
    let refused = log.append(vec![record(1, 0), Record { body, ..record(1, 1) }]).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { bytes_max: RECORD_BYTES_MAX, .. })), "{refused:?}");
    assert!(read_all(&log).await.is_empty(), "a part of it was appended");
    // A delivery of 20 MiB that concerns three accounts.
    let body = Bytes::from(vec![b'x'; 20 << 20]);
    let records = (1..=3).map(|account| Record { body: body.clone(), ..record(account, 0) }).collect();
    log.append(records).await.unwrap();
    assert_eq!(read_all(&log).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_may_go_while_no_broker_is_there_and_after_an_outage_it_leaves_at_once() {
    if server::is_missing() {
        return;
    }
    let broker = server::killable().await;
    let address = server::made(&broker.addresses(), "?session.timeout.ms=120000").await;
    let log = server::open(&address).await;
    let (member, _) = join_alone(&log, "group").await;
    broker.kill();
    drop(member);
    let closed = tokio::time::timeout(PATIENCE, log.close()).await;
    assert!(closed.is_ok(), "closing hangs without a broker");
    broker.restart();

    let log = server::open(&address).await;
    let (member, _) = join_alone(&log, "another group").await;
    broker.kill();
    broker.restart();
    drop(member);
    // Otherwise its session would have to end first.
    let rejoined = tokio::time::timeout(PATIENCE, join_alone(&log, "another group")).await;
    assert!(rejoined.is_ok(), "the group was not left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_not_there_are_told_within_a_bound() {
    let address = server::unused("127.0.0.1:1", "");
    let opened = tokio::time::timeout(PATIENCE, KafkaLog::open(&address, KafkaLogSettings::default())).await;
    match opened.expect("opening has no bound") {
        Err(OpenError::Unreachable { place, .. }) => assert_eq!(place, address.to_string()),
        other => panic!("{:?}", other.err()),
    }
}
