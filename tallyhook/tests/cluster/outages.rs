//! Servers that are away: Kafka for half a minute, then Cassandra, both killed under load.

use std::time::Duration;

use crate::{
    place::{Place, Process},
    support::{
        load::{self, Load, Wrongs},
        seconds,
        truth::until_true,
    },
};

const SENDERS: usize = 16;

/// Deliveries are refused meanwhile, and senders come back.
const KAFKA_AWAY: Duration = seconds(30);
/// Deliveries are taken in meanwhile, and folded afterwards.
const STORE_AWAY: Duration = seconds(5);
/// Clients find a server that is back within seconds; a projector may have lost its session.
const SHOWN_WITHIN: Duration = seconds(60);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_while_servers_are_away() {
    let Some(place) = Place::alone("servers that are away").await else { return };
    let (forge, clock) = load::forge(SENDERS).await;
    let setup = place.setup(&forge);
    place.migrate(&setup).await;
    let door = Process::start(&setup, "ingest").await;
    let projectors = [Process::start(&setup, "projector").await, Process::start(&setup, "projector").await];
    let query = Process::start(&setup, "query-api").await;
    until_true(&forge, &query.reader(), seconds(90)).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(door.api(), SENDERS);
    let mut wrongs = Wrongs::default();

    load.more(100).await;
    let kafka = &place.kafka;
    tokio::task::block_in_place(|| kafka.kill(0)).unwrap();
    let until_back = tokio::time::Instant::now() + KAFKA_AWAY;
    // Who reads is still answered, and nobody is taken out of the balance.
    for repository in load.forge.repositories() {
        query.reader().get(&format!("/v1/repos/{}", repository.full_name)).await.ok();
    }
    for process in [&door, &query] {
        process.ready().await;
    }
    tokio::time::sleep_until(until_back).await;
    tokio::task::block_in_place(|| kafka.restart(0)).unwrap();
    load.more(100).await;
    load.pause();
    load.compare_within(&query.reader(), "after Kafka was away", SHOWN_WITHIN, &mut wrongs).await;
    load.send_to(door.api(), SENDERS);
    let sent_away = load.sent().sent_away;
    assert!(sent_away > 0, "nobody was told to come back");

    let cassandra = &place.cassandra;
    tokio::task::block_in_place(|| cassandra.kill(0)).unwrap();
    let until_back = tokio::time::Instant::now() + STORE_AWAY;
    load.more(100).await;
    tokio::time::sleep_until(until_back).await;
    tokio::task::block_in_place(|| cassandra.restart(0)).unwrap();
    load.more(100).await;
    let sent = load.end(door.api(), senders).await;
    load.compare_within(&query.reader(), "after the store was away", SHOWN_WITHIN, &mut wrongs).await;
    println!("{} deliveries acknowledged, {sent_away} times sent away, {wrongs:?}", sent.acknowledged);
    wrongs.none();
    load.forge.fake.faults().stop();
    until_true(&load.forge, &query.reader(), seconds(90)).await;
    for process in &projectors {
        assert_eq!(process.metric("tallyhook_dead_letters").await, 0.0);
    }
}
