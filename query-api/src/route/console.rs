//! `GET /console` and `/console/gaps/{login}`: the pages for people, and what they are made of.

use axum::{
    extract::{Request, State},
    response::{Html, IntoResponse, Response},
};
use domain::ViewKey;
use http::{HeaderValue, header};

use super::moved;
use crate::{
    console,
    protocol::{
        link::Paging,
        path::{Segments, segment},
        problem::Problem,
    },
    reading::{Found, Wanted},
    window::Shared,
};

/// The page runs its own script, loads nothing from elsewhere and may be put into no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page for people: the accounts that are kept, their numbers as they change, what their webhooks sent, what forges
/// still allow, and the newest deliveries.
///
/// It is readable without JavaScript.
#[utoipa::path(
    get,
    operation_id = "getConsole",
    path = "/console",
    tag = "changes",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(super) async fn get(State(window): State<Shared>) -> Result<Response, Problem> {
    Ok(html(window.console().await?))
}

/// A page for people: what the webhooks of an account sent by the hour, and what of it is missing.
///
/// It is readable without JavaScript.
#[utoipa::path(
    get,
    operation_id = "getGapsPage",
    path = "/console/gaps/{login}",
    tag = "changes",
    params(
        ("login" = String, Path, description = "A user or an organisation."),
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "30 hours unless told, at most 100.", minimum = 1, maximum = 100)
    ),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 301, description = "It has another login now: see `Location`.")
    )
)]
pub(super) async fn gaps(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let paging = Paging::read(request.uri())?;
    let Found::Shown(found) = window.find(&login, Wanted::Account(ViewKey::RepositoryIndex)).await? else {
        return Err(Problem::not_found());
    };
    let present = found.ready().meta.name.clone();
    if !present.eq_ignore_ascii_case(&login) {
        return Ok(moved(&window, &format!("/console/gaps/{}", segment(&present)), request.uri()));
    }
    let (account, hours, total) = window.gap_hours((present, found.account), None, paging).await?;
    Ok(html(console::gaps_page(&account, &hours, (paging, total))))
}

/// A page.
pub(super) fn html(page: String) -> Response {
    let mut response = Html(page).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Its style.
pub(super) async fn style() -> impl IntoResponse {
    fixed("text/css; charset=utf-8", console::STYLE)
}

/// Its script.
pub(super) async fn script() -> impl IntoResponse {
    fixed("text/javascript; charset=utf-8", console::SCRIPT)
}

fn fixed(content_type: &'static str, body: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body)
}
