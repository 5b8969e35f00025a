//! What a sender is told: a status, and a line of JSON for the person who reads it in GitHub's list of recent
//! deliveries.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use boot::http::body::BodyError;
use github::{body::TooLarge, form::FormError, headers::HeaderError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{append::NotAppended, in_flight::Busy, metrics::Outcome, record::Unreadable};

/// When to come back, in seconds. GitHub does not by itself; look-alikes and scripts may.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const POST: HeaderValue = HeaderValue::from_static("POST");

/// One text for every way in which a signature can be wrong: a stranger learns nothing from it.
const UNSIGNED: &str = "The signature is missing or does not fit. Give the hook a secret that Tallyhook knows \
    (TALLYHOOK_WEBHOOK_SECRET), so that X-Hub-Signature-256 (Bitbucket: X-Hub-Signature) is sent, then redeliver.";

/// What became of a delivery that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Accepted,
    Duplicate,
    Pong,
}

/// Why a delivery was not taken in.
#[derive(Debug)]
pub(crate) enum Refusal {
    Headers(HeaderError),
    Method,
    /// The signature is missing or ill-formed; the body was not read.
    Unsigned,
    /// The body was read, and no secret of ours fits.
    WronglySigned,
    TooLarge(TooLarge),
    Body(BodyError),
    Unreadable(Unreadable),
    Busy,
    NotAppended(NotAppended),
}

#[derive(Serialize)]
struct HeardBody<'a> {
    delivery: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct RefusedBody<'a> {
    status: &'static str,
    message: &'a str,
}

impl Heard {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Heard::Accepted => Outcome::Accepted,
            Heard::Duplicate => Outcome::Duplicate,
            Heard::Pong => Outcome::Pong,
        }
    }

    pub(crate) fn response(self, delivery: &str) -> Response {
        let status = if self == Heard::Accepted { StatusCode::ACCEPTED } else { StatusCode::OK };
        json(status, &HeardBody { delivery, status: self.outcome().as_str() })
    }
}

impl Refusal {
    pub(crate) fn outcome(&self) -> Outcome {
        if self.status() == StatusCode::SERVICE_UNAVAILABLE { Outcome::Unavailable } else { Outcome::Refused }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::Headers(error) if error.is_content_type() => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Headers(_) | Refusal::Body(BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Unsigned | Refusal::WronglySigned => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge(_)
            | Refusal::Unreadable(Unreadable::Form(FormError::TooLarge))
            | Refusal::NotAppended(NotAppended::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Body(BodyError::TimedOut) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Unreadable(_) => StatusCode::BAD_REQUEST,
            Refusal::Busy | Refusal::NotAppended(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the body was read to its end, so that the connection can go on.
    fn read_the_body(&self) -> bool {
        match self {
            Refusal::WronglySigned | Refusal::Unreadable(_) | Refusal::NotAppended(_) => true,
            Refusal::Headers(_)
            | Refusal::Method
            | Refusal::Unsigned
            | Refusal::TooLarge(_)
            | Refusal::Body(_)
            | Refusal::Busy => false,
        }
    }

    /// What to do about it, for a person; says nothing of the body.
    pub(crate) fn message(&self) -> String {
        match self {
            Refusal::Headers(error) if error.is_content_type() => {
                format!("{}. Set the hook's content type to application/json.", sentence(error))
            }
            Refusal::Headers(error) => {
                format!("{}. This address takes webhook deliveries as the forge sends them.", sentence(error))
            }
            Refusal::Method => "This address takes webhook deliveries, sent by POST.".to_owned(),
            Refusal::Unsigned | Refusal::WronglySigned => UNSIGNED.to_owned(),
            Refusal::TooLarge(error) => {
                format!("{}, more than GitHub ever sends; it was read no further.", sentence(error))
            }
            Refusal::Body(BodyError::TimedOut) => "The body did not arrive in time. Redeliver it.".to_owned(),
            Refusal::Body(BodyError::Broken(_)) => {
                "The body ended early or is ill-formed. Redeliver it.".to_owned()
            }
            Refusal::Unreadable(Unreadable::NotJson) => {
                "The signature fits, but the body is no JSON object. Set the hook's content type to \
                 application/json."
                    .to_owned()
            }
            Refusal::Unreadable(Unreadable::TooDeep) => {
                "The signature fits, but the JSON is nested too deep to be a delivery.".to_owned()
            }
            Refusal::Unreadable(Unreadable::Form(error)) => {
                format!("The signature fits, but {error}. Set the hook's content type to application/json.")
            }
            Refusal::Busy => "Too many deliveries at once. Redeliver it in a moment.".to_owned(),
            Refusal::NotAppended(NotAppended::Late | NotAppended::Failed) => {
                "It could not be made durable in time, and may be kept or not. Redeliver it: a repetition \
                 does no harm."
                    .to_owned()
            }
            Refusal::NotAppended(NotAppended::Full) => {
                "More deliveries wait to be made durable than there is room for. Redeliver it in a moment."
                    .to_owned()
            }
            Refusal::NotAppended(NotAppended::TooLarge) => "It is larger than the log takes in.".to_owned(),
        }
    }

    /// The answer; `has_body` says whether the request has one.
    pub(crate) fn response(&self, has_body: bool) -> Response {
        let status = self.status();
        let body = RefusedBody { status: self.outcome().as_str(), message: &self.message() };
        let mut response = json(status, &body);
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER)),
            StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(header::ALLOW, POST)),
            _ => {}
        }
        if has_body && !self.read_the_body() {
            // Reading the rest only to throw it away would be what a hostile sender wants.
            headers.insert(header::CONNECTION, CLOSE);
        }
        response
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        Refusal::Headers(error)
    }
}

impl From<TooLarge> for Refusal {
    fn from(error: TooLarge) -> Self {
        Refusal::TooLarge(error)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Refusal::Body(error)
    }
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        Refusal::Unreadable(error)
    }
}

impl From<Busy> for Refusal {
    fn from(Busy: Busy) -> Self {
        Refusal::Busy
    }
}

impl From<NotAppended> for Refusal {
    fn from(error: NotAppended) -> Self {
        Refusal::NotAppended(error)
    }
}

/// An error's text as the beginning of a sentence.
fn sentence(error: &impl ToString) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("a struct of texts serializes");
    (status, [(header::CONTENT_TYPE, JSON)], Body::from(body)).into_response()
}
