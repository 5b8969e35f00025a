//! Deliveries by their ids, and readers who wait for one.

use std::time::Duration;

use domain::{Event, StreamKey};
use tokio::join;

use crate::{
    bench::{Bench, impatient, patient},
    forge::{HUBOT, OCTO},
};

const ACCOUNT: &str = "/v1/accounts/octo";

fn stars(id: u64, stars: u64) -> Vec<Event<'static>> {
    let mut repository = OCTO.repository(id, "alpha");
    repository.stars = Some(stars);
    repository.updated_at = Some(domain::Second(crate::bench::start().0 + 10));
    vec![Event::Repository(Box::new(repository))]
}

async fn shown_stars(bench: &Bench, path: &str) -> serde_json::Value {
    let reply = bench.get(path).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["totals"]["stars"].clone()
}

#[tokio::test]
async fn a_delivery_is_told_from_its_receipt_until_it_is_shown() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    let path = "/v1/deliveries/72d3162e-a";
    bench.get(path).await.problem(404, "not-found");
    bench.get(&format!("/v1/deliveries/{:0>129}", 1)).await.problem(404, "not-found");

    bench.hold();
    bench.deliver_as("72d3162e-a", OCTO.stream(), stars(1, 99)).await;
    let accepted = bench.get(path).await;
    assert_eq!(accepted.header("cache-control"), "no-store");
    let accepted = accepted.json()["delivery"].clone();
    assert_eq!((&accepted["id"], &accepted["status"]), (&"72d3162e-a".into(), &"accepted".into()));
    assert_eq!(accepted["accepted_at"], "2026-11-21T10:00:00Z");
    for unknown in ["event", "result", "applied_at", "visible_at"] {
        assert!(accepted[unknown].is_null(), "{accepted}");
    }

    bench.release().await;
    let reply = bench.get(path).await;
    let visible = reply.json()["delivery"].clone();
    assert_eq!((&visible["status"], &visible["result"]), (&"visible".into(), &"projected".into()));
    assert_eq!((&visible["event"], &visible["accepted_at"]), (&"push".into(), &accepted["accepted_at"]));
    assert_eq!(visible["applied_at"], "2026-11-21T10:00:00.002Z");
    assert_eq!(visible["visible_at"], "2026-11-21T10:00:00.003Z");
    assert_eq!(visible["positions"], accepted["positions"]);
    let text = String::from_utf8(reply.body.to_vec()).unwrap().to_lowercase();
    assert!(!text.contains("octo") && !text.contains("alpha"), "{text}");
}

#[tokio::test]
async fn who_waits_for_a_delivery_gets_an_answer_that_shows_it() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    let before = shown_stars(&bench, ACCOUNT).await;
    let waiting = format!("{ACCOUNT}?wait_for=one&timeout=30s");
    // One waits before it arrives, one while it is not folded, one afterwards.
    let (early, ()) = join!(shown_stars(&bench, &waiting), async {
        until_waiting(&bench, 1).await;
        bench.hold();
        bench.deliver_as("one", OCTO.stream(), stars(1, 99)).await;
        assert_eq!(shown_stars(&bench, ACCOUNT).await, before);
        let (late, ()) = join!(shown_stars(&bench, &waiting), async {
            until_waiting(&bench, 2).await;
            bench.release().await;
        });
        assert_eq!(late, 99);
    });
    assert_eq!(early, 99);
    assert_eq!(shown_stars(&bench, &waiting).await, 99);
    // Every path of ours waits: nothing of them is told while it is in vain.
    for path in
        ["/v1/accounts/octo/repos", "/v1/repos/octo/alpha", "/v1/accounts/octo/gists", "/v1/deliveries/one"]
    {
        let reply = bench.get(&format!("{path}?wait_for=none&timeout=1ms")).await;
        let detail = reply.problem(503, "not-visible-yet");
        assert!(detail.contains("1 ms"), "{detail}");
        assert_eq!(reply.header("retry-after"), "1");
    }
    bench.get(&format!("{ACCOUNT}?wait_for=one&timeout=soon")).await.problem(400, "bad-request");
    bench.get(&format!("{ACCOUNT}?wait_for=")).await.problem(400, "bad-request");
}

#[tokio::test]
async fn hints_may_be_lost_and_many_deliveries_come_between() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    bench.deliver_as("first", OCTO.stream(), Vec::new()).await;
    assert_eq!(bench.get("/v1/deliveries/first").await.status, 200, "from now on it is read on");
    bench.hints.lose_positions();
    bench.deliver_as("second", HUBOT.stream(), Vec::new()).await;
    let (reply, ()) = join!(bench.get("/v1/accounts/octo?wait_for=second&timeout=30s"), async {
        until_waiting(&bench, 1).await;
        bench.hints.overrun();
    });
    assert_eq!(reply.status, 200, "whoever missed hints looks at everything again");
}

#[tokio::test]
async fn nobody_waits_for_what_an_older_generation_shows() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    bench.deliver_as("one", OCTO.stream(), stars(1, 99)).await;
    let older = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    bench.api.may_show_older(std::sync::Arc::clone(&older));
    bench.get("/v1/accounts/octo?wait_for=one&timeout=1ms").await.problem(503, "not-visible-yet");
    assert_eq!(bench.get("/v1/deliveries/one").await.json()["delivery"]["status"], "applied");
    older.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(bench.get("/v1/accounts/octo?wait_for=one&timeout=1ms").await.status, 200);
}

async fn until_waiting(bench: &Bench, readers: u32) {
    let seated = async {
        loop {
            let families = bench.registry.gather();
            let family = families.iter().find(|family| family.name() == "tallyhook_query_waiting").unwrap();
            if family.get_metric()[0].get_gauge().get_value() >= f64::from(readers) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seated).await.expect("they wait");
}

/// The service's own stream has deliveries too.
#[tokio::test]
async fn deliveries_without_an_account_are_found() {
    let bench = Bench::new(patient()).await;
    bench.deliver_as("zen", StreamKey::Service, Vec::new()).await;
    assert_eq!(bench.get("/v1/deliveries/zen").await.json()["delivery"]["status"], "visible");
}
