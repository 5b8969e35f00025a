//! `GET /v1/accounts/{login}/repos?page=&per_page=`: an account's repositories, by name.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::ViewKey;
use http::header;

use super::moved;
use crate::{
    page::{self, Page},
    protocol::{
        link::Paging,
        path::{Segments, segment},
        problem::{Members, Problem},
    },
    reading::{Found, Wanted},
    window::Shared,
};

/// An account's public repositories, by name, a page at a time.
///
/// `Link` leads to the other pages.
#[utoipa::path(
    get,
    operation_id = "listRepositories",
    path = "/v1/accounts/{login}/repos",
    tag = "numbers",
    params(
        ("login" = String, Path, description = "A user or an organisation."),
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "30 unless told, at most 100.", minimum = 1, maximum = 100)
    ),
    responses(
        (status = 200, description = "A page.", body = Page<'static>,
            headers(("Link" = Option<String>, description = "`next`, `prev`, `first` and `last`, as far as there are such pages."))),
        (status = 301, description = "It has another login now: see `Location`."),
        (status = 400, description = "`page` or `per_page` is no number.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
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
