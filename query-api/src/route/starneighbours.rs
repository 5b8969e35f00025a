//! `GET /repos/{owner}/{repo}/starneighbours`: repositories that share stargazers with one (S3).

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::view::neighbours::{NEIGHBOURS_MAX, Neighbour};
use http::Uri;

use crate::{
    neighbours::Selection,
    protocol::{
        detail::{Detail, Members},
        path::{Segments, query},
    },
    window::Shared,
};

/// Repositories that share stargazers with this one, the most shared first.
///
/// Needs an API key (`X-API-Key`, or `Authorization: Bearer`). The first to ask waits until the stargazers are known;
/// what each of them starred comes in afterwards, and `Tallyhook-Complete` says when it all is.
#[utoipa::path(
    get,
    operation_id = "getStarNeighbours",
    path = "/repos/{owner}/{repo}/starneighbours",
    tag = "moved here",
    params(
        ("owner" = String, Path, description = "The owner's login."),
        ("repo" = String, Path, description = "The repository's name."),
        ("limit" = Option<u32>, Query, description = "At most so many, the most shared first; 10 000 without it."),
        ("min_shared" = Option<u32>, Query, description = "Only those that share at least so many stargazers."),
        ("X-API-Key" = Option<String>, Header, description = "The key.")
    ),
    responses(
        (status = 200, description = "The neighbours.", body = Vec<Neighbour>),
        (status = 301, description = "The repository has another name or owner now: see `Location`."),
        (status = 400, description = "A limit that is no number.", body = Members<'static>),
        (status = 401, description = "The key is missing, wrong, revoked or expired.", body = Members<'static>),
        (status = 403, description = "GitHub keeps the stargazers from us.", body = Members<'static>),
        (status = 404, description = "There is no such repository.", body = Members<'static>),
        (status = 429, description = "The key asks too often.", body = Members<'static>),
        (status = 503, description = "The stargazers are not known yet.", body = Members<'static>)
    )
)]
pub(super) async fn get(
    State(window): State<Shared>,
    segments: Result<Segments<(String, String)>, Response>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let allowance = match window.admit_key(&parts.headers).await {
        Ok(allowance) => allowance,
        Err(detail) => return detail.into_response(),
    };
    let answer = async {
        let Segments((owner, repo)) = segments.map_err(|_| Detail::no_repository())?;
        let selection = Selection {
            limit: number(&parts.uri, "limit")?.map_or(NEIGHBOURS_MAX, |limit| limit as usize),
            shared_min: number(&parts.uri, "min_shared")?.unwrap_or(0),
        };
        window.answer_neighbours(&owner, &repo, selection, &parts.uri, &parts.headers).await
    };
    let mut response = answer.await.unwrap_or_else(Detail::into_response);
    if let Some(allowance) = allowance {
        allowance.dress(response.headers_mut(), window.now());
    }
    response
}

/// A number in the query; `None` if it is not there.
fn number(uri: &Uri, name: &str) -> Result<Option<u32>, Detail> {
    let Some(text) = query(uri, name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Detail::bad_request(format!("`{name}` must be a number from 0")))
}
