//! `GET /v1/badge/{owner}/{name}/{field}.svg` and `GET /v1/card/{login}.svg`: numbers as images.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;
use http::request::Parts;

use super::moved;
use crate::{
    badge::{self, Field, Picture},
    protocol::{
        path::{Segments, segment},
        problem::Problem,
    },
    reading::{Found, Wanted},
    window::{Shared, Window},
};

/// What the names of images end with.
const SVG: &str = ".svg";

/// One number of a repository as a badge (SVG).
///
/// It is drawn once per change and may be kept for five seconds, so that it is fresh behind image proxies too. What
/// cannot be shown is a badge as well, one that says so, with the status that it would have elsewhere.
#[utoipa::path(
    get,
    operation_id = "getBadge",
    path = "/v1/badge/{owner}/{name}/{field}",
    tag = "images",
    params(
        ("owner" = String, Path, description = "The owner's login."),
        ("name" = String, Path, description = "The repository's name."),
        ("field" = String, Path, description = "`commits.svg`, `pull_requests.svg`, `open_pull_requests.svg`, \
            `merged_pull_requests.svg`, `closed_pull_requests.svg`, `stars.svg`, `forks.svg`, `watchers.svg`, \
            `open_issues.svg` or `language.svg`.")
    ),
    responses(
        (status = 200, description = "The badge.", body = String, content_type = "image/svg+xml"),
        (status = 301, description = "The repository has another name or owner now: see `Location`."),
        (status = 404, description = "No such field, or an unknown, deleted, hidden or private repository: a badge that says so.",
            body = String, content_type = "image/svg+xml"),
        (status = 503, description = "Not known yet: a badge that says so.", body = String, content_type = "image/svg+xml")
    )
)]
pub(super) async fn repository(
    State(window): State<Shared>,
    Segments((owner, name, file)): Segments<(String, String, String)>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let Some(field) = file.strip_suffix(SVG).and_then(Field::named) else {
        return badge::refusal("badge", Problem::not_found());
    };
    let drawn = of_repository(&window, &owner, &name, (field, &file), &parts).await;
    drawn.unwrap_or_else(|problem| badge::refusal(field.label(), problem))
}

async fn of_repository(
    window: &Window,
    owner: &str,
    name: &str,
    (field, file): (Field, &str),
    parts: &Parts,
) -> Result<Response, Problem> {
    let present = match window.find(owner, Wanted::Repository(name)).await? {
        Found::Shown(shown) => {
            let present = &shown.ready().meta.name;
            if present.eq_ignore_ascii_case(&format!("{owner}/{name}")) {
                return window.picture(&parts.headers, Picture::Badge(field), &shown);
            }
            present.clone()
        }
        Found::Elsewhere(present) => present,
    };
    let (owner, name) = present.split_once('/').ok_or_else(Problem::not_found)?;
    Ok(moved(window, &format!("/v1/badge/{}/{}/{file}", segment(owner), segment(name)), &parts.uri))
}

/// An account as a card (SVG): its name, six numbers and the languages used most, light or dark as its reader likes.
///
/// Drawn and kept as a badge is.
#[utoipa::path(
    get,
    operation_id = "getCard",
    path = "/v1/card/{login}",
    tag = "images",
    params(("login" = String, Path, description = "A login and `.svg`.")),
    responses(
        (status = 200, description = "The card.", body = String, content_type = "image/svg+xml"),
        (status = 301, description = "The account has another login now: see `Location`."),
        (status = 404, description = "No such account: a badge that says so.", body = String, content_type = "image/svg+xml"),
        (status = 503, description = "Not known yet: a badge that says so.", body = String, content_type = "image/svg+xml")
    )
)]
pub(super) async fn account(
    State(window): State<Shared>,
    Segments(file): Segments<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let drawn = match file.strip_suffix(SVG) {
        Some(login) => of_account(&window, login, &parts).await,
        None => Err(Problem::not_found()),
    };
    drawn.unwrap_or_else(|problem| badge::refusal("account", problem))
}

async fn of_account(window: &Window, login: &str, parts: &Parts) -> Result<Response, Problem> {
    let Found::Shown(shown) = window.find(login, Wanted::Account(ViewKey::Account)).await? else {
        return Err(Problem::not_found());
    };
    let present = &shown.ready().meta.name;
    if !present.eq_ignore_ascii_case(login) {
        return Ok(moved(window, &format!("/v1/card/{}{SVG}", segment(present)), &parts.uri));
    }
    window.picture(&parts.headers, Picture::Card, &shown)
}
