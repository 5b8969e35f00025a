//! The ops port's answers: is the process alive, is it ready, what does it count. Admin routes are merged to
//! this router by the binary.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::{BoxFuture, FutureExt, join_all};
use http::{StatusCode, header};
use prometheus::{Registry, TextEncoder};
use serde::Serialize;

use crate::problem::problem;

/// How long one check may take before it counts as failed. Probes usually give up after a few seconds.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a check found, as a sentence: `Ok` when the process may be given work.
pub type Verdict = Result<String, String>;

type Check = Box<dyn Fn() -> BoxFuture<'static, Verdict> + Send + Sync>;

/// The checks that say whether the process is ready.
#[derive(Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
}

impl Checks {
    /// No check: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; it is run whenever somebody asks, together with the others, for at most 2 s.
    #[must_use]
    pub fn with<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.checks.push((name, Box::new(move || check().boxed())));
        self
    }

    async fn run(&self) -> Readiness {
        let checks = join_all(self.checks.iter().map(|(name, check)| async {
            let verdict = tokio::time::timeout(CHECK_TIMEOUT, check())
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())));
            let (ok, detail) = match verdict {
                Ok(detail) => (true, detail),
                Err(detail) => (false, detail),
            };
            Checked { name, ok, detail }
        }))
        .await;
        Readiness { ready: checks.iter().all(|check| check.ok), checks }
    }
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// `/healthz`, `/readyz`, `/metrics`; 404 for the rest.
pub fn ops_router(checks: Checks, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready).with_state(Arc::new(checks)))
        .route("/metrics", get(metrics).with_state(registry))
        .fallback(unknown)
}

/// That it answers says it all.
async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(checks): State<Arc<Checks>>) -> (StatusCode, Json<Readiness>) {
    let readiness = checks.run().await;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response()
        }
    }
}

async fn unknown() -> Response {
    let known = "The ops port answers /healthz, /readyz, /metrics and the admin routes.";
    problem(StatusCode::NOT_FOUND, "not-found", known).map(Body::new)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::process_metrics;

    async fn get(router: Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_lists_every_check_and_a_silent_one_counts_as_failed() {
        let checks = || Checks::new().with("log", || async { Ok("reachable".to_owned()) });
        let (status, content_type, body) = get(ops_router(checks(), Registry::new()), "/readyz").await;
        assert_eq!((status, content_type.as_str()), (StatusCode::OK, "application/json"));
        assert_eq!(body, r#"{"ready":true,"checks":[{"name":"log","ok":true,"detail":"reachable"}]}"#);

        let checks = checks()
            .with("store", || async { Err("the disk is full".to_owned()) })
            .with("forge", std::future::pending);
        let (status, _, body) = get(ops_router(checks, Registry::new()), "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            concat!(
                r#"{"ready":false,"checks":[{"name":"log","ok":true,"detail":"reachable"},"#,
                r#"{"name":"store","ok":false,"detail":"the disk is full"},"#,
                r#"{"name":"forge","ok":false,"detail":"no answer within 2 s"}]}"#
            )
        );
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text_with_build_and_process() {
        let registry = Registry::new();
        process_metrics::register(&registry, "1.2.3").unwrap();
        let (status, content_type, body) = get(ops_router(Checks::new(), registry), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
        assert!(body.contains("tallyhook_build_info{version=\"1.2.3\"} 1\n"), "{body}");
        if cfg!(target_os = "linux") {
            assert!(body.contains("process_resident_memory_bytes"), "{body}");
        }
    }

    #[tokio::test]
    async fn what_is_unknown_is_a_problem_and_admin_routes_can_be_merged() {
        let admin = Router::new().route("/admin/accounts", axum::routing::get(|| async { "accounts" }));
        let router = ops_router(Checks::new(), Registry::new()).merge(admin);
        let (status, _, body) = get(router.clone(), "/admin/accounts").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "accounts"));
        let (status, _, _) = get(router.clone(), "/healthz").await;
        assert_eq!(status, StatusCode::OK);
        let (status, content_type, body) = get(router, "/favicon.ico").await;
        assert_eq!((status, content_type.as_str()), (StatusCode::NOT_FOUND, "application/problem+json"));
        assert!(body.contains("\"type\":\"https://tallyhook.dev/errors/not-found\""), "{body}");
    }
}
