//! Refusals as `application/problem+json` (RFC 9457), with types that never change.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// Types begin so; the rest names the kind.
const TYPE_BASE: &str = "https://tallyhook.dev/errors/";

/// The kind of what is being made.
const COMPUTING: &str = "computing";

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    /// In whole seconds, at least one.
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
}

/// A refusal as it is written.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Members<'a> {
    /// Names the kind; never changes.
    r#type: String,
    title: &'a str,
    status: u16,
    /// What to do about it.
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        name: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Problem { status, name, title, detail: detail.into(), retry_after: None, challenge: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// Whether it says that there is nothing of that name, or nothing that may be shown.
    pub(crate) fn is_absence(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// Whether it says that the answer is being made.
    pub(crate) fn is_computing(&self) -> bool {
        self.name == COMPUTING
    }

    fn after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Unknown, deleted, hidden or private: one and the same answer, so that none can be told apart.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", "There is no such account or repository.")
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", "There is nothing under this path.")
    }

    pub(crate) fn not_tracked(login: &str) -> Self {
        let detail =
            format!("This account is not tracked here. An operator can track it: tallyhook track {login}");
        Self::new(StatusCode::NOT_FOUND, "not-tracked", "Not tracked", detail)
    }

    pub(crate) fn nobody_to_forget(login: &str) -> Self {
        let detail = format!(
            "No account is known by the login {login}. `tallyhook accounts` lists those that are kept, under their present \
             logins."
        );
        Self::new(StatusCode::NOT_FOUND, "unknown-account", "Unknown account", detail)
    }

    pub(crate) fn computing() -> Self {
        let detail = "This account is being read from the forge for the first time. Ask again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, COMPUTING, "Still computing", detail)
            .after(Duration::from_secs(1))
    }

    pub(crate) fn latest_is_computing() -> Self {
        let detail = "The newest public repositories are being read from the forge. Ask again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "computing", "Still computing", detail)
            .after(Duration::from_secs(1))
    }

    pub(crate) fn latest_is_off() -> Self {
        let detail = "The newest public repositories are not followed here (TALLYHOOK_LATEST_POLL is off).";
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "The storage did not answer. Ask again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
            .after(Duration::from_secs(1))
    }

    pub(crate) fn unconfirmed() -> Self {
        let detail = "The command is in the log but its effect was not seen in time: it may have been done.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unconfirmed", "Not confirmed", detail)
            .after(Duration::from_secs(1))
    }

    /// The refusal in a word or two.
    pub(crate) fn word(&self) -> &'static str {
        match (self.status, self.name) {
            (StatusCode::NOT_FOUND, _) => "not found",
            (_, COMPUTING) => "counting",
            (StatusCode::TOO_MANY_REQUESTS, _) => "too many requests",
            (StatusCode::SERVICE_UNAVAILABLE, _) => "unavailable",
            _ => "error",
        }
    }

    pub(crate) fn not_shown_yet(waited: Duration) -> Self {
        let detail = format!(
            "The delivery that was waited for was not shown within {} ms. It may not have arrived, or be on its way; \
             /v1/deliveries tells more. A ping is never shown.",
            waited.as_millis()
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-visible-yet", "Not visible yet", detail)
            .after(Duration::from_secs(1))
    }

    pub(crate) fn too_many_listen() -> Self {
        let detail = "As many listen to events as this service takes. Come again later, or ask with ETags.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
            .after(Duration::from_secs(5))
    }

    pub(crate) fn no_such_delivery() -> Self {
        let detail = "No delivery with this id is known: it did not arrive, it was a ping, or it is older than the \
                      newest that are remembered.";
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn unreadable() -> Self {
        let detail =
            "What is stored for this cannot be read by this release; the log of the service says more.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail)
    }

    pub(crate) fn rate_limited(wait: Duration) -> Self {
        let detail = "This address asks too often. Ask again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", detail).after(wait)
    }

    pub(crate) fn too_many_accounts(wait: Duration) -> Self {
        let detail = "Too many accounts that were not known were read within the last hour. Ask again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-new-accounts", "Too many new accounts", detail)
            .after(wait)
    }

    pub(crate) fn unauthorized(is_wrong: bool) -> Self {
        let (detail, challenge) = if is_wrong {
            ("The token is not valid.", "Bearer realm=\"tallyhook\", error=\"invalid_token\"")
        } else {
            ("Send the token as: Authorization: Bearer TOKEN", "Bearer realm=\"tallyhook\"")
        };
        let problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail);
        Problem { challenge: Some(challenge), ..problem }
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "This path does not take this method; the Allow header names those it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Members {
            r#type: format!("{TYPE_BASE}{}", self.name),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let body = serde_json::to_vec(&body).expect("plain texts serialize");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // Without this a cache may keep a 404 for as long as it likes.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
