//! `GET /v1/status`: what the forges still allow in this hour, and who spends it. It asks nobody and is of this process
//! alone: one that asks no forge has nothing to tell, and says so.

use axum::{Json, extract::State, response::IntoResponse};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{planner::ForgeBudget, window::Shared};

#[derive(Serialize, ToSchema)]
struct Status {
    /// Whether this process asks forges itself. Where it does not, as one that only answers readers, their limits are
    /// unknown here: the metrics of those that do tell them.
    asks_forges: bool,
    /// The forges that this process asks; none where it asks nobody.
    forges: Vec<ForgeBudget>,
}

/// What the forges still allow, and who spends it.
#[utoipa::path(
    get,
    operation_id = "getStatus",
    path = "/v1/status",
    tag = "service",
    responses((status = 200, description = "As this process knows it.", body = Status))
)]
pub(super) async fn get(State(window): State<Shared>) -> impl IntoResponse {
    let budgets = window.planner.as_ref().map(|planner| planner.budgets());
    let status = Status { asks_forges: budgets.is_some(), forges: budgets.unwrap_or_default() };
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(status))
}
