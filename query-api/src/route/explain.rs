//! `GET /v1/repos/{owner}/{name}/explain`: why the numbers of a repository are what they are.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::Uri;

use super::repository::{is_called, moved_to};
use crate::{
    explain::{self, Payload, Wish},
    protocol::{
        path::{self, Segments},
        problem::{Members, Problem},
    },
    reading::{Found, Wanted},
    ready::Ready,
    window::{Shared, Window},
};

/// The number and its steps are read a moment apart: so often, until they fit.
const READS_MAX: usize = 5;
/// A word that a view changed takes about so long from one process to another.
const PAUSE: Duration = Duration::from_millis(60);

/// Why a repository's numbers are what they are: the deliveries and answers that made each, and what they began from.
///
/// Of each number the last steps are kept, 16 of most. Without `field`, and where it names several numbers, the last four
/// of each are listed.
#[utoipa::path(
    get,
    operation_id = "explainRepository",
    path = "/v1/repos/{owner}/{name}/explain",
    tag = "numbers",
    params(
        ("owner" = String, Path, description = "The owner's login."),
        ("name" = String, Path, description = "The repository's name."),
        ("field" = Option<String>, Query, description = "A number by its place in the repository's payload, as \
            `counts.commits` or `counts.pull_requests.open`; `counts.pull_requests` and `counts` mean all under them, \
            `languages` the bytes of all languages together.")
    ),
    responses(
        (status = 200, description = "The numbers and their steps.", body = Payload<'static>),
        (status = 301, description = "It has another name or owner now: see `Location`."),
        (status = 400, description = "There is no such field; the answer names those there are.",
            body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(
    State(window): State<Shared>,
    Segments((owner, name)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let wish = Wish::read(path::query(&parts.uri, "field").as_deref())?;
    let paths = ("/v1/repos", "/explain");
    match explanation(&window, (&owner, &name), &wish, paths, &parts.uri).await? {
        Ok(ready) => window.answer(&parts.headers, &ready).await,
        Err(moved) => Ok(moved),
    }
}

/// Why a repository's numbers are what they are, or where it is now: between these two parts of a path.
pub(super) async fn explanation(
    window: &Window,
    (owner, name): (&str, &str),
    wish: &Wish,
    paths: (&str, &str),
    uri: &Uri,
) -> Result<Result<Ready, Response>, Problem> {
    let mut reads = 1;
    loop {
        let shown = match window.find(owner, Wanted::Repository(name)).await? {
            Found::Shown(shown) => shown,
            Found::Elsewhere(present) => return moved_to(window, &present, paths, uri).map(Err),
        };
        let present = &shown.ready().meta.name;
        if !is_called(present, owner, name) {
            return moved_to(window, present, paths, uri).map(Err);
        }
        if let Some(ready) = explain::of(window, &shown, wish, reads == READS_MAX).await? {
            return Ok(Ok(ready));
        }
        reads += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
