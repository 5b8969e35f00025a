//! Answers that say what went wrong as `application/problem+json` (RFC 9457).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// An answer of this status; `name` ends the stable `type`, `detail` tells a person what to do.
pub(crate) fn problem(status: StatusCode, name: &str, detail: &str) -> Response<Full<Bytes>> {
    let problem = Problem {
        r#type: format!("https://tallyhook.dev/errors/{name}"),
        title: status.canonical_reason().unwrap_or(name),
        status: status.as_u16(),
        detail,
    };
    let body = serde_json::to_vec(&problem).expect("a struct of plain values serializes");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
    response
}
