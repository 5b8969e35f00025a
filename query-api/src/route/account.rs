//! `GET /v1/accounts/{login}`: an account's profile and totals.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;

use super::moved;
use crate::{
    protocol::{
        path::{Segments, segment},
        problem::Problem,
    },
    reading::{Found, Wanted},
    window::Shared,
};

/// An account: its profile, and totals over its public repositories.
///
/// A former login leads to the present one (301).
#[utoipa::path(
    get,
    operation_id = "getAccount",
    path = "/v1/accounts/{login}",
    tag = "numbers",
    params(("login" = String, Path, description = "A user or an organisation.")),
    responses(
        (status = 200, description = "The account.", body = domain::view::account::Payload<'static>),
        (status = 301, description = "It has another login now: see `Location`.")
    )
)]
pub(super) async fn get(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Found::Shown(shown) = window.find(&login, Wanted::Account(ViewKey::Account)).await? else {
        return Err(Problem::not_found());
    };
    let present = &shown.ready().meta.name;
    if !present.eq_ignore_ascii_case(&login) {
        return Ok(moved(&window, &format!("/v1/accounts/{}", segment(present)), &parts.uri));
    }
    window.answer(&parts.headers, shown.ready()).await
}
