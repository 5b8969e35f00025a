//! `GET /repos` (S4): the newest public repositories, filtered.

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    latest::Payload,
    protocol::{
        latest_filter::{self, LatestFilters},
        problem::{Members, Problem},
    },
    window::Shared,
};

/// The newest 100 public repositories, filtered.
///
/// All filters that are given must hold. They are polled, not tracked.
#[utoipa::path(
    get,
    operation_id = "getRepos",
    path = "/repos",
    tag = "moved here",
    params(LatestFilters),
    responses(
        (status = 200, description = "What was asked for.", body = domain::view::latest::Repos),
        (status = 400, description = "A filter that can be part of no name.", body = Members<'static>, content_type = "application/problem+json"),
        (status = 404, description = "These repositories are not followed here (`TALLYHOOK_LATEST_POLL=off`).", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let filter = latest_filter::read(request.uri())?;
    window.answer_latest(Payload::Repos, filter, request.headers()).await
}
