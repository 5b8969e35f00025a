//! `GET /v1/accounts/{login}`.

use domain::{Event, StreamKey};
use serde_json::json;

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

#[tokio::test]
async fn an_account_is_shown_whole() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a"), (2, "b")]).await;
    let reply = bench.get("/v1/accounts/OCTO").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    let payload = reply.json();
    assert_eq!(payload["account"]["login"], "Octo");
    assert_eq!(payload["account"]["id"], 9);
    assert_eq!(payload["totals"]["commits"], 20);
    assert_eq!(payload["totals"]["pull_requests"], json!({"total": 4, "open": 2, "merged": 2, "closed": 0}));
    assert_eq!(payload["freshness"]["complete"], true);
    assert_eq!(reply.header("tallyhook-complete"), "true");
}

#[tokio::test]
async fn an_account_of_which_something_is_open_is_shown_at_once_and_says_so() {
    let bench = Bench::new(patient()).await;
    let mut events = OCTO.listed(domain::event::TrackedBy::Person);
    events.push(Event::Repository(Box::new(OCTO.repository(1, "a"))));
    bench.answer(OCTO.stream(), events).await;
    let reply = bench.get("/v1/accounts/octo").await;
    assert_eq!(reply.status, 200);
    let payload = reply.json();
    assert_eq!(payload["totals"]["commits"], json!(null));
    assert_eq!(payload["freshness"]["complete"], false);
    assert_eq!(reply.header("tallyhook-complete"), "false");
    assert_eq!(reply.header("tallyhook-checked-at"), "", "some of it was never checked");
}

#[tokio::test]
async fn a_change_is_shown_once_it_is_hinted() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let before = bench.get("/v1/accounts/octo").await;
    OCTO.commit(&bench, 1, 11).await;
    let after = bench.get("/v1/accounts/octo").await;
    assert_eq!(
        (&before.json()["totals"]["commits"], &after.json()["totals"]["commits"]),
        (&json!(10), &json!(11))
    );
    assert_ne!(before.header("etag"), after.header("etag"));
    let offset = |position: &str| position.split_once(':').unwrap().1.parse::<u64>().unwrap();
    assert!(offset(after.header("tallyhook-position")) > offset(before.header("tallyhook-position")));
}

#[tokio::test]
async fn muted_accounts_name_the_way_back_and_hidden_ones_are_not_there() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
    bench.command(OCTO.stream(), vec![Event::Untracked]).await;
    for path in
        ["/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a", "/githubPayload?user=octo"]
    {
        let detail = bench.get(path).await.problem(404, "not-tracked");
        assert!(detail.contains("tallyhook track octo"), "{path}: {detail}");
    }
    bench.command(OCTO.stream(), vec![Event::Tracked(domain::event::TrackedBy::Person)]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);

    bench.answer(OCTO.stream(), vec![Event::NoSuchAccount]).await;
    for path in
        ["/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a", "/githubPayload?user=octo"]
    {
        bench.get(path).await.problem(404, "not-found");
    }
    let wishes = bench.commands_of(StreamKey::Service).await;
    assert_eq!(wishes.len(), 1, "nobody wishes for what is known: only the door was opened");
}
