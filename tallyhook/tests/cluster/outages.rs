//! Servers that are away: Kafka for half a minute, then Cassandra, both killed under load.

use std::time::Duration;

use crate::{
    place::Place,
    roles::Loaded,
    support::{seconds, until},
};

/// Deliveries are refused meanwhile, and senders come back.
const KAFKA_AWAY: Duration = seconds(30);
/// Deliveries are taken in meanwhile, and folded afterwards.
const STORE_AWAY: Duration = seconds(5);
/// On a busy machine one answer may be late.
const ANSWERED_WITHIN: Duration = seconds(30);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_while_servers_are_away() {
    let Some(place) = Place::alone("servers that are away").await else { return };
    let mut loaded = Loaded::start(&place, 2).await;

    loaded.load.more(100).await;
    let kafka = &place.kafka;
    tokio::task::block_in_place(|| kafka.kill(0)).unwrap();
    let until_back = tokio::time::Instant::now() + KAFKA_AWAY;
    // Who reads is still answered, and nobody is taken out of the balance.
    let reader = loaded.roles.reader();
    for repository in loaded.load.forge.repositories() {
        let path = format!("/v1/repos/{}", repository.full_name);
        until(ANSWERED_WITHIN, "an answer while Kafka is away", async || {
            let answer = reader.get(&path).await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }
    for process in [&loaded.roles.door, &loaded.roles.query] {
        process.ready().await;
    }
    tokio::time::sleep_until(until_back).await;
    tokio::task::block_in_place(|| kafka.restart(0)).unwrap();
    loaded.load.more(100).await;
    loaded.compare_at_rest("after Kafka was away").await;
    assert!(loaded.load.sent().sent_away > 0, "nobody was told to come back");

    let cassandra = &place.cassandra;
    tokio::task::block_in_place(|| cassandra.kill(0)).unwrap();
    let until_back = tokio::time::Instant::now() + STORE_AWAY;
    loaded.load.more(100).await;
    tokio::time::sleep_until(until_back).await;
    tokio::task::block_in_place(|| cassandra.restart(0)).unwrap();
    loaded.load.more(100).await;
    loaded.end_load("after the store was away").await;
    loaded.end().await;
}
