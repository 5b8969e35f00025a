//! `POST /latestgists/{username}` (S2): what is new to a user since the last visit.

use axum::{body::Body, extract::State, response::Response};
use domain::view::gists::NewFile;
use http::{HeaderValue, header};

use crate::{
    gist_users::New,
    protocol::{
        path::Segments,
        problem::{Members, Problem},
        shown::ShownBody,
    },
    window::Shared,
};

/// The files of gists that were first seen since this user's previous visit; records the visit.
///
/// All gists that there are at a user's first poll count as new. A file that is added to a gist later does not. Two
/// visits at once may both show a file; none is ever shown to nobody.
#[utoipa::path(
    post,
    operation_id = "visitLatestGists",
    path = "/latestgists/{username}",
    tag = "gists",
    params(("username" = String, Path, description = "The user's login, in any case.")),
    responses(
        (status = 200, description = "One entry per file, the oldest gists first.", body = Vec<NewFile<'static>>),
        (status = 400, description = "There is no such user.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn post(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
) -> Result<Response, Problem> {
    let New { files, visit } = window.new_gists(&login).await?;
    let body = match visit {
        Some(visit) => Body::from_stream(ShownBody::new(files.into(), move || visit.shown())),
        None => Body::from(files),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
