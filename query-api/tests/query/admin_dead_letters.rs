//! `dead-letters` on the ops port.

use domain::{Event, StreamKey, event::TrackedBy};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, patient},
    forge::{OCTO, commits_of},
};

async fn ids(bench: &Bench) -> Vec<String> {
    let list = bench.admin_get("/admin/dead-letters").await.json();
    let letters = list["dead_letters"].as_array().unwrap();
    letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn dead_letters_are_listed_and_shown_with_their_body() {
    let bench = Bench::new(patient()).await;
    assert_eq!(bench.admin_get("/admin/dead-letters").await.json(), json!({"dead_letters": []}));
    let one = bench.poison(OCTO.stream(), vec![Event::Tracked(TrackedBy::Delivery)]).await;
    let other = bench.poison(StreamKey::Service, vec![]).await;
    let mut expected = [one, other];
    expected.sort();
    let expected = expected.map(|position| position.to_string());
    assert_eq!(ids(&bench).await, expected);

    let reply = bench.admin_get(&format!("/admin/dead-letters/{one}")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({
            "id": one.to_string(), "record_id": "a-guid", "kind": "test.poison", "stream": "github:9",
            "received_at": "2026-11-21T10:00:00Z", "reason": "it is poison",
            "record": {"headers": {"x-github-event": "push"}, "body": {"events": [{"tracked": "delivery"}]}},
        })
    );
    for unknown in ["0:999", "x", "1:2:3"] {
        bench.admin_get(&format!("/admin/dead-letters/{unknown}")).await.problem(404, "not-found");
    }
}

fn outcomes(reply: &Value) -> Vec<(&str, &str)> {
    let outcomes = reply["dead_letters"].as_array().unwrap().iter();
    outcomes.map(|ended| (ended["id"].as_str().unwrap(), ended["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_retried_record_is_folded_once_its_cause_is_mended() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let position = bench.poison(OCTO.stream(), vec![Event::Tracked(TrackedBy::Delivery)]).await.to_string();

    let reply = bench.admin_post("/admin/dead-letters/retry", json!({"ids": [position, "9:9"]})).await.json();
    assert_eq!(outcomes(&reply), [(position.as_str(), "dead_again"), ("9:9", "unknown")]);
    assert_eq!(reply["dead_letters"][0]["reason"], "it is poison");
    let again = reply["dead_letters"][0]["now"].as_str().unwrap().to_owned();
    assert_eq!(ids(&bench).await, [again.as_str()], "the old one is ended, the new one waits");

    bench.mend();
    let reply = bench.admin_post("/admin/dead-letters/retry", json!({"ids": [again, again]})).await.json();
    assert_eq!(outcomes(&reply), [(again.as_str(), "retried"), (again.as_str(), "unknown")]);
    assert!(ids(&bench).await.is_empty());
    bench.admin_get(&format!("/admin/dead-letters/{again}")).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_a_retried_record_says_is_shown() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let hidden = Event::RepositoryHidden {
        repo: domain::RepoId::github(1),
        at: crate::bench::start(),
        why: domain::event::HiddenWhy::Deleted,
    };
    let position = bench.poison(OCTO.stream(), vec![hidden]).await.to_string();
    assert_eq!(bench.get("/v1/repos/octo/a").await.status, 200);
    bench.mend();
    let reply = bench.admin_post("/admin/dead-letters/retry", json!({"ids": [position]})).await.json();
    assert_eq!(outcomes(&reply), [(position.as_str(), "retried")]);
    bench.get("/v1/repos/octo/a").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_dropped_record_is_given_up_and_stays_in_the_log() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let one = bench.poison(OCTO.stream(), vec![commits_of(1, 99)]).await.to_string();
    let other = bench.poison(StreamKey::Service, vec![]).await.to_string();
    let reply = bench.admin_post("/admin/dead-letters/drop", json!({"ids": [one, "7:7", other]})).await;
    assert_eq!(
        outcomes(&reply.json()),
        [(one.as_str(), "dropped"), ("7:7", "unknown"), (other.as_str(), "dropped")]
    );
    assert!(ids(&bench).await.is_empty());
    assert_eq!(bench.get("/v1/repos/octo/a").await.json()["counts"]["commits"], 10);
    let reply = bench.admin_post("/admin/dead-letters/drop", json!({"ids": [one]})).await;
    assert_eq!(outcomes(&reply.json()), [(one.as_str(), "unknown")]);
}
