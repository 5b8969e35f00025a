//! `GET /githubPayload[?user=LOGIN]` (S0): the payload of a user and their repositories.

use std::borrow::Cow;

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;

use crate::{
    protocol::{
        path,
        problem::{Members, Problem},
    },
    reading::{Found, Wanted},
    window::Shared,
};

/// One user with commit and pull-request counts for each public repository.
///
/// The account is kept from its first reader on. Numbers that are not known yet are `null`.
#[utoipa::path(
    get,
    operation_id = "getGithubPayload",
    path = "/githubPayload",
    tag = "moved here",
    params(("user" = Option<String>, Query, description = "The login; without it the first account that the settings track.")),
    responses(
        (status = 200, description = "The user.", body = domain::view::payload::Payload<'static>),
        (status = 400, description = "No user is named, and none is tracked from the start.", body = Members<'static>, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account, or it is not tracked.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let login = match (path::query(&parts.uri, "user"), window.settings.track.first()) {
        (Some(login), _) => login,
        (None, Some(first)) => Cow::Borrowed(first.as_str()),
        (None, None) => {
            let detail =
                "Say whose payload: /githubPayload?user=LOGIN (no account is tracked from the start)";
            return Err(Problem::bad_request(detail));
        }
    };
    match window.find(&login, Wanted::Account(ViewKey::GithubPayload)).await? {
        Found::Shown(shown) => window.answer(&parts.headers, shown.ready()).await,
        Found::Elsewhere(_) => Err(Problem::not_found()),
    }
}
