//! Who may use the admin routes, and what they take.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::bench::{Bench, patient, post, with_headers};

const READS: [&str; 3] = ["/admin/accounts", "/admin/dead-letters", "/admin/backfill/octo"];
const WRITES: [&str; 6] = [
    "/admin/track",
    "/admin/untrack",
    "/admin/backfill",
    "/admin/backfill/plan",
    "/admin/dead-letters/retry",
    "/admin/dead-letters/drop",
];

#[tokio::test]
async fn with_a_token_every_route_asks_for_it() {
    let mut settings = patient();
    settings.admin_token = Some("operator".to_owned().into());
    settings.api_token = Some("reader".to_owned().into());
    let bench = Bench::new(settings).await;
    for path in READS {
        bench.admin_get(path).await.problem(401, "unauthorized");
    }
    for path in WRITES {
        let request = with_headers(post(path, &json!({})), &[("authorization", "Bearer reader")]);
        bench.admin_ask(request).await.problem(401, "unauthorized");
    }
    let request = Request::get("/admin/accounts").header(header::AUTHORIZATION, "Bearer operator");
    let reply = bench.admin_ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"accounts": []})));
}

#[tokio::test]
async fn a_form_of_a_web_page_and_other_nonsense_is_refused() {
    let bench = Bench::new(patient()).await;
    for path in WRITES {
        let form = Request::post(path).header(header::CONTENT_TYPE, "text/plain");
        let form = form.body(Body::from(r#"{"logins":["octo"]}"#)).unwrap();
        bench.admin_ask(form).await.problem(415, "unsupported-media-type");
        bench.admin_post(path, json!({"unknown": 1})).await.problem(400, "bad-request");
        bench
            .admin_ask(Request::put(path).body(Body::empty()).unwrap())
            .await
            .problem(405, "method-not-allowed");
        let large = json!({"logins": ["x".repeat(300_000)]});
        bench.admin_post(path, large).await.problem(413, "too-large");
    }
    let many: Vec<String> = (0..1001).map(|number| format!("l{number}")).collect();
    bench.admin_post("/admin/track", json!({"logins": many})).await.problem(400, "bad-request");
    assert_eq!(bench.commands_of(domain::StreamKey::Service).await.len(), 1);
}

#[tokio::test]
async fn the_public_port_has_no_admin_routes() {
    let bench = Bench::new(patient()).await;
    for path in READS {
        bench.get(path).await.problem(404, "not-found");
    }
}
