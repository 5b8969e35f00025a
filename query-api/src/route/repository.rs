//! `GET /v1/repos/{owner}/{name}`: one repository.

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::Uri;

use super::moved;
use crate::{
    protocol::{
        path::{Segments, segment},
        problem::Problem,
    },
    reading::{Found, Wanted},
    window::{Shared, Window},
};

/// What stands in this path before and after the names.
const PATHS: (&str, &str) = ("/v1/repos", "");

/// One repository: commits, pull requests by state, stars, forks, watchers, languages.
///
/// A former name leads to the present one (301).
#[utoipa::path(
    get,
    operation_id = "getRepository",
    path = "/v1/repos/{owner}/{name}",
    tag = "numbers",
    params(
        ("owner" = String, Path, description = "The owner's login."),
        ("name" = String, Path, description = "The repository's name.")
    ),
    responses(
        (status = 200, description = "The repository.", body = domain::view::repository::Payload<'static>),
        (status = 301, description = "It has another name or owner now: see `Location`.")
    )
)]
pub(super) async fn get(
    State(window): State<Shared>,
    Segments((owner, name)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    match window.find(&owner, Wanted::Repository(&name)).await? {
        Found::Shown(shown) => {
            let present = &shown.ready().meta.name;
            if is_called(present, &owner, &name) {
                window.answer(&parts.headers, shown.ready()).await
            } else {
                moved_to(&window, present, PATHS, &parts.uri)
            }
        }
        Found::Elsewhere(present) => moved_to(&window, &present, PATHS, &parts.uri),
    }
}

/// Whether a repository has this name now.
pub(super) fn is_called(present: &str, owner: &str, name: &str) -> bool {
    present.split_once('/').is_some_and(|(present_owner, present_name)| {
        present_owner.eq_ignore_ascii_case(owner) && present_name.eq_ignore_ascii_case(name)
    })
}

/// Sends a reader to the present name between these two parts of a path.
pub(super) fn moved_to(
    window: &Window,
    present: &str,
    (before, after): (&str, &str),
    uri: &Uri,
) -> Result<Response, Problem> {
    let (owner, name) = present.split_once('/').ok_or_else(Problem::not_found)?;
    Ok(moved(window, &format!("{before}/{}/{}{after}", segment(owner), segment(name)), uri))
}
