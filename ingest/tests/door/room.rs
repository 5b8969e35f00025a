//! How much is let in at once.

use std::sync::Arc;

use ingest::IngestLimits;

use crate::{
    appends::Held,
    client::Client,
    delivery::{Delivery, chunked, push_of_size},
    server::{Server, memory},
};

const MIB: usize = 1 << 20;

fn limits(bytes_in_flight_max: usize) -> IngestLimits {
    IngestLimits { bytes_in_flight_max, ..IngestLimits::default() }
}

fn large(number: usize) -> Delivery {
    Delivery::of("push", push_of_size(2 * MIB)).guid(&format!("large-{number}"))
}

#[tokio::test]
async fn of_many_large_bodies_some_are_taken_and_ordinary_deliveries_are_served_meanwhile() {
    // Three quarters of it are three large bodies.
    let server = Server::with(memory(), limits(8 * MIB));
    let mut waiting: Vec<(Delivery, Client)> = Vec::new();
    let mut refused = 0;
    for number in 0..64 {
        let delivery = large(number).with("Expect", "100-continue");
        let mut client = server.connect().await;
        // The body is held back: whoever is refused is refused before it comes.
        client.send(delivery.head(delivery.body.len())).await;
        let answer = client.answer().await;
        if answer.status == 100 {
            waiting.push((delivery, client));
        } else {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
            assert!(answer.body.starts_with(r#"{"status":"unavailable""#), "{}", answer.body);
            refused += 1;
        }
    }
    assert_eq!((waiting.len(), refused), (3, 61));
    assert_eq!(server.deliveries("push", "unavailable"), 61.0);
    for number in 0..20 {
        let ordinary = Delivery::push().guid(&format!("ordinary-{number}"));
        assert_eq!(server.status_of(&ordinary).await, 202);
    }
    assert!(server.bytes_in_flight() <= 8.0 * 1024.0 * 1024.0);
    for (delivery, mut client) in waiting {
        client.send(&delivery.body).await;
        assert_eq!(client.answer().await.status, 202);
    }
    assert_eq!(server.bytes_in_flight(), 0.0);
    assert_eq!(server.status_of(&large(64)).await, 202);
}

#[tokio::test]
async fn lengths_that_are_only_declared_take_no_room_from_others() {
    let server = Server::with(memory(), limits(4 * MIB));
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send(Delivery::push().with("Expect", "100-continue").head(MIB)).await;
        assert_eq!(client.answer().await.status, 100);
        slow.push(client);
    }
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    drop(slow);
}

#[tokio::test]
async fn a_body_without_a_length_is_stopped_where_the_room_ends() {
    let server = Server::with(memory(), limits(4 * MIB));
    let mut client = server.connect().await;
    client.send(Delivery::push().chunked_head()).await;
    let chunk = chunked(&vec![b'x'; MIB / 2]);
    // The room for large bodies ends at 3 MiB, and a little is held ahead.
    for _ in 0..6 {
        client.send(&chunk).await;
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(server.bytes_in_flight(), 0.0);
}

#[tokio::test]
async fn requests_are_bounded_whatever_their_size() {
    let (log, mut arrivals) = Held::over(memory());
    let limits = IngestLimits { requests_in_flight_max: 2, ..IngestLimits::default() };
    let server = Server::with(Arc::clone(&log) as _, limits);
    let mut held = Vec::new();
    for guid in ["1", "2"] {
        let mut client = server.connect().await;
        client.send(Delivery::push().guid(guid).bytes()).await;
        arrivals.recv().await.unwrap();
        held.push(client);
    }
    let answer = server.deliver(&Delivery::push().guid("3")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    // Who is not signed hears that first, however busy the door is.
    let unsigned = Delivery::push().without("X-Hub-Signature-256");
    assert_eq!(server.status_of(&unsigned).await, 401);
    log.watcher.release();
    for client in &mut held {
        assert_eq!(client.answer().await.status, 202);
    }
    assert_eq!(server.status_of(&Delivery::push().guid("3")).await, 202);
}

#[tokio::test]
async fn a_body_holds_its_room_until_it_is_durable() {
    let (log, mut arrivals) = Held::over(memory());
    let server = Server::with(Arc::clone(&log) as _, limits(4 * MIB));
    let mut first = server.connect().await;
    first.send(large(1).bytes()).await;
    arrivals.recv().await.unwrap();
    assert_eq!(server.bytes_in_flight(), 2.0 * 1024.0 * 1024.0);
    assert_eq!(server.status_of(&large(2)).await, 503);
    log.watcher.release();
    assert_eq!(first.answer().await.status, 202);
    assert_eq!(server.status_of(&large(2)).await, 202);
}
