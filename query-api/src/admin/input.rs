//! What admin calls carry.

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use super::ITEMS_MAX;
use crate::protocol::problem::Problem;

/// A JSON body; anything else is refused in the words of our other refusals.
pub(super) struct Input<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(input)) => Ok(Input(input)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
                "Send the body as application/json.",
            )
            .into_response()),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(rejection.status(), "too-large", "Too large", "The body is too large.")
                    .into_response())
            }
            Err(rejection) => Err(Problem::bad_request(rejection.body_text()).into_response()),
        }
    }
}

/// Logins to do something to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logins {
    pub(super) logins: Vec<String>,
}

/// One login.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneLogin {
    pub(super) login: String,
}

/// Dead letters, each `partition:offset`, or API keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ids {
    pub(super) ids: Vec<String>,
}

/// Refuses a call with more items than one call may have.
pub(super) fn check_count<T>(items: &[T]) -> Result<(), Problem> {
    if items.len() <= ITEMS_MAX {
        return Ok(());
    }
    Err(Problem::bad_request(format!("at most {ITEMS_MAX} in one call")))
}
