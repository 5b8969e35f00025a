//! A ready answer: everything that an answer needs, made once per change of a view.

use std::{io::Write as _, sync::OnceLock};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use domain::{
    Millis, Second,
    view::body::{self, Meta},
};
use event_log::Position;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::protocol::{conditional, encoding, names};

/// Below this size gzip saves no packet and costs the reader more than it saves.
const GZIP_BYTES_MIN: u32 = 1024;

/// gzip's usual level, for what is joined here; views come compressed.
const GZIP_LEVEL: u32 = 6;

/// Checked at no time that could be shown: the minimum over nothing.
const NEVER: Millis = Millis(i64::MAX);

/// The bytes of a view or of a list page, with the headers that go with them.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) meta: Meta,
    source: Source,
    /// The other form of the bytes, made when it is first wanted; `None` in it: the source is damaged.
    other: OnceLock<Option<Bytes>>,
    identity: Representation,
    /// `None` when the payload is too small to be compressed.
    gzip: Option<Representation>,
    as_of: Option<HeaderValue>,
    checked_at: Option<HeaderValue>,
    position: HeaderValue,
}

/// The form in which the bytes came.
#[derive(Debug)]
enum Source {
    Gzip(Bytes),
    Identity(Bytes),
}

/// What one form of the bytes is called, and the headers of answers with it, made when first wanted.
///
/// Cloning a list of headers takes a third of the time of making it.
#[derive(Debug)]
struct Representation {
    etag: HeaderValue,
    /// Of an answer with the bytes.
    whole: OnceLock<HeaderMap>,
    /// Of the answer that the reader has them.
    known: OnceLock<HeaderMap>,
}

/// What is true of one answer and not of all answers with the same bytes.
pub(crate) struct Circumstances<'a> {
    /// Whether the payload may be called complete now.
    pub(crate) is_complete: bool,
    /// Headers that all answers of this process have.
    pub(crate) shared: &'a HeaderMap,
}

/// The stored bytes are damaged.
#[derive(Debug)]
pub(crate) struct Damaged;

impl Ready {
    /// A view as stored.
    pub(crate) fn stored(stored: body::Body, position: Position) -> Self {
        Self::new(stored.meta, Source::Gzip(stored.gzip), text(position.to_string()))
    }

    /// A payload that was joined from others.
    pub(crate) fn joined(payload: Bytes, meta: Meta, position: Position) -> Self {
        Self::new(meta, Source::Identity(payload), text(position.to_string()))
    }

    /// A payload that was made from views of several accounts; `token` moves with any of them.
    pub(crate) fn composed(payload: Bytes, meta: Meta, token: HeaderValue) -> Self {
        Self::new(meta, Source::Identity(payload), token)
    }

    fn new(meta: Meta, source: Source, position: HeaderValue) -> Self {
        let time = |time: Second| (time > Second(0)).then(|| text(time.to_string()));
        let tagged = |suffix: &str| Representation {
            etag: text(format!("\"{:016x}{suffix}\"", meta.hash)),
            whole: OnceLock::new(),
            known: OnceLock::new(),
        };
        Ready {
            source,
            other: OnceLock::new(),
            identity: tagged(""),
            gzip: (meta.length >= GZIP_BYTES_MIN).then(|| tagged("-g")),
            as_of: time(meta.as_of),
            checked_at: meta.checked_ms.filter(|at| *at < NEVER).and_then(|at| time(at.to_second())),
            position,
            meta,
        }
    }

    /// What it takes in memory, with both forms of the bytes.
    pub(crate) fn bytes(&self) -> usize {
        let gzip = match &self.source {
            Source::Gzip(gzip) => gzip.len(),
            Source::Identity(_) => 0,
        };
        let identity = usize::try_from(self.meta.length).unwrap_or(usize::MAX);
        gzip.saturating_add(identity).saturating_add(self.meta.name.len())
    }

    /// When the part of it that was checked longest ago was checked.
    pub(crate) fn checked(&self) -> Option<Millis> {
        self.meta.checked_ms.filter(|at| *at < NEVER)
    }

    /// The payload as it is.
    pub(crate) fn identity(&self) -> Result<&Bytes, Damaged> {
        match &self.source {
            Source::Identity(payload) => Ok(payload),
            Source::Gzip(gzip) => {
                self.other.get_or_init(|| body::inflate(gzip, self.meta.length)).as_ref().ok_or(Damaged)
            }
        }
    }

    /// Where in the log it stands.
    pub(crate) fn position(&self) -> &HeaderValue {
        &self.position
    }

    /// The tag of the payload as it is.
    pub(crate) fn etag(&self) -> &HeaderValue {
        &self.identity.etag
    }

    /// Makes the other form of the bytes now.
    pub(crate) fn prepare(&self) -> Result<(), Damaged> {
        if self.gzip.is_some() { self.gzip().map(drop) } else { Ok(()) }
    }

    fn gzip(&self) -> Result<&Bytes, Damaged> {
        match &self.source {
            Source::Gzip(gzip) => Ok(gzip),
            Source::Identity(payload) => {
                self.other.get_or_init(|| Some(deflate(payload))).as_ref().ok_or(Damaged)
            }
        }
    }

    /// The answer to a GET with these headers; to a HEAD as well, once its body is taken away.
    pub(crate) fn answer(&self, request: &HeaderMap, now: &Circumstances<'_>) -> Result<Response, Damaged> {
        let gzip = self.gzip.as_ref().filter(|_| encoding::accepts_gzip(request));
        let form = gzip.unwrap_or(&self.identity);
        let (status, headers, body) = if conditional::is_known(request, form.etag.as_bytes()) {
            let headers = form.known.get_or_init(|| self.headers_beside(form, now.shared));
            (StatusCode::NOT_MODIFIED, headers, Body::empty())
        } else {
            let bytes = if gzip.is_some() { self.gzip()? } else { self.identity()? };
            let headers = form.whole.get_or_init(|| {
                let mut headers = self.headers_beside(form, now.shared);
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                if gzip.is_some() {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                headers
            });
            (StatusCode::OK, headers, Body::from(bytes.clone()))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        if now.is_complete != self.meta.complete {
            response.headers_mut().insert(&names::COMPLETE, names::complete(now.is_complete));
        }
        Ok(response)
    }

    /// The headers that an answer has with the bytes and without.
    fn headers_beside(&self, form: &Representation, shared: &HeaderMap) -> HeaderMap {
        let mut headers = shared.clone();
        headers.insert(header::ETAG, form.etag.clone());
        if let Some(as_of) = &self.as_of {
            headers.insert(&names::AS_OF, as_of.clone());
        }
        if let Some(checked_at) = &self.checked_at {
            headers.insert(&names::CHECKED_AT, checked_at.clone());
        }
        headers.insert(&names::POSITION, self.position.clone());
        headers.insert(&names::COMPLETE, names::complete(self.meta.complete));
        headers
    }
}

/// A text of ours as a header.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain ASCII")
}

fn deflate(payload: &[u8]) -> Bytes {
    let mut encoder =
        GzEncoder::new(Vec::with_capacity(payload.len() / 4 + 64), Compression::new(GZIP_LEVEL));
    let gzip = encoder.write_all(payload).and_then(|()| encoder.finish());
    gzip.expect("writing to memory does not fail").into()
}
