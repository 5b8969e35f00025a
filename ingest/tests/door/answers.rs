//! Every row of the contract's table, and the order of its checks.

use std::collections::BTreeMap;

use boot::clock;
use event_log::Record;

use crate::{
    delivery::{Delivery, GUID, PREVIOUS_SECRET, PUSH, SECRET},
    server::{Server, secrets},
};

const ACCOUNT: u64 = 21_031_067;
const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_delivery_is_durable_when_it_is_accepted() {
    let server = Server::start();
    let before = clock::now_ms();
    let delivery = Delivery::push()
        .with("Authorization", "Basic aHVzaA==")
        .with("X-Forwarded-For", "192.0.2.7")
        .with("X-Hub-Signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6");
    let answer = server.deliver(&delivery).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.body, format!(r#"{{"delivery":"{GUID}","status":"accepted"}}"#));

    let [record]: [Record; 1] = server.records_of(ACCOUNT).await.try_into().unwrap();
    assert_eq!((record.id.as_str(), record.kind.as_str()), (GUID, "github.delivery"));
    assert_eq!(record.body, PUSH);
    assert!((before..=clock::now_ms()).contains(&record.received_at.0));
    let headers: BTreeMap<&str, &str> =
        record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        BTreeMap::from([
            ("user-agent", "GitHub-Hookshot/044aadd"),
            ("x-github-delivery", GUID),
            ("x-github-event", "push"),
            ("x-github-hook-id", "292430182"),
            ("x-github-hook-installation-target-id", "186853002"),
            ("x-github-hook-installation-target-type", "repository"),
        ])
    );
    assert_eq!(server.deliveries("push", "accepted"), 1.0);
    assert_eq!(server.metric("tallyhook_delivery_ack_seconds_count"), 1.0);
    assert_eq!(server.metric("tallyhook_log_append_seconds_count"), 1.0);
    assert_eq!(server.bytes_in_flight(), 0.0);
}

#[tokio::test]
async fn the_same_delivery_again_is_a_duplicate() {
    let server = Server::start();
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    // Another path and another secret do not make it another delivery.
    for again in
        [Delivery::push(), Delivery::push().path("/api/github/webhooks").signed_with(PREVIOUS_SECRET)]
    {
        let answer = server.deliver(&again).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, format!(r#"{{"delivery":"{GUID}","status":"duplicate"}}"#));
    }
    assert_eq!(server.record_count().await, 1);
    assert_eq!(server.deliveries("push", "duplicate"), 2.0);
}

#[tokio::test]
async fn the_same_guid_from_another_hook_or_with_other_bytes_is_another_delivery() {
    let server = Server::start();
    let others = [
        Delivery::push(),
        Delivery::push().with("X-GitHub-Hook-ID", "1"),
        Delivery::push().without("X-GitHub-Hook-ID"),
        Delivery::of("push", format!("{PUSH} ")),
        Delivery::push().guid("another"),
    ];
    for delivery in &others {
        assert_eq!(server.status_of(delivery).await, 202, "{delivery:?}");
    }
    assert_eq!(server.records_of(ACCOUNT).await.len(), others.len());
}

#[tokio::test]
async fn of_several_copies_at_once_exactly_one_is_accepted() {
    let server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(server.connect().await);
    }
    let copy = Delivery::push().bytes();
    for client in &mut clients {
        client.send(&copy).await;
    }
    let mut statuses = Vec::new();
    for client in &mut clients {
        statuses.push(client.answer().await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 15], vec![202]].concat());
    assert_eq!(server.record_count().await, 1);
}

#[tokio::test]
async fn a_ping_is_answered_and_not_kept() {
    let server = Server::start();
    let answer = server.deliver(&Delivery::of("ping", r#"{"zen":"Design for failure.","hook_id":1}"#)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, format!(r#"{{"delivery":"{GUID}","status":"pong"}}"#));
    assert_eq!(server.status_of(&Delivery::of("ping", "zen")).await, 400);
    assert_eq!(server.status_of(&Delivery::of("ping", "{}").badly_signed()).await, 401);
    assert_eq!(server.record_count().await, 0);
    assert_eq!((server.deliveries("ping", "pong"), server.deliveries("ping", "refused")), (1.0, 2.0));
}

#[tokio::test]
async fn headers_that_are_missing_or_ill_formed_are_named() {
    let server = Server::start();
    let cases = [
        (Delivery::push().without("X-GitHub-Event"), "x-github-event"),
        (Delivery::push().with("X-GitHub-Event", "Push"), "x-github-event"),
        (Delivery::push().with("X-GitHub-Event", &"a".repeat(101)), "x-github-event"),
        (Delivery::push().adding("X-GitHub-Event", "star"), "x-github-event"),
        (Delivery::push().without("X-GitHub-Delivery"), "x-github-delivery"),
        (Delivery::push().guid("two words"), "x-github-delivery"),
        (Delivery::push().guid(&"a".repeat(129)), "x-github-delivery"),
    ];
    for (delivery, header) in cases {
        let answer = server.deliver(&delivery).await;
        assert_eq!(answer.status, 400, "{delivery:?}");
        assert!(answer.body.contains(header), "{}", answer.body);
        assert!(answer.body.starts_with(r#"{"status":"refused","message":""#), "{}", answer.body);
    }
    assert_eq!(server.record_count().await, 0);
}

#[tokio::test]
async fn delivery_ids_need_be_no_guids_and_are_quoted_rightly() {
    let server = Server::start();
    let answer = server.deliver(&Delivery::push().guid(r#"a"b\c"#)).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"delivery":"a\"b\\c","status":"accepted"}"#));
    assert_eq!(server.status_of(&Delivery::push().guid(&"~".repeat(128))).await, 202);
}

#[tokio::test]
async fn every_way_to_be_unsigned_is_answered_alike() {
    let server = Server::start();
    let good = Delivery::push();
    let digest = good.header("X-Hub-Signature-256").to_owned();
    let signed = |value: &str| Delivery::push().with("X-Hub-Signature-256", value);
    let unsigned = [
        good.clone().without("X-Hub-Signature-256"),
        good.clone().without("X-Hub-Signature-256").with("X-Hub-Signature", "sha1=7d38cdd689735b008b3c7"),
        signed(""),
        signed("sha256="),
        signed(&digest.to_uppercase()),
        signed(&digest.replace("sha256", "SHA256")),
        signed(&digest[..digest.len() - 1]),
        signed(&format!("{digest}0")),
        signed(&digest.replace("sha256=", "sha1=")),
        good.clone().adding("X-Hub-Signature-256", &digest),
        good.clone().badly_signed(),
        good.clone().signed_with(""),
    ];
    let mut bodies = Vec::new();
    for delivery in &unsigned {
        let answer = server.deliver(delivery).await;
        assert_eq!(answer.status, 401, "{delivery:?}");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].contains("secret"), "{}", bodies[0]);
    assert_eq!(server.record_count().await, 0);
    assert_eq!(server.metric("tallyhook_signatures_total{secret=\"none\"}"), 12.0);
    assert_eq!(server.deliveries("push", "refused"), 12.0);
}

#[tokio::test]
async fn a_missing_signature_is_answered_before_the_body_comes() {
    let server = Server::start();
    let mut client = server.connect().await;
    client.send(Delivery::push().without("X-Hub-Signature-256").head(1000)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));

    let mut asking = server.connect().await;
    let unsigned = Delivery::push().without("X-Hub-Signature-256").with("Expect", "100-continue");
    asking.send(unsigned.head(1000)).await;
    assert_eq!(asking.answer().await.status, 401);
    let mut asking = server.connect().await;
    let signed = Delivery::push().with("Expect", "100-continue");
    asking.send(signed.head(PUSH.len())).await;
    assert_eq!(asking.answer().await.status, 100);
    asking.send(PUSH).await;
    assert_eq!(asking.answer().await.status, 202);
}

#[tokio::test]
async fn the_official_vector_fits() {
    let server = Server::start();
    let vector = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let delivery = Delivery::of("push", "Hello, World!");
    assert_eq!(delivery.header("X-Hub-Signature-256"), vector);
    // It is signed rightly, and only then found to be no JSON.
    let answer = server.deliver(&delivery).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("The signature fits"), "{}", answer.body);
    assert_eq!(server.metric("tallyhook_signatures_total{secret=\"current\"}"), 1.0);
}

#[tokio::test]
async fn secrets_are_rotated_without_a_pause() {
    let server = Server::start();
    assert_eq!(server.status_of(&Delivery::push().guid("1").signed_with(SECRET)).await, 202);
    assert_eq!(server.status_of(&Delivery::push().guid("2").signed_with(PREVIOUS_SECRET)).await, 202);
    assert_eq!(server.metric("tallyhook_signatures_total{secret=\"current\"}"), 1.0);
    assert_eq!(server.metric("tallyhook_signatures_total{secret=\"previous\"}"), 1.0);

    server.secrets.replace(secrets(&[("current", "brand new"), ("previous", SECRET), ("octo-org", "third")]));
    for (guid, secret, status) in
        [("3", "brand new", 202), ("4", SECRET, 202), ("5", "third", 202), ("6", PREVIOUS_SECRET, 401)]
    {
        assert_eq!(server.status_of(&Delivery::push().guid(guid).signed_with(secret)).await, status);
    }
    assert_eq!(server.metric("tallyhook_signatures_total{secret=\"octo-org\"}"), 1.0);
}

#[tokio::test]
async fn other_methods_are_told_which_one_to_use() {
    let server = Server::start();
    for path in ["/webhooks/github", "/api/github/webhooks"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "SPROING"] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            let mut client = server.connect().await;
            client.send(head).await;
            let answer = if method == "HEAD" { client.head().await } else { client.answer().await };
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        }
        assert_eq!(server.status_of(&Delivery::push().path(path).guid(path)).await, 202);
    }
    assert_eq!(server.status_of(&Delivery::push().path("/webhooks/gitlab")).await, 404);
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let server = Server::start();
    let cases = [
        Delivery::push().without("Content-Type"),
        Delivery::push().with("Content-Type", ""),
        Delivery::push().with("Content-Type", "text/plain"),
        Delivery::push().with("Content-Type", "multipart/form-data; boundary=x"),
        Delivery::push().adding("Content-Type", "application/json"),
    ];
    for delivery in cases {
        let answer = server.deliver(&delivery).await;
        assert_eq!(answer.status, 415, "{delivery:?}");
        assert!(answer.body.contains("application/json"), "{}", answer.body);
    }
    let with_charset = Delivery::push().with("Content-Type", "application/json; charset=utf-8");
    assert_eq!(server.status_of(&with_charset).await, 202);
}

#[tokio::test]
async fn a_signed_body_that_is_no_delivery_is_refused() {
    let server = Server::start();
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "Hello", "[]", "null", "{\"a\":}", "{}{}", "payload=%7B%7D", deep.as_str()] {
        let answer = server.deliver(&Delivery::of("push", body)).await;
        assert_eq!(answer.status, 400, "{body:.40}");
        assert!(answer.body.contains("The signature fits"), "{}", answer.body);
    }
    let not_utf8 = Delivery::of("push", b"{\"a\":\"\xff\"}".as_slice());
    assert_eq!(server.status_of(&not_utf8).await, 400);
    assert_eq!(server.record_count().await, 0);
}

#[tokio::test]
async fn events_that_nobody_knows_yet_are_kept() {
    let server = Server::start();
    assert_eq!(server.status_of(&Delivery::of("not_yet_invented", PUSH)).await, 202);
    assert_eq!(server.records_of(ACCOUNT).await[0].header("x-github-event"), Some("not_yet_invented"));
    assert_eq!(server.deliveries("other", "accepted"), 1.0);
}

#[tokio::test]
async fn the_secret_itself_is_dropped_and_counted() {
    let server = Server::start();
    let leaking = Delivery::push().with("X-GitHub-Encoded-Secret", "SXQncyBhIFNlY3JldA==");
    assert_eq!(server.status_of(&leaking.clone().badly_signed()).await, 401);
    assert_eq!(server.metric("tallyhook_encoded_secrets_total"), 0.0);
    assert_eq!(server.status_of(&leaking).await, 202);
    assert_eq!(server.metric("tallyhook_encoded_secrets_total"), 1.0);
    let record = server.records_of(ACCOUNT).await.remove(0);
    assert!(record.headers.iter().all(|(name, value)| !name.contains("secret") && !value.contains("SXQ")));
}

/// Of two things that are wrong, the one that is checked first is told.
#[tokio::test]
async fn checks_come_in_the_contracts_order() {
    let server = Server::start();
    assert_eq!(server.status_of(&Delivery::push()).await, 202);
    let no_json = |event| Delivery::of(event, "no json");
    let head_only = |delivery: Delivery, length: usize| delivery.head(length).into_bytes();
    let cases = [
        ("method, headers", Delivery::push().method("PUT").without("X-GitHub-Event").bytes(), 405),
        ("path, method", Delivery::push().method("PUT").path("/webhooks").bytes(), 404),
        (
            "event, content type",
            Delivery::push().without("X-GitHub-Event").without("Content-Type").bytes(),
            400,
        ),
        ("delivery, signature", Delivery::push().guid("a b").without("X-Hub-Signature-256").bytes(), 400),
        ("event, size", head_only(Delivery::push().with("X-GitHub-Event", "-"), 26 * MIB), 400),
        (
            "content type, signature",
            Delivery::push().with("Content-Type", "text/plain").badly_signed().bytes(),
            415,
        ),
        ("content type, size", head_only(Delivery::push().with("Content-Type", "text/plain"), 26 * MIB), 415),
        (
            "size, signature missing",
            head_only(Delivery::push().without("X-Hub-Signature-256"), 26 * MIB),
            413,
        ),
        ("size, signature wrong", head_only(Delivery::push().badly_signed(), 25 * MIB + 1), 413),
        ("signature, JSON", no_json("push").badly_signed().bytes(), 401),
        ("signature, ping", Delivery::of("ping", "{}").badly_signed().bytes(), 401),
        ("signature, duplicate", Delivery::push().badly_signed().bytes(), 401),
        ("JSON, unknown event", no_json("not_yet_invented").bytes(), 400),
    ];
    for (checks, bytes, status) in cases {
        assert_eq!(server.answer_to(bytes).await.status, status, "{checks}");
    }
    assert_eq!(server.record_count().await, 1);
}
