//! One delivery of Bitbucket's: the same door, with other headers. What it means is asked for, so nothing of its body
//! counts but whose it is.

use std::{sync::Arc, time::Instant};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
};
use bitbucket::delivery::{self, DELIVERY, EVENT, HOOK, SIGNATURE};
use boot::clock;
use domain::{Millis, record::BITBUCKET_DELIVERY};
use event_log::{Appended, DedupeKey, Record};
use github::{
    body::{JSON_BYTES_MAX, TooLarge, VerifiedBody},
    delivery::{identity, is_too_deep},
    headers::{self, ContentKind, HeaderError},
    signature::SignatureHeader,
};
use http::HeaderMap;

use crate::{
    answer::{Heard, Refusal},
    door::{Arrival, Door, declared_length},
    receive::receive,
    record::Unreadable,
};

/// What the headers say, signature aside.
struct Told {
    event: String,
    delivery: String,
    hook: Option<String>,
}

/// A delivery of Bitbucket's.
///
/// `202` means that it is on disk. The signature is checked over the bytes as sent, before anything is read from them.
/// Whatever it tells of a repository, its workspace is asked for anew.
#[utoipa::path(
    post,
    operation_id = "deliver_from_bitbucket",
    path = "/webhooks/bitbucket",
    tag = "deliveries",
    request_body(content = Object, description = "The payload as Bitbucket signs it.", content_type = "application/json"),
    params(
        ("X-Event-Key" = String, Header, description = "The event's key."),
        ("X-Request-UUID" = String, Header, description = "The delivery's id."),
        ("X-Hub-Signature" = String, Header, description = "`sha256=` and the HMAC of the body, lower case.")
    ),
    responses(
        (status = 202, description = "Accepted and durable."),
        (status = 200, description = "A duplicate of one that is durable already."),
        (status = 400, description = "A header is missing or ill-formed, or the body is not JSON."),
        (status = 401, description = "The signature is missing or wrong."),
        (status = 405, description = "Only POST is taken."),
        (status = 413, description = "The body is too large."),
        (status = 415, description = "The content type is not JSON."),
        (status = 503, description = "Too much at once, or the log did not answer in time: `Retry-After` says when to come again.")
    )
)]
pub(crate) async fn deliver(State(door): State<Arc<Door>>, request: Request) -> Response {
    let arrival = Arrival { at: Instant::now(), received_at: Millis(clock::now_ms()) };
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    match take_in(&door, &head.headers, body, arrival).await {
        Ok((delivery, heard)) => {
            door.metrics.ack_seconds.observe(arrival.at.elapsed().as_secs_f64());
            door.metrics.count(None, heard.outcome());
            heard.response(&delivery)
        }
        Err(refusal) => {
            door.report(&refusal, &head);
            refusal.response(has_body)
        }
    }
}

/// Headers, size, room, signature, JSON, log: in this order, and nothing is parsed before it is signed.
async fn take_in(
    door: &Door,
    head: &HeaderMap,
    body: Body,
    arrival: Arrival,
) -> Result<(String, Heard), Refusal> {
    let told = Told::of(head)?;
    let declared = declared_length(&body);
    if declared.is_some_and(|length| length > JSON_BYTES_MAX) {
        return Err(TooLarge { bytes_max: JSON_BYTES_MAX }.into());
    }
    let claim = single(head, SIGNATURE).ok().flatten().ok_or(Refusal::Unsigned)?;
    let signature = SignatureHeader::parse(claim.as_bytes()).map_err(|_| Refusal::Unsigned)?;
    let mut held = door.in_flight.admit(declared)?;
    let verifier = door.secrets.current().verifier(signature);
    let body = receive(body, declared, ContentKind::Json, verifier, &mut held, door.body_timeout).await?;
    door.metrics.signed_with(body.by().name(), arrival.received_at);
    let record = told.record(&body, arrival.received_at)?;
    let heard = match door.appender.append(vec![record], held).await? {
        Appended::New(_) => Heard::Accepted,
        Appended::Duplicate => Heard::Duplicate,
    };
    tracing::debug!(
        bitbucket_event_key = told.event,
        bitbucket_request_id = told.delivery,
        result = heard.outcome().as_str(),
        "a delivery came in"
    );
    Ok((told.delivery, heard))
}

impl Told {
    fn of(head: &HeaderMap) -> Result<Self, HeaderError> {
        let required = |name, fits: fn(&str) -> bool| {
            let value = single(head, name)?.ok_or(HeaderError::Missing(name))?;
            if fits(value) { Ok(value.to_owned()) } else { Err(HeaderError::IllFormed(name)) }
        };
        let event = required(EVENT, delivery::is_event)?;
        let id = required(DELIVERY, delivery::is_delivery)?;
        let hook = single(head, HOOK)?.filter(|hook| delivery::is_delivery(hook));
        match headers::content_kind(head)? {
            ContentKind::Json => Ok(Told { event, delivery: id, hook: hook.map(str::to_owned) }),
            ContentKind::Form => Err(HeaderError::ContentTypeUnknown),
        }
    }

    fn record(&self, body: &VerifiedBody, received_at: Millis) -> Result<Record, Unreadable> {
        let json = body.raw();
        let stream = delivery::route(json).map_err(|_| Unreadable::NotJson)?;
        if is_too_deep(json) {
            return Err(Unreadable::TooDeep);
        }
        // A name that no hook of GitHub's has: those are numbers.
        let hook = format!("bitbucket {}", self.hook.as_deref().unwrap_or_default());
        let mut kept =
            vec![(EVENT.to_owned(), self.event.clone()), (DELIVERY.to_owned(), self.delivery.clone())];
        kept.extend(self.hook.as_ref().map(|hook| (HOOK.to_owned(), hook.clone())));
        Ok(Record {
            stream,
            id: self.delivery.clone(),
            dedupe: Some(DedupeKey(identity(&self.delivery, Some(&hook), json))),
            kind: BITBUCKET_DELIVERY.to_owned(),
            received_at,
            headers: kept,
            body: json.clone(),
        })
    }
}

/// The value of a header that may stand once; one that is no text counts as ill-formed.
fn single<'h>(head: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, HeaderError> {
    let mut values = head.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(HeaderError::Repeated(name)),
        (None, None) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| HeaderError::IllFormed(name)),
    }
}
