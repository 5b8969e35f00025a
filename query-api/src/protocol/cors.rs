//! Which web pages may read answers (the Fetch standard's CORS protocol).

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::names::EXPOSED;
use crate::settings::CorsOrigins;

/// Methods that pages may use; S2's POST routes are for servers.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// Headers that pages may send beside the usual ones.
const REQUEST_HEADERS: &str = "Authorization, If-None-Match";
/// How long a browser may remember a preflight, in seconds: a day.
const PREFLIGHT_AGE: &str = "86400";

/// The rule.
pub(crate) enum Cors {
    Any,
    Only(Vec<HeaderValue>),
}

/// What one request is allowed.
pub(crate) enum Allowed {
    Any,
    Origin(HeaderValue),
    /// Nothing, but another origin would be.
    Nothing,
}

impl Cors {
    pub(crate) fn new(origins: &CorsOrigins) -> Self {
        match origins {
            CorsOrigins::Any => Cors::Any,
            // An origin that no header can hold is sent by no browser.
            CorsOrigins::Only(origins) => {
                Cors::Only(origins.iter().filter_map(|origin| origin.parse().ok()).collect())
            }
        }
    }

    pub(crate) fn allow(&self, request: &HeaderMap) -> Allowed {
        match (self, request.get(header::ORIGIN)) {
            (Cors::Any, _) => Allowed::Any,
            (Cors::Only(origins), Some(origin)) if origins.contains(origin) => {
                Allowed::Origin(origin.clone())
            }
            (Cors::Only(_), _) => Allowed::Nothing,
        }
    }
}

impl Cors {
    /// What every answer may have, whoever asks.
    pub(crate) fn shared(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Cors::Any = self {
            Allowed::Any.dress(&mut headers);
        }
        headers
    }
}

impl Allowed {
    /// Adds to an answer what the page's browser must know, unless it has it already.
    pub(crate) fn dress(self, headers: &mut HeaderMap) {
        if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let origin = match self {
            Allowed::Any => HeaderValue::from_static("*"),
            Allowed::Origin(origin) => {
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                origin
            }
            Allowed::Nothing => {
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                return;
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// The answer to OPTIONS on a path that is read by GET; who may use it is added as to every answer.
pub(crate) async fn preflight() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
    response
}
