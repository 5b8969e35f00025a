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
