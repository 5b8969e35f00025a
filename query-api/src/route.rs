//! The public routes, one file each.

mod account;
mod account_repositories;
mod github_payload;
mod ping;
mod repos;
mod repository;
mod stats;
mod version;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{MethodRouter, get},
};
use http::{HeaderValue, StatusCode, Uri, header};

use crate::{
    gate::{Behind, GateLayer},
    protocol::{cors, names, problem::Problem},
    window::{Shared, Window},
};

/// All of them, behind their gates.
pub(crate) fn router(window: &Shared) -> Router {
    let gate = |behind| GateLayer { window: Arc::clone(window), behind };
    let read = |route: MethodRouter<Shared>| route.options(cors::preflight);
    let data = Router::new()
        .route("/githubPayload", read(get(github_payload::get)))
        .route("/repos", read(get(repos::get)))
        .route("/stats", read(get(stats::get)))
        .route("/v1/accounts/{login}", read(get(account::get)))
        .route("/v1/accounts/{login}/repos", read(get(account_repositories::get)))
        .route("/v1/repos/{owner}/{name}", read(get(repository::get)))
        .route_layer(gate(Behind::Data));
    let anything = Router::new()
        .route("/ping", read(get(ping::get)))
        .route("/version", read(get(version::get)))
        .route_layer(gate(Behind::Anything));
    data.merge(anything)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::no_such_path())
        .with_state(Arc::clone(window))
}

/// Sends a reader to the present name of what was asked for, with the same query.
fn moved(window: &Window, path: &str, uri: &Uri) -> Response {
    let with_query = uri.query().and_then(|query| HeaderValue::try_from(format!("{path}?{query}")).ok());
    // A query that no header can hold is left out; a path is percent-encoded.
    let location = with_query.unwrap_or_else(|| HeaderValue::from_str(path).expect("a path is plain ASCII"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    // The old name may be given to another account, so the way is asked for each time.
    headers.insert(header::CACHE_CONTROL, names::cache_control(window.api_token.is_some()));
    response
}
