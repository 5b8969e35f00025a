//! `Tallyhook-Complete`: what may be called complete, and until when.

use std::time::Duration;

use domain::{Event, StreamKey};

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

const PATHS: [&str; 4] =
    ["/githubPayload?user=octo", "/v1/accounts/octo", "/v1/repos/octo/a", "/v1/accounts/octo/repos"];
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn says(bench: &Bench) -> String {
    let mut said: Vec<String> = Vec::new();
    for path in PATHS {
        let reply = bench.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        said.push(reply.header("tallyhook-complete").to_owned());
    }
    said.dedup();
    said.join(",")
}

#[tokio::test]
async fn what_was_checked_too_long_ago_is_not_called_complete() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "true");
    bench.pass(48 * HOUR);
    assert_eq!(says(&bench).await, "true", "exactly two sweeps");
    bench.pass(Duration::from_millis(1));
    assert_eq!(says(&bench).await, "false");
    assert_eq!(
        bench.get("/v1/accounts/octo").await.json()["freshness"]["complete"],
        true,
        "the body is as it was"
    );
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "true", "checked again");
}

#[tokio::test]
async fn without_a_sweep_age_says_nothing() {
    let mut settings = patient();
    settings.reconcile = None;
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    bench.pass(10_000 * HOUR);
    assert_eq!(says(&bench).await, "true");
}

#[tokio::test]
async fn what_was_checked_before_the_door_opened_is_not_called_complete() {
    let bench = Bench::behind_a_shut_door(patient(), None).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "false", "it is not known when the door opened");
    bench.pass(Duration::from_secs(1));
    bench.command(StreamKey::Service, vec![Event::DoorOpened]).await;
    assert_eq!(says(&bench).await, "false");
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "true");
    bench.pass(Duration::from_secs(1));
    bench.command(StreamKey::Service, vec![Event::DoorOpened]).await;
    assert_eq!(says(&bench).await, "false", "the door was shut for a while");
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "true");
    bench.pass(Duration::from_secs(1));
    bench.api.door_opens(bench.now());
    assert_eq!(says(&bench).await, "false", "the row will say so in a moment");
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(says(&bench).await, "true");
}
