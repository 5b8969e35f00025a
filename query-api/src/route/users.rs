//! `GET /users` and `POST /users/{username}/{id}` (S2): whose new gists are shown and sent.

use axum::{
    Json,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use domain::{
    RowKey, StreamKey, ViewKey,
    entity::gist_users::GistUser,
    view::{
        body::{self, Meta},
        gist_users::User,
    },
};
use http::HeaderValue;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    protocol::{
        path::Segments,
        problem::{Members, Problem},
    },
    ready::{Circumstances, Ready},
    rows::Address,
    window::Shared,
};

/// A user of S2.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedGistUser)]
pub(super) struct Added {
    /// The login as it was first given.
    login: String,
    /// The id that it was given with.
    id: u64,
}

impl From<GistUser> for Added {
    fn from(user: GistUser) -> Self {
        Added { login: user.login, id: user.id }
    }
}

/// Nobody was added yet.
const POSITION: HeaderValue = HeaderValue::from_static("0");

/// Whose new gists are shown and sent, by login.
#[utoipa::path(
    get,
    operation_id = "listGistUsers",
    path = "/users",
    tag = "gists",
    responses((status = 200, description = "All of them.", body = Vec<User<'static>>))
)]
pub(super) async fn list(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let key = RowKey::View(StreamKey::Service, ViewKey::GistUsers);
    let row = window.rows.get(Address::Row(&key)).await?;
    // Nobody but us knows them: there is nothing to check with a forge.
    let now = Circumstances { is_complete: true, shared: window.shared_headers() };
    match row.view() {
        Some(ready) => Ok(ready.answer(request.headers(), &now)?),
        None => Ok(nobody().answer(request.headers(), &now)?),
    }
}

fn nobody() -> Ready {
    let payload = Bytes::from_static(b"[]");
    let meta = Meta {
        hash: body::hash(&payload),
        length: 2,
        as_of: domain::Second(0),
        checked_ms: None,
        complete: true,
        name: String::new(),
    };
    Ready::composed(payload, meta, POSITION)
}

/// Adds somebody whose new gists are shown and sent.
///
/// The same pair again changes nothing. GitHub is not asked: an unknown login is taken, and its gists stay empty.
#[utoipa::path(
    post,
    operation_id = "addGistUser",
    path = "/users/{username}/{id}",
    tag = "gists",
    params(
        ("username" = String, Path, description = "The login at GitHub."),
        ("id" = u64, Path, description = "A number of your own, below 2⁵³; no other login may have it.")
    ),
    responses(
        (status = 200, description = "It is one.", body = Added),
        (status = 400, description = "No login, no such number, or one of them belongs to another user.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn add(
    State(window): State<Shared>,
    Segments((login, id)): Segments<(String, String)>,
) -> Result<Json<Added>, Problem> {
    Ok(Json(window.add_gist_user(&login, &id).await?.into()))
}
