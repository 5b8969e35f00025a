//! `track`, `untrack` and `accounts` on the ops port.

use domain::{Event, Forge, StreamKey, event::TrackedBy};
use serde_json::json;
use tokio::join;

use crate::{
    bench::{Bench, patient},
    forge::{HUBOT, OCTO},
};

#[tokio::test]
async fn tracking_wishes_for_every_login_and_keeps_known_accounts_at_once() {
    let bench = Bench::new(patient()).await;
    OCTO.settle_by(&bench, &[(1, "a")], TrackedBy::Read).await;
    bench.command(OCTO.stream(), vec![Event::Untracked]).await;
    let reply = bench.admin_post("/admin/track", json!({"logins": ["Octo", "New-One", "octo", "a/b"]})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"logins": [
            {"login": "Octo", "state": "kept", "account": "github:9"},
            {"login": "New-One", "state": "wanted"},
            {"login": "octo", "state": "kept", "account": "github:9"},
            {"login": "a/b", "state": "not_a_login"},
        ]})
    );
    let wanted = |login: &'static str| Event::LoginWanted {
        forge: Forge::GitHub,
        login: login.into(),
        by: TrackedBy::Person,
    };
    let wishes = bench.commands_of(StreamKey::Service).await;
    assert_eq!(wishes[1..], [wanted("Octo"), wanted("New-One")]);
    assert_eq!(bench.commands_of(OCTO.stream()).await.last(), Some(&Event::Tracked(TrackedBy::Person)));
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
}

#[tokio::test]
async fn untracking_mutes_and_says_what_it_does_not_know() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
    let reply = bench.admin_post("/admin/untrack", json!({"logins": ["OCTO", "nobody"]})).await;
    assert_eq!(
        reply.json(),
        json!({"logins": [
            {"login": "OCTO", "state": "muted", "account": "github:9"},
            {"login": "nobody", "state": "unknown"},
        ]})
    );
    bench.get("/v1/accounts/octo").await.problem(404, "not-tracked");
    let reply = bench.admin_post("/admin/untrack", json!({"logins": []})).await;
    assert_eq!(reply.json(), json!({"logins": []}));
}

#[tokio::test]
async fn an_effect_that_is_not_seen_in_time_may_have_been_had() {
    let mut settings = patient();
    settings.command_wait = std::time::Duration::from_millis(50);
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[]).await;
    bench.hold();
    for (path, body) in [
        ("/admin/track", json!({"logins": ["octo"]})),
        ("/admin/untrack", json!({"logins": ["octo"]})),
        ("/admin/backfill", json!({"login": "octo"})),
    ] {
        let reply = bench.admin_post(path, body).await;
        let detail = reply.problem(503, "unconfirmed");
        assert!(detail.contains("may have been done"), "{detail}");
        assert_eq!(reply.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn an_effect_of_which_word_was_lost_is_seen() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[]).await;
    bench.hints.lose_positions();
    let (reply, ()) = join!(bench.admin_post("/admin/untrack", json!({"logins": ["octo"]})), async {
        bench.until_commands(OCTO.stream(), 1).await;
        bench.settle().await;
        bench.hints.overrun();
    });
    assert_eq!(reply.json()["logins"][0]["state"], "muted");
}

#[tokio::test]
async fn accounts_are_listed_with_how_they_are() {
    let bench = Bench::new(patient()).await;
    HUBOT.settle_by(&bench, &[(1, "a"), (2, "b")], TrackedBy::Delivery).await;
    OCTO.settle(&bench, &[]).await;
    bench.command(OCTO.stream(), vec![Event::Untracked]).await;
    let reply = bench.admin_get("/admin/accounts").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"accounts": [
            {"login": "Octo", "id": "github:9", "state": "muted", "by": null, "since": null, "complete": true,
                "checked_at": "2026-11-21T10:00:00Z", "repositories": 0},
            {"login": "hubot", "id": "github:77", "state": "kept", "by": "delivery",
                "since": "2026-11-21T10:00:00Z", "complete": true, "checked_at": "2026-11-21T10:00:00Z",
                "repositories": 2},
        ]})
    );
    bench.store.go_away(true);
    bench.admin_get("/admin/accounts").await.problem(503, "unavailable");
}
