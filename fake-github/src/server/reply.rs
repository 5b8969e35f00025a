//! An answer, and what every answer carries: ETag, dates, limits.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::limits::Standing;
use crate::{model::Second, wire};

/// An answer before it is dressed.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) last_modified: Option<Second>,
}

impl Reply {
    pub(super) fn json(body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        Reply { status: StatusCode::OK, body: body.into(), headers, last_modified: None }
    }

    /// A text as it is.
    pub(super) fn plain(body: String) -> Self {
        let mut reply = Reply::json(body);
        reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        reply
    }

    pub(super) fn text(status: u16, body: &'static str) -> Self {
        let mut reply = Reply::json(body).with_status(status);
        reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        reply
    }

    /// GitHub's error body.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let body = wire::object(|o| {
            o.text("message", message);
            o.text("documentation_url", "https://docs.github.com/rest");
            o.text("status", status);
        });
        Reply::json(body).with_status(status)
    }

    /// Not there, or not for this caller to see: GitHub does not tell which.
    pub(super) fn not_found() -> Self {
        Reply::error(404, "Not Found")
    }

    /// No right of an App's.
    pub(super) fn not_for_integrations() -> Self {
        Reply::error(403, "Resource not accessible by integration")
    }

    /// The thing has another address now. What is not a read must be sent there as it is.
    pub(super) fn moved(to: &str, is_read: bool) -> Self {
        let (status, message) =
            if is_read { (301, "Moved Permanently") } else { (307, "Temporary Redirect") };
        let body = wire::object(|o| {
            o.text("message", message);
            o.text("url", to);
            o.text(
                "documentation_url",
                "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
            );
        });
        Reply::json(body).with_status(status).with_header(header::LOCATION, to)
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("statuses are three digits");
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn with_link(self, link: Option<String>) -> Self {
        match link {
            Some(link) => self.with_header(header::LINK, &link),
            None => self,
        }
    }

    /// Says that the next page is this request's own, at `base`.
    pub(super) fn with_next(self, base: &str, uri: &http::Uri) -> Self {
        self.with_header(header::LINK, &format!("<{base}{uri}>; rel=\"next\""))
    }

    pub(super) fn modified(mut self, at: Second) -> Self {
        self.last_modified = Some(at);
        self
    }

    /// Adds the ETag, and turns into 304 what the caller has already.
    pub(super) fn conditional(mut self, request: &HeaderMap) -> Self {
        if self.status != StatusCode::OK {
            return self;
        }
        let etag = format!("W/\"{}\"", const_hex::encode(Sha256::digest(&self.body)));
        let unchanged = match (request.get(header::IF_NONE_MATCH), request.get(header::IF_MODIFIED_SINCE)) {
            (Some(known), _) => {
                let known = known.to_str().unwrap_or_default();
                let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
                known.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(&etag))
            }
            (None, Some(since)) => {
                let since = since.to_str().ok().and_then(Second::from_http);
                self.last_modified.zip(since).is_some_and(|(modified, since)| modified <= since)
            }
            (None, None) => false,
        };
        self = self.with_header(header::ETAG, &etag);
        self = self.with_header(header::CACHE_CONTROL, "private, max-age=60, s-maxage=60");
        if let Some(at) = self.last_modified {
            self = self.with_header(header::LAST_MODIFIED, &at.http());
        }
        if unchanged {
            self.status = StatusCode::NOT_MODIFIED;
            self.body = Bytes::new();
            self.headers.remove(header::CONTENT_TYPE);
        }
        self
    }

    /// Says when the caller's token ends, as GitHub writes it: `2026-11-21 10:00:00 UTC`.
    pub(super) fn with_token_end(self, at: Option<Second>) -> Self {
        let Some(at) = at else { return self };
        let written = at.to_string().replace('T', " ").replace('Z', " UTC");
        self.with_header(HeaderName::from_static("github-authentication-token-expiration"), &written)
    }

    /// Adds what every answer carries.
    pub(super) fn dressed(mut self, now: Second, version: &str, standing: Option<Standing>) -> Self {
        self = self.with_header(header::DATE, &now.http());
        self = self.with_header(header::SERVER, "github.com");
        self = self.with_header(
            header::VARY,
            "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
        );
        self = self.with_header(HeaderName::from_static("x-github-media-type"), "github.v3; format=json");
        self = self.with_header(HeaderName::from_static("x-github-api-version-selected"), version);
        if let Some(standing) = standing {
            standing.write(&mut self.headers);
        }
        self
    }
}
