//! `GET /health-check?url=…&url=…` (S1): sums over any number of profiles of GitHub and Bitbucket.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use domain::Forge;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    profiles::Refusal,
    protocol::{path, problem::Problem},
    window::{Shared, Window},
};

/// Sums over any number of profiles of GitHub and Bitbucket.
///
/// A profile that is given twice counts twice; one that does not exist is in `missing`. The same from a form:
/// `/from-git/test`.
#[utoipa::path(
    get,
    operation_id = "getHealthCheck",
    path = "/health-check",
    tag = "moved here",
    params(("url" = Vec<String>, Query, description = "`https://github.com/NAME` or `https://bitbucket.org/NAME`; once or more, at most 1 000 times.")),
    responses(
        (status = 200, description = "The sums.", body = domain::view::summary::Payload<'static>),
        (status = 400, description = "No profile is named, or something that is none.", body = Refused<'static>),
        (status = 500, description = "A forge fails, and nothing was ever known of one of the profiles.", body = Refused<'static>)
    )
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let urls: Vec<Cow<'_, str>> = path::queries(&parts.uri, "url").collect();
    answer(&window, &parts.headers, &urls).await
}

/// The answer about these profiles to somebody who asked with these headers.
pub(super) async fn answer(window: &Window, headers: &HeaderMap, urls: &[Cow<'_, str>]) -> Response {
    let ready = match window.profiles(urls).await {
        Ok(ready) => ready,
        Err(Refusal::Problem(problem)) => return problem.into_response(),
        Err(Refusal::NotProfiles(sentence)) => return refuse(StatusCode::BAD_REQUEST, "ERR3", &sentence),
        Err(Refusal::ForgeFails(forge)) => {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "ERR2", forge_fails(forge));
        }
    };
    let answered: Result<Response, Problem> = window.answer(headers, &ready).await;
    answered.into_response()
}

fn forge_fails(forge: Forge) -> &'static str {
    match forge {
        Forge::GitHub => {
            "GitHub does not answer, and nothing is known of this profile yet. It is asked again."
        }
        Forge::Bitbucket => {
            "Bitbucket does not answer, and nothing is known of this profile yet. It is asked again."
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = HealthCheckRefusal)]
struct Refused<'a> {
    /// `ERR2`: a forge fails; `ERR3`: these are no profiles.
    error: &'static str,
    /// In a sentence.
    message: &'a str,
}

/// A refusal in S1's own form.
fn refuse(status: StatusCode, error: &'static str, message: &str) -> Response {
    let body = serde_json::to_vec(&Refused { error, message }).expect("plain texts serialize");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
