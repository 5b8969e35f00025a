//! S3's refusals: `{"detail": …}`, in the words that its users know.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{protocol::problem::Problem, rows::ReadError};

/// A refusal.
#[derive(Debug)]
pub(crate) struct Detail {
    status: StatusCode,
    detail: String,
    /// In a box, so that it is small where it is not used.
    headers: Box<HeaderMap>,
}

/// A refusal as it is written.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Detail)]
pub(crate) struct Members<'a> {
    /// What is wrong.
    detail: &'a str,
}

impl Detail {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Detail { status, detail: detail.into(), headers: Box::default() }
    }

    pub(crate) fn key_is_missing() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "API key is missing").challenged()
    }

    /// Unknown, wrong and revoked keys are refused in the same words.
    pub(crate) fn key_is_invalid() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid API key").challenged()
    }

    pub(crate) fn key_has_expired() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "API key has expired").challenged()
    }

    pub(crate) fn no_repository() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Repository not found")
    }

    pub(crate) fn bad_request(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn stargazers_are_closed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "GitHub keeps the stargazers of this repository from us")
    }

    pub(crate) fn computing() -> Self {
        let detail = "The stargazers of this repository are being read. Ask again in a moment";
        let mut detail = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        detail.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        detail
    }

    pub(crate) fn too_many(wait: Duration) -> Self {
        let mut detail = Self::new(StatusCode::TOO_MANY_REQUESTS, "This API key asks too often");
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        detail.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        detail
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    fn challenged(mut self) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"tallyhook\"");
        self.headers.insert(header::WWW_AUTHENTICATE, challenge);
        self
    }
}

impl From<ReadError> for Detail {
    fn from(error: ReadError) -> Self {
        Detail::from(Problem::from(error))
    }
}

impl From<Problem> for Detail {
    fn from(problem: Problem) -> Self {
        let mut detail = Self::new(problem.status(), problem.detail());
        if let Some(seconds) = problem.retry_after() {
            detail.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        detail
    }
}

impl IntoResponse for Detail {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&Members { detail: &self.detail }).expect("plain texts serialize");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        response
    }
}
