//! Texts in a request's path and query, and paths that answers lead to.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, Path, path::ErrorKind},
    response::Response,
};
use http::{Uri, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// What logins and names are made of, and other unreserved characters, stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The texts of a route's path, decoded. What is not UTF-8 names nothing: 404.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        use axum::{extract::rejection::PathRejection, response::IntoResponse};

        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(texts)) => Ok(Segments(texts)),
            Err(PathRejection::FailedToDeserializePathParams(failed))
                if matches!(failed.kind(), ErrorKind::InvalidUtf8InPathParam { .. }) =>
            {
                Err(Problem::not_found().into_response())
            }
            Err(other) => Err(other.into_response()),
        }
    }
}

/// The first value of a query parameter.
pub(crate) fn query<'u>(uri: &'u Uri, name: &str) -> Option<Cow<'u, str>> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// All values of a query parameter, in order.
pub(crate) fn queries<'u>(uri: &'u Uri, name: &'u str) -> impl Iterator<Item = Cow<'u, str>> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.filter(move |(key, _)| key == name).map(|(_, value)| value)
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_readable_and_anything_else_is_encoded() {
        assert_eq!(segment("octo-org_1.~").to_string(), "octo-org_1.~");
        assert_eq!(segment("a/b\r\n\"é").to_string(), "a%2Fb%0D%0A%22%C3%A9");
    }
}
