//! `GET /console/why/{login}` and `/console/why/{owner}/{name}`: pages that say why numbers are what they are.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;
use serde_json::Value;

use super::{console::html, explain::explanation, moved};
use crate::{
    console::why,
    explain::Wish,
    page,
    protocol::{
        link::Paging,
        path::{Segments, segment},
        problem::Problem,
    },
    reading::{Found, Wanted},
    ready::Ready,
    window::Shared,
};

/// An account's repositories, each leading to its numbers.
pub(super) async fn repositories(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let paging = Paging { per_page: why::PER_PAGE, ..Paging::read(&parts.uri)? };
    let Found::Shown(index) = window.find(&login, Wanted::Account(ViewKey::RepositoryIndex)).await? else {
        return Err(Problem::not_found());
    };
    let present = &index.ready().meta.name;
    if !present.eq_ignore_ascii_case(&login) {
        return Ok(moved(&window, &format!("/console/why/{}", segment(present)), &parts.uri));
    }
    let (total, list) = page::of(&window, &index, paging).await?;
    Ok(html(why::repositories(present, &read(&list)?, paging.page, total)))
}

/// A repository's numbers with their steps.
pub(super) async fn numbers(
    State(window): State<Shared>,
    Segments((owner, name)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let paths = ("/console/why", "");
    match explanation(&window, (&owner, &name), &Wish::read(None)?, paths, &parts.uri).await? {
        Ok(ready) => Ok(html(why::numbers(&read(&ready)?))),
        Err(moved) => Ok(moved),
    }
}

fn read(ready: &Ready) -> Result<Value, Problem> {
    serde_json::from_slice(ready.identity()?).map_err(|_| Problem::unreadable())
}
