//! Names of our own headers, and values that many answers share.

use http::{HeaderName, HeaderValue};

/// The newest forge time of anything in the payload, RFC 3339.
pub(crate) static AS_OF: HeaderName = HeaderName::from_static("tallyhook-as-of");
/// When the part of it that was checked longest ago was checked with the forge, RFC 3339.
pub(crate) static CHECKED_AT: HeaderName = HeaderName::from_static("tallyhook-checked-at");
/// Where in the log it stands; opaque.
pub(crate) static POSITION: HeaderName = HeaderName::from_static("tallyhook-position");
/// Whether every number in it is known, settled and checked lately.
pub(crate) static COMPLETE: HeaderName = HeaderName::from_static("tallyhook-complete");

/// The headers that a web page may read beside the usual ones.
pub(crate) const EXPOSED: &str = "ETag, Link, Retry-After, Tallyhook-As-Of, Tallyhook-Checked-At, \
                                  Tallyhook-Complete, Tallyhook-Position";

/// Ask again each time, and be told that nothing changed: a repository may go private. What a key opened is
/// kept by nobody.
pub(crate) fn cache_control(is_keyed: bool) -> HeaderValue {
    HeaderValue::from_static(if is_keyed { "private, no-store" } else { "public, no-cache" })
}

/// The value of [`COMPLETE`].
pub(crate) fn complete(is_complete: bool) -> HeaderValue {
    HeaderValue::from_static(if is_complete { "true" } else { "false" })
}
