//! `GET /v1/accounts/{login}/repos?page=&per_page=`: an account's repositories, by name.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;
use http::header;

use super::moved;
use crate::{
    page,
    protocol::{
        link::Paging,
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
    let paging = Paging::read(&parts.uri)?;
    let Found::Shown(index) = window.find(&login, Wanted::Account(ViewKey::RepositoryIndex)).await? else {
        return Err(Problem::not_found());
    };
    let path = format!("/v1/accounts/{}/repos", segment(&index.ready().meta.name));
    if !index.ready().meta.name.eq_ignore_ascii_case(&login) {
        return Ok(moved(&window, &path, &parts.uri));
    }
    let (total, page) = page::of(&window, &index, paging).await?;
    let mut response = window.answer(&parts.headers, &page).await?;
    if let Some(link) = paging.link(&path, total) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
