//! The gap ledger: JSON, pages, and what they may not name.

use domain::{
    Event, RepoId, Second,
    event::{HookReading, HourReading, Touched, TrackedBy},
};
use query_api::QuerySettings;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, patient},
    forge::{Account, HUBOT, OCTO},
};

pub(crate) const HOOK: u64 = 7;
const HOUR_S: i64 = 3_600;

/// What was sent in an hour; what was not held is about these repositories.
pub(crate) fn hour(hour: i64, held: u32, repaired: u32, open: u32, about: &[u64]) -> HourReading {
    let mut touched = Touched::default();
    for repo in about {
        touched.add(Some(RepoId::github(*repo)));
    }
    let sent = held + repaired + open;
    HourReading { hour: Second(hour * HOUR_S), sent, held, repaired, open, is_unseen: false, touched }
}

/// A look at a webhook of an organisation.
pub(crate) async fn look(bench: &Bench, account: Account, hook: u64, hours: Vec<HourReading>) {
    // What was checked in the same moment would be known to be right.
    bench.pass(std::time::Duration::from_secs(1));
    let reading = HookReading { hook, repo: None, looked_ms: bench.now(), hours };
    bench.answer(account.stream(), vec![Event::HookLooked(Box::new(reading))]).await;
}

fn counts(of: &Value) -> [u64; 5] {
    ["sent", "held", "repaired", "swept", "open"].map(|field| of[field].as_u64().unwrap())
}

#[tokio::test]
async fn an_hour_with_a_gap_is_told_and_what_it_touches_is_not_called_complete() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let is_complete = async |path: &str| bench.get(path).await.json()["freshness"]["complete"].clone();
    look(&bench, OCTO, HOOK, vec![hour(5, 10, 0, 0, &[]), hour(6, 4, 1, 2, &[1, 99])]).await;

    let all = bench.get("/v1/gaps").await.json();
    let account = &all["accounts"][0];
    assert_eq!((&account["login"], &account["open_hours"]), (&json!("Octo"), &json!(1)));
    let webhook = &account["webhooks"][0];
    assert_eq!((&webhook["id"], &webhook["kind"]), (&json!(HOOK), &json!("organization")));
    assert_eq!(counts(webhook), [17, 14, 1, 0, 2]);
    assert_eq!(webhook["open_since"], "1970-01-01T06:00:00Z");

    let told = bench.get("/v1/gaps/octo").await.json();
    let hours = told["hours"].as_array().unwrap();
    assert_eq!(hours.iter().map(counts).collect::<Vec<_>>(), [[7, 4, 1, 0, 2], [10, 10, 0, 0, 0]]);
    assert_eq!((&hours[0]["state"], &hours[1]["state"]), (&json!("open"), &json!("whole")));
    let touches = json!({"anything": false, "account": false, "repositories": ["Octo/alpha"]});
    assert_eq!(hours[0]["touches"], touches, "of the other nobody knows whether it may be named");
    assert_eq!(is_complete("/v1/repos/octo/alpha").await, false);
    assert_eq!(is_complete("/v1/repos/octo/bravo").await, true);
    assert_eq!(is_complete("/v1/accounts/octo").await, false);

    look(&bench, OCTO, HOOK, vec![hour(6, 4, 3, 0, &[1, 99])]).await;
    let told = bench.get(&format!("/v1/gaps/octo/{HOOK}")).await.json();
    assert_eq!((counts(&told["hours"][0]), &told["hours"][0]["state"]), ([7, 4, 3, 0, 0], &json!("closed")));
    assert_eq!(is_complete("/v1/repos/octo/alpha").await, true);
    assert_eq!(is_complete("/v1/accounts/octo").await, true);
}

#[tokio::test]
async fn what_is_hidden_is_named_in_no_ledger() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    look(&bench, OCTO, HOOK, vec![hour(6, 4, 0, 2, &[1, 2])]).await;
    OCTO.hide(&bench, 1).await;
    for path in ["/v1/gaps", "/v1/gaps/octo", "/v1/gaps/octo/7", "/console", "/console/gaps/octo"] {
        let reply = bench.get(path).await;
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(reply.status == 200 && !text.contains("alpha"), "{path}: {text}");
    }
    let told = bench.get("/v1/gaps/octo").await.json();
    assert_eq!(told["hours"][0]["touches"]["repositories"], json!(["Octo/bravo"]));
}

#[tokio::test]
async fn ledgers_come_in_pages() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    bench.answer(HUBOT.stream(), HUBOT.listed(TrackedBy::Person)).await;
    for hook in [3, HOOK] {
        look(&bench, OCTO, hook, (0..40).map(|number| hour(number, 1, 0, 0, &[])).collect()).await;
    }
    let logins = |page: &Value| -> Vec<Value> {
        page["accounts"].as_array().unwrap().iter().map(|account| account["login"].clone()).collect()
    };
    let first = bench.get("/v1/gaps?per_page=1").await;
    assert!(first.header("link").contains("/v1/gaps?page=2&per_page=1>; rel=\"next\""), "{first:?}");
    assert_eq!(logins(&first.json()), ["hubot"]);
    assert_eq!(first.json()["accounts"][0]["webhooks"], json!([]), "of it no webhook is known");
    assert_eq!(logins(&bench.get("/v1/gaps?per_page=1&page=2").await.json()), ["Octo"]);

    let second = bench.get("/v1/gaps/octo?page=2&per_page=50").await;
    assert!(second.header("link").contains("/v1/gaps/Octo?page=1&per_page=50>; rel=\"prev\""), "{second:?}");
    let told = second.json();
    let hours = told["hours"].as_array().unwrap();
    assert_eq!((hours.len(), &hours[0]["hour"]), (30, &json!("1970-01-01T14:00:00Z")));
    let one = bench.get(&format!("/v1/gaps/octo/{HOOK}?per_page=100")).await.json();
    assert_eq!(
        (one["hours"].as_array().unwrap().len(), one["account"]["webhooks"][0]["id"].clone()),
        (40, json!(HOOK))
    );
    bench.get("/v1/gaps/octo/8").await.problem(404, "not-found");
    bench.get("/v1/gaps/octo/seven").await.problem(404, "not-found");
    bench.get("/v1/gaps?page=0").await.problem(400, "bad-request");
    assert_eq!(bench.get("/v1/gaps/OCTO").await.status, 200);
}

#[tokio::test]
async fn people_read_the_ledger_on_the_console_and_on_a_page_of_its_own() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    let text = async |path: &str| String::from_utf8(bench.get(path).await.body.to_vec()).unwrap();
    assert!(text("/console").await.contains("shows our token no webhook"));
    let unseen = HourReading { is_unseen: true, touched: Touched::anything(), ..hour(3, 0, 0, 0, &[]) };
    look(&bench, OCTO, HOOK, vec![unseen, hour(6, 4, 0, 2, &[1])]).await;
    let console = text("/console").await;
    assert!(console.contains("1 known, 1 with gaps") && console.contains("2 hours open"), "{console}");
    assert!(console.contains("href=\"/console/gaps/Octo\""), "{console}");
    let page = text("/console/gaps/octo").await;
    for part in
        ["anything of the account", "open, not all seen", "/v1/repos/Octo/alpha", "1970-01-01 06:00:00"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("style="), "{page}");
    let policy = bench.get("/console/gaps/octo").await;
    assert!(policy.header("content-security-policy").contains("default-src 'none'"));
}

#[tokio::test]
async fn who_asks_no_forge_says_that_the_budget_is_unknown_here() {
    let bench = Bench::new(QuerySettings { ..patient() }).await;
    let status = bench.get("/v1/status").await.json();
    assert_eq!((status["asks_forges"].clone(), status["forges"].clone()), (json!(false), json!([])));
    let console = String::from_utf8(bench.get("/console").await.body.to_vec()).unwrap();
    assert!(console.contains("Unknown here: this process asks no forge"), "{console}");
}
