//! `GET /githubPayload[?user=LOGIN]` (S0): the payload of a user and their repositories.

use std::borrow::Cow;

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;

use crate::{
    protocol::{path, problem::Problem},
    reading::{Found, Wanted},
    window::Shared,
};

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
