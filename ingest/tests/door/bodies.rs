//! Bodies of every size and framing.

use boot::http::Limits;
use ingest::IngestLimits;

use crate::{
    delivery::{Delivery, GUID, PUSH, chunked, push_of_size},
    server::{SHORT, Server, memory},
};

const ACCOUNT: u64 = 21_031_067;
const MIB: usize = 1 << 20;
const JSON_BYTES_MAX: usize = 25 * MIB;

#[tokio::test]
async fn the_largest_body_is_kept_byte_for_byte_and_one_byte_more_is_refused() {
    let server = Server::start();
    let largest = Delivery::of("push", push_of_size(JSON_BYTES_MAX));
    assert_eq!(server.status_of(&largest).await, 202);
    assert_eq!(server.records_of(ACCOUNT).await[0].body, largest.body);

    // The sender writes all of it before it listens, and hears the answer all the same.
    let larger = Delivery::of("push", push_of_size(JSON_BYTES_MAX + 1));
    let mut client = server.connect().await;
    client.send(larger.bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(client.is_closed().await);
    assert_eq!(server.record_count().await, 1);
}

#[tokio::test]
async fn a_body_that_declares_too_much_is_refused_before_it_comes() {
    let server = Server::start();
    assert_eq!(server.answer_to(Delivery::push().head(JSON_BYTES_MAX + 1)).await.status, 413);
    assert_eq!(server.answer_to(Delivery::push().head(usize::MAX / 4)).await.status, 413);
    let form = Delivery::form("push", PUSH);
    assert_eq!(server.answer_to(form.head(75 * MIB + 1)).await.status, 413);
}

#[tokio::test]
async fn a_body_without_a_length_is_read_to_the_cap_and_no_further() {
    let server = Server::with_http(
        memory(),
        IngestLimits::default(),
        Limits { linger_timeout: SHORT, linger_bytes_max: MIB, ..Limits::default() },
    );
    let mut client = server.connect().await;
    client.send(Delivery::push().chunked_head()).await;
    let chunk = chunked(&vec![b'x'; MIB]);
    let mut sent = 0;
    while sent < 64 && client.try_send(&chunk).await {
        sent += 1;
    }
    assert!((25..64).contains(&sent), "{sent} MiB were taken");
    assert_eq!(server.deliveries("push", "refused"), 1.0);
    assert_eq!(server.bytes_in_flight(), 0.0);
}

#[tokio::test]
async fn chunks_of_any_size_are_one_body() {
    let server = Server::start();
    for (guid, chunk_bytes) in [("1", 1), ("2", 7), ("3", 1 << 20)] {
        let delivery = Delivery::push().guid(guid);
        assert_eq!(server.answer_to(delivery.chunked_bytes(chunk_bytes)).await.status, 202);
    }
    assert!(server.records_of(ACCOUNT).await.iter().all(|record| record.body == PUSH));
    let tampered =
        String::from_utf8(Delivery::push().chunked_bytes(1 << 20)).unwrap().replace("main", "evil");
    assert_eq!(server.answer_to(tampered).await.status, 401);

    let large = Delivery::of("push", push_of_size(3 * MIB)).guid("4");
    assert_eq!(server.answer_to(large.chunked_bytes(100_000)).await.status, 202);
    assert_eq!(server.records_of(ACCOUNT).await[3].body, large.body);
}

#[tokio::test]
async fn a_form_is_checked_as_sent_and_kept_as_json() {
    let server = Server::start();
    let form = Delivery::form("push", PUSH);
    assert_eq!(server.status_of(&form).await, 202);
    assert_eq!(server.records_of(ACCOUNT).await[0].body, PUSH);
    assert_eq!(server.status_of(&form).await, 200);
    // The signature of the JSON within does not fit the form.
    let json_signed =
        form.clone().with("X-Hub-Signature-256", Delivery::push().header("X-Hub-Signature-256"));
    assert_eq!(server.status_of(&json_signed).await, 401);

    let as_form =
        |body: &str| Delivery::of("push", body).with("Content-Type", "application/x-www-form-urlencoded");
    for body in
        ["", "load=%7B%7D", "payload=%7B%7D&payload=%7B%7D", "payload=%7", "payload=%FF", "payload=nope"]
    {
        let answer = server.deliver(&as_form(body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.contains("The signature fits"), "{}", answer.body);
    }
}

#[tokio::test]
async fn json_in_a_form_counts_against_the_cap_for_json() {
    let server = Server::start();
    let as_form = |json: &str| {
        Delivery::of("push", format!("payload={json}"))
            .with("Content-Type", "application/x-www-form-urlencoded")
    };
    assert_eq!(server.status_of(&as_form(&push_of_size(JSON_BYTES_MAX))).await, 202);
    assert_eq!(server.status_of(&as_form(&push_of_size(JSON_BYTES_MAX + 1))).await, 413);
}

#[tokio::test]
async fn deliveries_sent_at_once_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect().await;
    let pipelined = [
        Delivery::push().guid("1").bytes(),
        Delivery::push().guid("2").badly_signed().bytes(),
        Delivery::push().guid("1").bytes(),
        Delivery::push().guid("3").bytes(),
    ];
    client.send(pipelined.concat()).await;
    for status in [202, 401, 200, 202] {
        assert_eq!(client.answer().await.status, status);
    }
}

#[tokio::test]
async fn smuggling_shapes_are_refused_and_end_the_connection() {
    let server = Server::start();
    let smuggled = Delivery::push().guid("smuggled").bytes();
    let both = Delivery::push().with("Transfer-Encoding", "chunked").head(5);
    let bad_chunk = Delivery::push().chunked_head() + "zz\r\n";
    let two_lengths = Delivery::push().with("Content-Length", "7").head(5);
    for head in [both, bad_chunk, two_lengths] {
        let mut client = server.connect().await;
        client.send([head.as_bytes(), b"0\r\n\r\n", &smuggled].concat()).await;
        assert_eq!(client.answer().await.status, 400, "{head}");
        assert!(client.is_closed().await);
    }
    assert_eq!(server.record_count().await, 0);
}

#[tokio::test]
async fn slow_senders_are_told_and_others_served_meanwhile() {
    let limits = IngestLimits { body_timeout: SHORT, ..IngestLimits::default() };
    let http = Limits { header_timeout: SHORT, linger_timeout: SHORT, ..Limits::default() };
    let server = Server::with_http(memory(), limits, http);
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for number in 0..50 {
        let delivery = Delivery::push().guid(&format!("slow-{number}"));
        let mut head = server.connect().await;
        head.send(&delivery.bytes()[..100]).await;
        heads.push(head);
        let mut body = server.connect().await;
        body.send(&delivery.bytes()[..delivery.bytes().len() - 1]).await;
        bodies.push(body);
    }
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    for client in &mut heads {
        assert!(client.is_closed().await);
    }
    for client in &mut bodies {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert!(client.is_closed().await);
    }
    assert_eq!(server.record_count().await, 1);
    assert_eq!((server.deliveries("push", "refused"), server.bytes_in_flight()), (50.0, 0.0));
    assert_eq!(server.records_of(ACCOUNT).await[0].id, GUID);
}

#[tokio::test]
async fn a_sender_that_goes_away_half_way_leaves_nothing_behind() {
    let server = Server::start();
    let mut client = server.connect().await;
    client.send(&Delivery::push().bytes()[..600]).await;
    drop(client);
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    server.shutdown.cancel();
    server.done.await.unwrap();
    assert_eq!(server.log.bounds().await.unwrap().iter().map(|bounds| bounds.end).sum::<u64>(), 1);
}
