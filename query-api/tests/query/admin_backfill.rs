//! `backfill` on the ops port.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, NeedKey};
use query_api::{ForgeBudget, LimitStanding, Planner};
use serde_json::json;

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

#[tokio::test]
async fn a_backfill_is_wished_for_and_followed_to_its_end() {
    let bench = Bench::new(patient()).await;
    bench.admin_post("/admin/backfill", json!({"login": "octo"})).await.problem(404, "not-tracked");
    bench.admin_get("/admin/backfill/octo").await.problem(404, "not-tracked");
    OCTO.settle(&bench, &[(1, "a")]).await;
    let status = |open: bool, progress: serde_json::Value| {
        json!({"login": "octo", "account": "github:9", "open": open, "progress": progress, "complete": true,
            "checked_at": "2026-11-21T10:00:00Z"})
    };
    assert_eq!(bench.admin_get("/admin/backfill/octo").await.json(), status(false, json!(null)));

    let reply = bench.admin_post("/admin/backfill", json!({"login": "octo"})).await;
    assert_eq!(reply.status, 200);
    let begun = reply.json();
    assert_eq!((&begun["login"], &begun["account"]), (&json!("octo"), &json!("github:9")));
    assert!(begun["position"].as_str().unwrap().contains(':'));
    assert_eq!(bench.commands_of(OCTO.stream()).await, [Event::CheckWanted]);
    assert_eq!(bench.admin_get("/admin/backfill/octo").await.json(), status(true, json!(null)));

    bench.note(OCTO.stream(), "check", r#"{"done":10,"total":40}"#).await;
    let progress = json!({"done": 10, "total": 40});
    assert_eq!(bench.admin_get("/admin/backfill/octo").await.json(), status(true, progress));

    bench.note(OCTO.stream(), "check", "").await;
    bench.answer(OCTO.stream(), vec![Event::Checked { about: NeedKey::Everything }]).await;
    assert_eq!(bench.admin_get("/admin/backfill/octo").await.json(), status(false, json!(null)));
}

struct Plans;

#[async_trait]
impl Planner for Plans {
    async fn plan(&self, login: &str) -> Result<serde_json::Value, String> {
        if login == "octo" { Ok(json!({"login": login, "requests": 12})) } else { Err("no idea".to_owned()) }
    }

    fn budgets(&self) -> Vec<ForgeBudget> {
        let spent = [("load", 3), ("repair", 1)].into();
        let limit = LimitStanding {
            token: 1,
            resource: "graphql",
            limit: 5000,
            remaining: 4996,
            reserved: 1000,
            reset: "2026-11-21T10:00:00Z".to_owned(),
            spent,
        };
        vec![ForgeBudget { forge: "github", tokens: 1, repair_share: 0.2, limits: vec![limit] }]
    }
}

#[tokio::test]
async fn the_status_tells_what_forges_still_allow() {
    let bench = Bench::with_planner(patient(), Arc::new(Plans)).await;
    let reply = bench.get("/v1/status").await;
    let expected = json!({"asks_forges": true, "forges": [{
        "forge": "github", "tokens": 1, "repair_share": 0.2,
        "limits": [{
            "token": 1, "resource": "graphql", "limit": 5000, "remaining": 4996, "reserved": 1000,
            "reset": "2026-11-21T10:00:00Z", "spent": {"load": 3, "repair": 1}
        }]
    }]});
    assert_eq!(reply.json(), expected);
    let console = String::from_utf8(bench.get("/console").await.body.to_vec()).unwrap();
    for part in ["github graphql", ">4996<", ">5000<", ">1000<", "load 3, repair 1", "2026-11-21 10:00:00"] {
        assert!(console.contains(part), "{part}: {console}");
    }
    let silent = Bench::new(patient()).await;
    assert_eq!(silent.get("/v1/status").await.json(), json!({"asks_forges": false, "forges": []}));
}

#[tokio::test]
async fn a_plan_is_the_planners() {
    let bench = Bench::with_planner(patient(), Arc::new(Plans)).await;
    let plan = |login: &'static str| bench.admin_post("/admin/backfill/plan", json!({"login": login}));
    assert_eq!(plan("octo").await.json(), json!({"login": "octo", "requests": 12}));
    assert_eq!(plan("other").await.problem(502, "plan-failed"), "no idea");
    plan("").await.problem(400, "bad-request");

    let bench = Bench::new(patient()).await;
    crate::forge::Account { number: 8, login: "plan" }.settle(&bench, &[]).await;
    assert_eq!(bench.admin_get("/admin/backfill/plan").await.json()["account"], "github:8");
    let reply = bench.admin_post("/admin/backfill/plan", json!({"login": "octo"})).await;
    reply.problem(501, "no-backfill");
}
