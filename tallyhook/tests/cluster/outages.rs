//! Servers that are away under load: Kafka for half a minute, then Cassandra; one node of three of each; and a Kafka
//! that is so slow that no room is left for what waits for it.

use std::time::Duration;

use fake_github::NewRepository;
use futures::future::join_all;

use crate::{
    place::Place,
    roles::Loaded,
    support::{
        seconds,
        sender::{Delivery, Sender},
        until,
    },
};

/// Deliveries are refused meanwhile, and senders come back.
const KAFKA_AWAY: Duration = seconds(30);
/// Deliveries are taken in meanwhile, and folded afterwards.
const STORE_AWAY: Duration = seconds(5);
/// Four deliveries of this size may be on their way through the door, and each is kept for two accounts: more than
/// the log lets wait.
const LARGE_BYTES: usize = 20 << 20;
const LARGE: usize = 4;
/// What waited is written within this once Kafka goes on.
const DRAINED_WITHIN: Duration = seconds(90);
/// What who finds no room is told.
const FULL: &str = "More deliveries wait to be made durable than there is room for";
/// On a busy machine one answer may be late.
const ANSWERED_WITHIN: Duration = seconds(30);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_while_servers_are_away() {
    let Some(place) = Place::alone("servers that are away").await else { return };
    let mut loaded = Loaded::start(&place, 2).await;

    loaded.load.more(100).await;
    place.to_kafka(|kafka| kafka.kill(0));
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
    place.to_kafka(|kafka| kafka.restart(0));
    loaded.load.more(100).await;
    loaded.compare_at_rest("after Kafka was away").await;
    assert!(loaded.load.sent().sent_away > 0, "nobody was told to come back");

    place.to_cassandra(|cassandra| cassandra.kill(0));
    let until_back = tokio::time::Instant::now() + STORE_AWAY;
    loaded.load.more(100).await;
    tokio::time::sleep_until(until_back).await;
    place.to_cassandra(|cassandra| cassandra.restart(0));
    loaded.load.more(100).await;
    loaded.end_load("after the store was away").await;
    loaded.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_while_one_node_of_three_is_away() {
    let Some(place) = Place::threefold("one node of three").await else { return };
    let mut loaded = Loaded::start(&place, 2).await;
    loaded.load.more(100).await;
    // The first of each is the one that every process asked first.
    for node in [0, 1] {
        place.to_kafka(|kafka| kafka.kill(node));
        place.to_cassandra(|cassandra| cassandra.kill(node));
        loaded.load.more(100).await;
        loaded.compare_at_rest(&format!("without node {node}")).await;
        place.to_kafka(|kafka| kafka.restart(node));
        place.to_cassandra(|cassandra| cassandra.restart(node));
        loaded.load.more(100).await;
    }
    loaded.end_load("with all three again").await;
    loaded.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_come_back_when_no_more_may_wait_to_be_appended() {
    let Some(place) = Place::alone("a queue that is full").await else { return };
    let mut loaded = Loaded::start(&place, 1).await;
    let large = stars_of_others(&loaded);
    loaded.load.more(50).await;

    place.to_kafka(|kafka| kafka.pause(0));
    let door = loaded.roles.door.api();
    let sender = Sender::new();
    let answers = join_all(large.iter().map(|delivery| sender.send(door, delivery))).await;
    let answers: Vec<(u16, String)> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|(status, _)| *status == 503), "nothing was durable: {answers:?}");
    assert!(answers.iter().any(|(_, said)| said.contains(FULL)), "there was room: {answers:?}");

    place.to_kafka(|kafka| kafka.resume(0));
    for delivery in &large {
        until(DRAINED_WITHIN, "room for a large delivery", async || {
            match sender.send(door, delivery).await {
                Ok((202, _)) => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
    // What waited lands, and who was sent away comes back.
    loaded.load.more(100).await;
    let sent = loaded.end_load("after the queue was full").await;
    assert!(sent.sent_away > 0, "nobody was told to come back");
    loaded.end().await;
}

/// Large deliveries about accounts that nobody watches; each concerns two.
fn stars_of_others(loaded: &Loaded) -> Vec<Delivery> {
    loaded.load.forge.fake.world(|world| {
        let owner = world.create_user("other").unwrap();
        let repo = world.create_repository(owner, NewRepository::public("other")).unwrap();
        for number in 0..LARGE {
            let fan = world.create_user(&format!("others-{number}")).unwrap();
            world.star(repo, fan).unwrap();
        }
        let stars = world.take_events().into_iter().filter(|event| event.event == "star");
        let large = stars.map(|event| {
            let mut delivery = Delivery::of(&event);
            delivery.body.resize(LARGE_BYTES, b' ');
            delivery
        });
        large.collect()
    })
}
