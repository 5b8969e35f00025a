//! `GET /health` (S2): that somebody is there.

use http::{HeaderValue, header};

/// That somebody is there.
#[utoipa::path(
    get,
    operation_id = "getHealth",
    path = "/health",
    tag = "service",
    responses((status = 200, description = "Somebody is.", body = String, content_type = "text/plain"))
)]
pub(super) async fn get() -> ([(header::HeaderName, HeaderValue); 1], &'static str) {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], "Alive")
}
