//! Which web pages may read answers.

use axum::body::Body;
use http::Request;
use query_api::CorsOrigins;

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

const PATH: &str = "/v1/accounts/octo";

async fn open_to(origins: CorsOrigins) -> Bench {
    let mut settings = patient();
    settings.cors_origins = origins;
    settings.api_token = None;
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[]).await;
    bench
}

#[tokio::test]
async fn by_default_every_page_may_read_every_answer_and_our_headers() {
    let bench = open_to(CorsOrigins::Any).await;
    for path in [
        PATH,
        "/githubPayload?user=octo",
        "/version",
        "/v1/repos/octo/none",
        "/v1/accounts/octo/repos?page=0",
    ] {
        let reply = bench.get_with(path, &[("origin", "https://page.example")]).await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        let exposed = reply.header("access-control-expose-headers").to_lowercase();
        for name in [
            "etag",
            "link",
            "retry-after",
            "tallyhook-as-of",
            "tallyhook-checked-at",
            "tallyhook-complete",
            "tallyhook-position",
        ] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
        }
    }
    assert_eq!(bench.get(PATH).await.header("vary"), "Accept-Encoding");
}

#[tokio::test]
async fn a_preflight_for_get_is_answered_without_a_token() {
    let mut settings = patient();
    settings.api_token = Some("right".to_owned().into());
    let bench = Bench::new(settings).await;
    for path in [PATH, "/githubPayload", "/version", "/v1/repos/octo/a"] {
        let request = Request::options(path)
            .header("origin", "https://page.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        let reply = bench.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert!(reply.header("access-control-allow-methods").contains("GET"));
        assert!(!reply.header("access-control-allow-methods").contains("POST"));
        assert!(reply.header("access-control-allow-headers").to_lowercase().contains("authorization"));
    }
}

#[tokio::test]
async fn listed_origins_are_named_back_and_others_are_not() {
    let bench = open_to(CorsOrigins::Only(vec!["https://page.example".to_owned()])).await;
    let reply = bench.get_with(PATH, &[("origin", "https://page.example")]).await;
    assert_eq!(reply.header("access-control-allow-origin"), "https://page.example");
    for other in ["https://page.example.evil.example", "http://page.example", "null"] {
        let reply = bench.get_with(PATH, &[("origin", other)]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("access-control-allow-origin")),
            (200, ""),
            "{other}"
        );
        let vary: Vec<_> =
            reply.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(vary, ["Accept-Encoding", "Origin"], "a cache keeps the answers apart");
    }
}
