//! How many requests each route answered with which status, and how long that took: a tower layer.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Instant,
};

use axum::extract::MatchedPath;
use futures::future::{FutureExt, Join, Map, Ready, join, ready};
use http::{Request, Response, StatusCode};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use tower::{Layer, Service};

use crate::metrics::{self, Collectors};

/// The label of requests that no listed route matched.
pub const OTHER: &str = "other";

/// Statuses below this have their counters at hand; nothing answers with any above.
const STATUSES: usize = 600;

/// Counts requests by route and status, and measures them by route. Use it with [`axum::Router::layer`],
/// after all routes were added: it reads the route that axum matched.
#[derive(Clone)]
pub struct HttpMetrics {
    routes: Arc<Routes>,
}

struct Routes {
    requests: IntCounterVec,
    seconds: HistogramVec,
    by_path: HashMap<&'static str, Route>,
    other: Route,
}

/// A route's metrics, looked up once so that a request only adds.
struct Route {
    label: &'static str,
    seconds: Histogram,
    by_status: Box<[OnceLock<IntCounter>]>,
}

impl HttpMetrics {
    /// Registers `tallyhook_http_requests_total{route,status}` and `tallyhook_http_request_seconds{route}`.
    /// `routes` are the paths as they are written in the routers; others count as `other`.
    ///
    /// # Errors
    /// When metrics of these names are registered already.
    pub fn register(registry: &Registry, routes: &[&'static str]) -> prometheus::Result<Self> {
        let metrics = Self::new(routes)?;
        metrics::register(registry, metrics.collectors())?;
        Ok(metrics)
    }

    /// All of them, to register or to describe.
    pub fn collectors(&self) -> Collectors {
        vec![Box::new(self.routes.requests.clone()), Box::new(self.routes.seconds.clone())]
    }

    /// Makes the metrics.
    ///
    /// # Errors
    /// When one of them is ill-formed.
    pub fn new(routes: &[&'static str]) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new("tallyhook_http_requests_total", "Requests answered, by route and status."),
            &["route", "status"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "tallyhook_http_request_seconds",
                "From a request's headers to its answer's headers, by route.",
            )
            .buckets(vec![
                0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
                2.5, 10.0,
            ]),
            &["route"],
        )?;
        let route = |label: &'static str| Route {
            label,
            seconds: seconds.with_label_values(&[label]),
            by_status: (0..STATUSES).map(|_| OnceLock::new()).collect(),
        };
        let by_path = routes.iter().map(|path| (*path, route(path))).collect();
        let other = route(OTHER);
        Ok(HttpMetrics { routes: Arc::new(Routes { requests, seconds, by_path, other }) })
    }
}

impl Routes {
    fn route(&self, path: Option<&MatchedPath>) -> &Route {
        path.and_then(|path| self.by_path.get(path.as_str())).unwrap_or(&self.other)
    }

    fn count(&self, route: &Route, status: StatusCode) {
        let look_up = || self.requests.with_label_values(&[route.label, status.as_str()]);
        match route.by_status.get(usize::from(status.as_u16())) {
            Some(counter) => counter.get_or_init(look_up).inc(),
            None => look_up().inc(),
        }
    }
}

impl<S> Layer<S> for HttpMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Measured { inner, metrics: self.clone() }
    }
}

/// A service whose requests are counted and measured.
#[derive(Clone)]
pub struct Measured<S> {
    inner: S,
    metrics: HttpMetrics,
}

/// A request that is being answered.
pub struct Begun {
    metrics: HttpMetrics,
    path: Option<MatchedPath>,
    at: Instant,
}

/// The inner future with what must be known at its end carried along. A boxed future would read easier and
/// cost every request an allocation.
type Measuring<F> = Map<Join<Ready<Begun>, F>, fn((Begun, <F as Future>::Output)) -> <F as Future>::Output>;

impl<S, B, R> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Measuring<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let begun = Begun {
            metrics: self.metrics.clone(),
            path: request.extensions().get::<MatchedPath>().cloned(),
            at: Instant::now(),
        };
        join(ready(begun), self.inner.call(request)).map(end)
    }
}

fn end<R, E>((begun, answer): (Begun, Result<Response<R>, E>)) -> Result<Response<R>, E> {
    let routes = &begun.metrics.routes;
    let route = routes.route(begun.path.as_ref());
    route.seconds.observe(begun.at.elapsed().as_secs_f64());
    if let Ok(response) = &answer {
        routes.count(route, response.status());
    }
    answer
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use prometheus::TextEncoder;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn requests_are_counted_by_listed_route_and_status() {
        let registry = Registry::new();
        let metrics = HttpMetrics::register(&registry, &["/v1/accounts/{login}"]).unwrap();
        let router = Router::new()
            .route("/v1/accounts/{login}", get(|| async { "octocat" }))
            .route("/unlisted", get(|| async { StatusCode::IM_A_TEAPOT }))
            .layer(metrics);
        for path in ["/v1/accounts/octocat", "/v1/accounts/hubot", "/unlisted", "/nowhere/at/all"] {
            router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        }
        let post = Request::post("/v1/accounts/octocat").body(Body::empty()).unwrap();
        router.oneshot(post).await.unwrap();

        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let mut counted: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("tallyhook_http_requests_total{"))
            .map(|line| line.strip_prefix("tallyhook_http_requests_total").unwrap())
            .collect();
        counted.sort_unstable();
        assert_eq!(
            counted,
            [
                r#"{route="/v1/accounts/{login}",status="200"} 2"#,
                r#"{route="/v1/accounts/{login}",status="405"} 1"#,
                r#"{route="other",status="404"} 1"#,
                r#"{route="other",status="418"} 1"#,
            ]
        );
        assert!(
            text.contains(r#"tallyhook_http_request_seconds_count{route="/v1/accounts/{login}"} 3"#),
            "{text}"
        );
    }
}
