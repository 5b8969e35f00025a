//! `GET /v1/accounts/{login}/gists`: an account's public gists.

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

/// An account's public gists, the newest first.
///
/// They are polled, from the first time that somebody asks for them.
#[utoipa::path(
    get,
    operation_id = "listGists",
    path = "/v1/accounts/{login}/gists",
    tag = "numbers",
    params(("login" = String, Path, description = "A user.")),
    responses(
        (status = 200, description = "The gists.", body = domain::view::gists::Payload<'static>),
        (status = 301, description = "It has another login now: see `Location`.")
    )
)]
pub(super) async fn get(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Found::Shown(shown) = window.find(&login, Wanted::Account(ViewKey::Gists)).await? else {
        return Err(Problem::not_found());
    };
    if let Some(present) = &shown.directory().login
        && !present.eq_ignore_ascii_case(&login)
    {
        let path = format!("/v1/accounts/{}/gists", segment(present));
        return Ok(moved(&window, &path, &parts.uri));
    }
    window.answer(&parts.headers, shown.ready()).await
}
