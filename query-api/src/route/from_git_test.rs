//! `GET /from-git/test` (S1): a form, one profile per line, that shows the answer. It needs no JavaScript and
//! loads nothing.

use std::{borrow::Cow, fmt::Write as _};

use axum::{
    body::{self, Body},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, header};

use super::health_check;
use crate::{markup::escaped, protocol::path, window::Shared};

/// The page runs no script, loads nothing and may be put into no frame.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer about a thousand profiles is far smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A form for `/health-check`: one profile per line.
#[utoipa::path(
    get,
    operation_id = "getFromGitTest",
    path = "/from-git/test",
    tag = "moved here",
    params(("profiles" = Option<String>, Query, description = "Profiles, one on each line; without it the form is empty.")),
    responses((status = 200, description = "The form, and the answer if profiles are given.", body = String, content_type = "text/html"))
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let profiles = path::query(&parts.uri, "profiles");
    let answer = match &profiles {
        None => None,
        Some(profiles) => {
            let lines = profiles.lines().map(str::trim).filter(|line| !line.is_empty());
            let urls: Vec<Cow<'_, str>> = lines.map(Cow::Borrowed).collect();
            // The answer as it is, whatever the reader's browser has or unpacks.
            let response = health_check::answer(&window, &HeaderMap::new(), &urls).await;
            let status = response.status();
            let bytes = body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
            Some((status.as_u16(), indented(&bytes)))
        }
    };
    let mut response = Response::new(Body::from(page(profiles.as_deref().unwrap_or_default(), answer)));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn page(profiles: &str, answer: Option<(u16, String)>) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Merged profiles</title>\n</head>\n<body>\n\
         <h1>Merged profiles</h1>\n<form method=\"get\" action=\"/from-git/test\">\n\
         <p><label for=\"profiles\">One profile per line, such as https://github.com/NAME or \
         https://bitbucket.org/NAME:</label></p>\n<p><textarea id=\"profiles\" name=\"profiles\" rows=\"8\" \
         cols=\"38\" required>\n",
    );
    page.push_str(&escaped(profiles));
    page.push_str("</textarea></p>\n<p><button type=\"submit\">Show</button></p>\n</form>\n");
    if let Some((status, answer)) = answer {
        let _ = write!(page, "<h2>Answer</h2>\n<p>Status {status}</p>\n<pre id=\"answer\">");
        page.push_str(&escaped(&answer));
        page.push_str("</pre>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// The same JSON for people; what is none stays as it is.
fn indented(json: &[u8]) -> String {
    let value: Option<serde_json::Value> = serde_json::from_slice(json).ok();
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| String::from_utf8_lossy(json).into_owned())
}
