//! `GET /stats` (S4): averages over the newest public repositories, filtered.

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

/// Averages over the newest public repositories, filtered as in `/repos`.
#[utoipa::path(
    get,
    operation_id = "getStats",
    path = "/stats",
    tag = "moved here",
    params(LatestFilters),
    responses(
        (status = 200, description = "What was asked for.", body = domain::view::latest::Stats<'static>),
        (status = 400, description = "A filter that can be part of no name.", body = Members<'static>, content_type = "application/problem+json"),
        (status = 404, description = "These repositories are not followed here (`TALLYHOOK_LATEST_POLL=off`).", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let filter = latest_filter::read(request.uri())?;
    window.answer_latest(Payload::Stats, filter, request.headers()).await
}
