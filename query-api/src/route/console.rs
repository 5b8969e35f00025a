//! `GET /console`: the page for people, and what it is made of.

use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::{console, protocol::problem::Problem, window::Shared};

/// The page runs its own script, loads nothing from elsewhere and may be put into no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page for people: the accounts that are kept, their numbers as they change, and the newest deliveries.
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
