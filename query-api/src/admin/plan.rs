//! `POST /admin/backfill/plan {"login"}`: how much work reading an account would be; nothing is begun.

use axum::{Json, extract::State};
use http::StatusCode;

use super::input::{Input, OneLogin};
use crate::{protocol::problem::Problem, reading::is_name, window::Shared};

pub(super) async fn post(
    State(window): State<Shared>,
    Input(OneLogin { login }): Input<OneLogin>,
) -> Result<Json<serde_json::Value>, Problem> {
    if !is_name(&login) {
        return Err(Problem::bad_request("this is not a login"));
    }
    let Some(planner) = &window.planner else {
        let detail = "No backfill runs in this process; ask the one that runs it (serve or projector).";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "no-backfill", "No backfill here", detail));
    };
    let plan = planner.plan(&login).await;
    let problem = |cause| Problem::new(StatusCode::BAD_GATEWAY, "plan-failed", "No plan", cause);
    plan.map(Json).map_err(problem)
}
