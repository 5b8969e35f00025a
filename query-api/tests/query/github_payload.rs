//! `GET /githubPayload`: S0's statuses and payload.

use domain::StreamKey;
use http::Request;
use serde_json::json;

use crate::{
    bench::{Bench, impatient, patient},
    forge::{OCTO, just_now},
};

#[tokio::test]
async fn a_user_is_answered_exactly_as_s0_says() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(2, "b"), (1, "A")]).await;
    let reply = bench.get("/githubPayload?user=octo").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(
        reply.json(),
        json!({"user": {
            "githubHandle": "Octo", "githubURL": "https://forge.test/Octo",
            "avatarURL": "https://forge.test/Octo.png", "email": null, "followerCount": 2,
            "repositories": [
                {"name": "A", "url": "https://forge.test/Octo/A", "commitCount": 10, "pullRequestCount": 2},
                {"name": "b", "url": "https://forge.test/Octo/b", "commitCount": 10, "pullRequestCount": 2},
            ],
        }})
    );
    assert_eq!(reply.header("tallyhook-complete"), "true");
    assert_eq!(reply.header("tallyhook-as-of"), just_now().to_string());
    assert_eq!(reply.header("tallyhook-checked-at"), "2026-11-21T10:00:00Z");
    let (partition, offset) = reply.header("tallyhook-position").split_once(':').unwrap();
    assert_eq!(partition, bench_partition(&bench).to_string());
    assert!(offset.parse::<u64>().is_ok());
}

fn bench_partition(bench: &Bench) -> u32 {
    use event_log::EventLog as _;
    bench.log.partition_of(OCTO.stream()).0
}

#[tokio::test]
async fn without_a_user_the_first_tracked_login_is_shown() {
    let mut settings = patient();
    settings.track = vec!["octo".to_owned(), "hubot".to_owned()];
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[]).await;
    let reply = bench.get("/githubPayload").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["user"]["githubHandle"]), (200, &json!("Octo")));
    let reply = bench.get("/githubPayload?other=1").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn without_a_user_and_nothing_tracked_it_is_the_readers_mistake() {
    let bench = Bench::new(patient()).await;
    let detail = bench.get("/githubPayload").await.problem(400, "bad-request");
    assert!(detail.contains("?user=LOGIN"), "{detail}");
}

#[tokio::test]
async fn the_owner_of_the_token_is_shown_only_where_settings_say_so() {
    let mut settings = impatient();
    settings.track = vec!["@me".to_owned()];
    let bench = Bench::new(settings).await;
    bench.get("/githubPayload").await.problem(503, "computing");

    let bench = Bench::new(impatient()).await;
    bench.get("/githubPayload?user=@me").await.problem(404, "not-found");
    assert_eq!(bench.commands_of(StreamKey::Service).await.len(), 1, "only the door was opened");
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let bench = Bench::new(patient()).await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let request = Request::builder().method(method).uri("/githubPayload?user=octo");
        let reply = bench.ask(request.body(axum::body::Body::empty()).unwrap()).await;
        reply.problem(405, "method-not-allowed");
        let mut allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "HEAD", "OPTIONS"], "{method}");
    }
    for path in ["/", "/githubpayload", "/githubPayload/", "/v1", "/v1/accounts", "/v1/accounts/", "/v2/x"] {
        bench.get(path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn texts_that_are_no_logins_are_not_asked_about() {
    let bench = Bench::new(patient()).await;
    let long = "x".repeat(101);
    for login in ["", "a%2Fb", "a%0Ab", "a%00", "a%7Fb", &long] {
        bench.get(&format!("/githubPayload?user={login}")).await.problem(404, "not-found");
        if !login.is_empty() {
            bench.get(&format!("/v1/accounts/{login}")).await.problem(404, "not-found");
        }
    }
    bench.get("/v1/accounts/%FF").await.problem(404, "not-found");
    assert_eq!(bench.commands_of(StreamKey::Service).await.len(), 1, "only the door was opened");
}

#[tokio::test]
async fn the_version_is_told_to_anybody() {
    let mut settings = patient();
    settings.api_token = Some("secret".to_owned().into());
    let bench = Bench::new(settings).await;
    let reply = bench.get("/version").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"name": "tallyhook", "version": env!("CARGO_PKG_VERSION")}));
}
