//! The public routes, one file each.

mod account;
mod account_gists;
mod account_repositories;
mod badge;
mod console;
mod delivery;
mod events;
mod explain;
mod from_git_test;
mod gaps;
mod github_payload;
mod health;
mod health_check;
mod latest_gists;
mod ping;
mod repos;
mod repository;
mod starneighbours;
mod stats;
mod status;
mod users;
mod version;
mod why;

use std::sync::Arc;

use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderValue, StatusCode, Uri, header};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::{
    gate::{Behind, GateLayer},
    protocol::{cors, names, problem::Problem},
    window::{Shared, Window},
};

/// All of them, behind their gates.
pub(crate) fn router(window: &Shared) -> Router {
    let gate = |behind| GateLayer { window: Arc::clone(window), behind };
    let (data, _) = data().split_for_parts();
    let (keyed, _) = keyed().split_for_parts();
    let (anything, _) = anything().split_for_parts();
    let data = data.route_layer(gate(Behind::Data));
    let keyed = keyed.route_layer(gate(Behind::Keyed));
    data.merge(keyed)
        .merge(anything.route_layer(gate(Behind::Anything)))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::no_such_path())
        .with_state(Arc::clone(window))
}

/// What the gate guards, with its description.
pub(crate) fn data() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(read(routes!(github_payload::get)))
        .routes(read(routes!(health_check::get)))
        .routes(read(routes!(from_git_test::get)))
        .routes(read(routes!(repos::get)))
        .routes(read(routes!(stats::get)))
        .routes(read(routes!(users::list)))
        .routes(routes!(users::add))
        .routes(routes!(latest_gists::post))
        .routes(read(routes!(account::get)))
        .routes(read(routes!(account_gists::get)))
        .routes(read(routes!(account_repositories::get)))
        .routes(read(routes!(repository::get)))
        .routes(read(routes!(explain::get)))
        .routes(read(routes!(status::get)))
        .routes(read(routes!(delivery::get)))
        .routes(read(routes!(gaps::list)))
        .routes(read(routes!(gaps::of_account)))
        .routes(read(routes!(gaps::of_webhook)))
        .routes(read(routes!(events::get)))
        .routes(routes!(console::get))
        .routes(routes!(console::gaps))
        .route("/console/style.css", get(console::style))
        .route("/console/live.js", get(console::script))
        .route("/console/why/{login}", get(why::repositories))
        .route("/console/why/{owner}/{name}", get(why::numbers))
        .routes(read(routes!(badge::repository)))
        .routes(read(routes!(badge::account)))
}

/// What needs an API key of its reader, with its description.
pub(crate) fn keyed() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(read(routes!(starneighbours::get)))
}

/// What anybody may know, with its description.
pub(crate) fn anything() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(read(routes!(ping::get)))
        .routes(read(routes!(health::get)))
        .routes(read(routes!(version::get)))
}

/// Routes that other origins may read too.
fn read(routes: UtoipaMethodRouter<Shared>) -> UtoipaMethodRouter<Shared> {
    routes.map(|route| route.options(cors::preflight))
}

/// Sends a reader to the present name of what was asked for, with the same query.
pub(crate) fn moved(window: &Window, path: &str, uri: &Uri) -> Response {
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
