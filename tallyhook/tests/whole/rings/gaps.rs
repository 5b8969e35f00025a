//! The gap ledger: what each webhook sent by the hour, what of it is held, was repaired, and is open; and what is not
//! called complete meanwhile.

use std::collections::BTreeSet;

use fake_github::faults::RequestFault;
use serde_json::{Value, json};

use super::{
    super::support::{forge::Forge, process::Service, reader::Reader, seed, truth::until_true, until},
    DAY_S, HOUR_S, POLL, Scene, WITHIN, metric, until_metric, until_starred,
};

/// The one webhook of the organisation.
async fn webhook(reader: &Reader, login: &str) -> Result<Value, String> {
    let told = reader.get(&format!("/v1/gaps/{login}")).await.ok().json();
    let mut account = told["account"].clone();
    match account["webhooks"].as_array_mut().map(Vec::as_mut_slice) {
        Some([webhook]) => Ok(webhook.take()),
        other => Err(format!("{other:?}")),
    }
}

/// Waits until the sums of an organisation's webhook are these: sent, held, repaired, swept, open.
async fn until_sums(reader: &Reader, login: &str, expected: [u64; 5]) {
    until(WITHIN, "the sums of the ledger", async || {
        let webhook = webhook(reader, login).await?;
        let sums = ["sent", "held", "repaired", "swept", "open"].map(|name| webhook[name].as_u64().unwrap());
        if sums == expected { Ok(()) } else { Err(webhook.to_string()) }
    })
    .await;
}

/// How many things an organisation's webhook was sent for.
fn sent(scene: &Scene, place: usize) -> u64 {
    let deliveries = scene.forge.fake.deliveries().into_iter();
    let of_hook = deliveries.filter(|it| it.hook == scene.hooks[place] && it.event != "ping");
    of_hook.map(|it| it.guid).collect::<BTreeSet<_>>().len() as u64
}

/// What a repository's page lacks.
async fn missing(reader: &Reader, path: &str) -> Value {
    reader.get(path).await.ok().json()["freshness"]["missing"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_loses_is_in_the_ledger_until_it_is_taken_from_the_record() {
    let Some(mut scene) = Scene::new("a ledger", seed(115)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL).with("RECONCILE", "off");
    let service = scene.serve(&setup).await;
    let reader = service.reader();
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let (hall, yard) = (scene.repository("guild", "hall"), scene.repository("guild", "yard"));
    for by in ["grace", "joan"] {
        scene.star(hall, by);
    }
    scene.forge.fake.settle().await;
    let held = sent(&scene, 0);
    // A quiet webhook is told of when an hour or so has gone by.
    scene.clock.advance_ms(HOUR_S * 1000);

    let faults = scene.forge.fake.faults();
    faults.lose_deliveries(true);
    // The record shows that it was sent, and not what; to send it again is of no use.
    faults.hide_payloads(true);
    scene.star(yard, "edith");
    scene.forge.fake.settle().await;
    let all = sent(&scene, 0);
    let lost = all - held;
    assert!(held > 0 && lost > 0, "{held} {lost}");
    until_sums(&reader, "guild", [all, held, 0, 0, lost]).await;
    let told = reader.get("/v1/gaps/guild").await.ok().json();
    let open: Vec<&Value> =
        told["hours"].as_array().unwrap().iter().filter(|hour| hour["state"] == "open").collect();
    assert_eq!(open.len(), 1, "{told}");
    let touches = json!({"anything": false, "account": false, "repositories": ["guild/yard"]});
    assert_eq!((&open[0]["open"], &open[0]["touches"]), (&json!(lost), &touches), "{told}");
    assert_eq!(told["account"]["webhooks"][0]["kind"], "organization");
    let lacks = |repository: &str| json!([{"field": "repository", "repository": repository, "reason": "undelivered"}]);
    assert_eq!(missing(&reader, "/v1/repos/guild/yard").await, lacks("guild/yard"));
    assert_eq!(missing(&reader, "/v1/repos/guild/hall").await, json!([]));
    let whole = json!([{"field": "repositories", "reason": "undelivered"}]);
    assert_eq!(missing(&reader, "/v1/accounts/guild").await, whole);
    assert_eq!(missing(&reader, "/v1/accounts/league").await, json!([]));

    faults.stop();
    // Sent again in vain or not: what is shown now is taken.
    until_sums(&reader, "guild", [all, held, lost, 0, 0]).await;
    until_starred(&scene, &service, yard).await;
    assert_eq!(missing(&reader, "/v1/repos/guild/yard").await, json!([]));
    until_true(&scene.forge, &reader, WITHIN).await;
    assert_eq!(webhook(&reader, "guild").await.unwrap()["open_hours"], 0);
}

/// A record that is away longer than it goes back: hours of which nobody knows.
async fn four_days_away(what: &str, number: u64, reconcile: &str) -> Option<(Scene, Service)> {
    let mut scene = Scene::new(what, seed(number)).await?;
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL).with("RECONCILE", reconcile);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let hall = scene.repository("guild", "hall");
    let faults = scene.forge.fake.faults();
    faults.lose_deliveries(true);
    faults.on_requests("*/deliveries*", RequestFault::ServerError(502), None);
    scene.star(hall, "grace");
    scene.clock.advance_ms(4 * DAY_S * 1000);
    let field = scene.repository("league", "field");
    scene.star(field, "grace");
    faults.stop();
    Some((scene, service))
}

async fn until_unseen(reader: &Reader, is_open: bool) -> Value {
    until(WITHIN, "hours of which nobody knows", async || {
        let webhook = webhook(reader, "guild").await?;
        let unseen = webhook["unseen_hours"].as_u64().unwrap();
        let is_as_expected = unseen > 20 && (webhook["open_hours"].as_u64().unwrap() > 0) == is_open;
        if is_as_expected { Ok(webhook) } else { Err(webhook.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_of_which_nobody_knows_are_open_until_a_sweep_has_asked() {
    let Some((scene, service)) = four_days_away("nobody knows", 116, "off").await else { return };
    let reader = service.reader();
    until_unseen(&reader, true).await;
    let lacks = json!([{"field": "repository", "repository": "guild/gate", "reason": "undelivered"}]);
    assert_eq!(missing(&reader, "/v1/repos/guild/gate").await, lacks, "it may be about anything");
    service.kill().await;
    // After the start everything is swept at once.
    let service = scene.setup().await.with("DELIVERIES_POLL", POLL).serve().await;
    let reader = service.reader();
    until_unseen(&reader, false).await;
    until_true(&scene.forge, &reader, WITHIN).await;
    assert_eq!(missing(&reader, "/v1/repos/guild/gate").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_swept_before_its_time() {
    let Some((scene, service)) = four_days_away("before its time", 117, "24h").await else { return };
    let reader = service.reader();
    until_unseen(&reader, false).await;
    until_true(&scene.forge, &reader, WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_goes_on_counting_where_the_last_one_was() {
    let Some(mut scene) = Scene::new("goes on counting", seed(118)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let hall = scene.repository("guild", "hall");
    scene.star(hall, "grace");
    scene.forge.fake.settle().await;
    let held = sent(&scene, 0);
    scene.forge.fake.faults().lose_deliveries(true);
    scene.star(hall, "joan");
    scene.forge.fake.settle().await;
    let before = sent(&scene, 0);
    until_sums(&service.reader(), "guild", [before, held, before - held, 0, 0]).await;
    service.kill().await;
    scene.star(hall, "edith");
    scene.forge.fake.settle().await;
    scene.forge.fake.faults().stop();
    let all = sent(&scene, 0);
    assert!(held > 0 && before > held && all > before, "{held} {before} {all}");
    let service = setup.serve().await;
    until_sums(&service.reader(), "guild", [all, held, all - held, 0, 0]).await;
    assert_eq!(metric(&service, r#"tallyhook_repaired_deliveries_total{result="lost"}"#).await, 0);
    let forge: &Forge = &scene.forge;
    until_true(forge, &service.reader(), WITHIN).await;
}
