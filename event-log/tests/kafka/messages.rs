//! Messages of others in the topic, and what a person sees of ours.

use event_log::{
    EventLog, Next, Partition, Position,
    kafka::{KafkaAddress, UNREADABLE},
};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
};

use crate::{
    follow::{PATIENCE, join_alone, take},
    sample::{ALL, append, record},
    server,
};

fn client(address: &KafkaAddress) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address.brokers());
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_message_is_delivered_as_what_it_is_and_stops_nothing() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    let log = server::open(&address).await;
    let first = append(&log, record(1, 1)).await;
    let foreign: FutureProducer = client(&address).create().unwrap();
    let message = FutureRecord::to(address.topic())
        .partition(i32::try_from(first.partition.0).unwrap())
        .key("who")
        .payload("{\"not\":\"ours\"}")
        .headers(OwnedHeaders::new().insert(Header { key: "id", value: Some("x") }));
    foreign.send(message, std::time::Duration::from_secs(10)).await.unwrap();
    let third = append(&log, record(1, 3)).await;
    assert_eq!(third.offset, 2);

    let read = log.read(first, ALL).await.unwrap();
    let (mut member, _) = join_alone(&log, "group").await;
    let delivered = take(&mut *member, 3).await;
    assert_eq!(read, delivered);
    assert_eq!(delivered[0], (first, record(1, 1)));
    assert_eq!(delivered[2], (third, record(1, 3)));
    let (position, unreadable) = &delivered[1];
    assert_eq!(*position, Position { offset: 1, ..first });
    assert_eq!(unreadable.kind, UNREADABLE);
    assert_eq!(unreadable.header("reason"), Some("the message's headers are not a record's"));
    assert_eq!(&unreadable.body[..], b"{\"not\":\"ours\"}");
    assert!(unreadable.received_at.0 > 1_700_000_000_000, "when the broker got it is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_of_a_foreign_transaction_hold_up_neither_reading_nor_following() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    let log = server::open(&address).await;
    let mut config = client(&address);
    let foreign: FutureProducer = config.set("transactional.id", address.topic()).create().unwrap();
    let seconds = std::time::Duration::from_secs(30);
    tokio::task::block_in_place(|| foreign.init_transactions(seconds)).unwrap();
    foreign.begin_transaction().unwrap();
    foreign
        .send(FutureRecord::to(address.topic()).partition(0).key("k").payload("p"), seconds)
        .await
        .unwrap();
    tokio::task::block_in_place(|| foreign.commit_transaction(seconds)).unwrap();

    // The mark of a transaction's end takes an offset, a little after its end was confirmed.
    let marked = async { while log.bounds().await.unwrap()[0].end < 2 {} };
    tokio::time::timeout(PATIENCE, marked).await.expect("the transaction has no end");
    let start = Position { partition: Partition(0), offset: 0 };
    assert_eq!(log.read(start, ALL).await.unwrap().len(), 1);
    assert!(log.read(Position { offset: 1, ..start }, ALL).await.unwrap().is_empty());
    let account = (1..).find(|account| log.partition_of(crate::sample::stream(*account)).0 == 0).unwrap();
    append(&log, record(account, 7)).await;
    let (mut member, _) = join_alone(&log, "group").await;
    let delivered = take(&mut *member, 2).await;
    assert_eq!(delivered[1], (Position { offset: 2, ..start }, record(account, 7)));
    member.commit(&[Position { offset: 3, ..start }], event_log::Wait::Durable).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_can_be_read_by_any_tool() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    let log = server::open(&address).await;
    let at = append(&log, record(1, 42)).await;
    let mut config = client(&address);
    let tool: BaseConsumer = config.set("group.id", "tool").create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    let partition = i32::try_from(at.partition.0).unwrap();
    list.add_partition_offset(address.topic(), partition, rdkafka::Offset::Beginning).unwrap();
    tool.assign(&list).unwrap();
    tokio::task::block_in_place(|| {
        let message = tool.poll(std::time::Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(message.payload(), Some(&b"{}"[..]));
        let headers = message.headers().unwrap();
        let id = headers.iter().find(|header| header.key == "id").unwrap();
        assert_eq!(id.value, Some(&b"42"[..]));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_before_a_seek_is_not_delivered_after_it() {
    if server::is_missing() {
        return;
    }
    let log = server::open(&server::made(&server::shared().await, "").await).await;
    let count = 3_000;
    let records = (0..count).map(|number| record(1, number)).collect();
    log.append(records).await.unwrap();
    let partition = log.partition_of(crate::sample::stream(1));
    let (mut member, _) = join_alone(&log, "group").await;
    for round in 0..20 {
        let few = event_log::Limit { records_max: 7, bytes_max: usize::MAX };
        let offset = [0, 2_990, 10][round % 3];
        member.seek(Position { partition, offset }).await.unwrap();
        let Next::Records(records) = member.next(few).await.unwrap() else { panic!("no records") };
        let offsets = records.iter().map(|(position, _)| position.offset);
        assert!(offsets.eq(offset..offset + records.len() as u64), "after a seek to {offset}: {records:?}");
    }
}
