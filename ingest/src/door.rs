//! One delivery, from its headers to its answer. The order of the checks is the contract's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
};
use boot::{clock, http::PeerAddress};
use domain::Millis;
use event_log::{Appended, Record};
use github::{
    body::{TooLarge, VerifiedBody},
    headers::{self, DeliveryHeaders, DeliveryId, EventName},
};
use http::{HeaderMap, request::Parts};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tracing::Level;

use crate::{
    SharedSecrets,
    answer::{Heard, Refusal},
    append::Appender,
    in_flight::InFlight,
    metrics::IngestMetrics,
    receive::receive,
    record,
    throttle::Throttle,
};

/// GitHub's event name of the greeting that a new hook sends.
const PING: &str = "ping";

/// Reading a body up to this size takes less time than handing it to another thread.
const READ_INLINE_BYTES_MAX: usize = 256 << 10;

/// How many larger bodies are read at once, on other threads: their reading is all computation, and ordinary
/// deliveries need the processors too.
const READ_ASIDE_MAX: usize = 2;

/// Of one kind: enough to see what happens, too few to fill a disk.
const WARNINGS_PER_MINUTE: u32 = 10;

/// What all deliveries share.
pub(crate) struct Door {
    pub(crate) secrets: SharedSecrets,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) appender: Appender,
    pub(crate) body_timeout: Duration,
    pub(crate) metrics: IngestMetrics,
    reading_aside: Semaphore,
    unsigned_warnings: Throttle,
    busy_warnings: Throttle,
    encoded_secret_warnings: Throttle,
}

/// When a delivery's headers had been read, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) received_at: Millis,
}

/// A delivery of GitHub's.
///
/// `202` means that it is on disk. Also under `/api/github/webhooks`. The signature is checked over the bytes as sent,
/// before anything is read from them; at most 25 MiB, as a form 75 MiB.
#[utoipa::path(
    post,
    operation_id = "deliver",
    path = "/webhooks/github",
    tag = "deliveries",
    request_body(content = Object, description = "The payload as GitHub signs it.", content_type = "application/json"),
    params(
        ("X-GitHub-Event" = String, Header, description = "The event's name."),
        ("X-GitHub-Delivery" = String, Header, description = "The delivery's id."),
        ("X-Hub-Signature-256" = String, Header, description = "`sha256=` and the HMAC of the body, lower case.")
    ),
    responses(
        (status = 202, description = "Accepted and durable."),
        (status = 200, description = "A duplicate of one that is durable already, or a ping."),
        (status = 400, description = "A header is missing or ill-formed, or the body is not JSON."),
        (status = 401, description = "The signature is missing or wrong."),
        (status = 405, description = "Only POST is taken."),
        (status = 413, description = "The body is too large."),
        (status = 415, description = "The content type is neither JSON nor a form."),
        (status = 503, description = "Too much at once, or the log did not answer in time: `Retry-After` says when to come again.")
    )
)]
pub(crate) async fn deliver(State(door): State<Arc<Door>>, request: Request) -> Response {
    let arrival = Arrival { at: Instant::now(), received_at: Millis(clock::now_ms()) };
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    match door.take_in(&head.headers, body, arrival).await {
        Ok((delivery, heard)) => {
            if heard != Heard::Pong {
                door.metrics.ack_seconds.observe(arrival.at.elapsed().as_secs_f64());
            }
            door.metrics.count(Some(delivery.event.as_str()), heard.outcome());
            heard.response(delivery.delivery.as_str())
        }
        Err(refusal) => {
            door.report(&refusal, &head);
            refusal.response(has_body)
        }
    }
}

/// Any other method.
pub(crate) async fn other_method(request: Request) -> Response {
    Refusal::Method.response(!request.body().is_end_stream())
}

impl Door {
    pub(crate) fn new(
        secrets: SharedSecrets,
        in_flight: Arc<InFlight>,
        appender: Appender,
        body_timeout: Duration,
        metrics: IngestMetrics,
    ) -> Self {
        Door {
            secrets,
            in_flight,
            appender,
            body_timeout,
            metrics,
            reading_aside: Semaphore::new(READ_ASIDE_MAX),
            unsigned_warnings: Throttle::new(WARNINGS_PER_MINUTE),
            busy_warnings: Throttle::new(WARNINGS_PER_MINUTE),
            encoded_secret_warnings: Throttle::new(1),
        }
    }

    pub(crate) async fn drained(&self) {
        self.appender.drained().await;
    }

    /// Headers, size, room, signature, JSON, log: in this order, and nothing is parsed before it is signed.
    async fn take_in(
        &self,
        head: &HeaderMap,
        body: Body,
        arrival: Arrival,
    ) -> Result<(DeliveryHeaders, Heard), Refusal> {
        let delivery = DeliveryHeaders::parse(head)?;
        let declared = declared_length(&body);
        let bytes_max = delivery.content.bytes_max();
        if declared.is_some_and(|length| length > bytes_max) {
            return Err(TooLarge { bytes_max }.into());
        }
        let signature = headers::signature(head).map_err(|_| Refusal::Unsigned)?;
        let mut held = self.in_flight.admit(declared)?;
        let verifier = self.secrets.current().verifier(signature);
        let body = receive(body, declared, delivery.content, verifier, &mut held, self.body_timeout).await?;
        self.metrics.signed_with(body.by().name(), arrival.received_at);
        self.warn_of_encoded_secret(&delivery);

        let (delivery, records) = self.read(delivery, body, arrival.received_at).await?;
        let installation = installation_for_log(&records);
        let heard = match delivery.event.as_str() {
            PING => Heard::Pong,
            _ => match self.appender.append(records, held).await? {
                Appended::New(_) => Heard::Accepted,
                Appended::Duplicate => Heard::Duplicate,
            },
        };
        tracing::debug!(
            github_event_type = delivery.event.as_str(),
            github_delivery_id = delivery.delivery.as_str(),
            github_installation_id = installation,
            result = heard.outcome().as_str(),
            "a delivery came in"
        );
        Ok((delivery, heard))
    }

    /// Makes the records, on another thread if that takes long.
    async fn read(
        &self,
        delivery: DeliveryHeaders,
        body: VerifiedBody,
        received_at: Millis,
    ) -> Result<(DeliveryHeaders, Vec<Record>), Refusal> {
        if body.raw().len() <= READ_INLINE_BYTES_MAX {
            let records = record::records(&delivery, &body, received_at)?;
            return Ok((delivery, records));
        }
        let _turn = self.reading_aside.acquire().await.expect("the semaphore is never closed");
        let read = tokio::task::spawn_blocking(move || {
            let records = record::records(&delivery, &body, received_at)?;
            Ok((delivery, records))
        });
        match read.await {
            Ok(read) => read,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// For months GitHub sent the secret itself in a header, where any proxy may have written it down. Only
    /// of signed deliveries, so that a stranger cannot raise the alarm.
    fn warn_of_encoded_secret(&self, delivery: &DeliveryHeaders) {
        if !delivery.has_encoded_secret {
            return;
        }
        self.metrics.encoded_secrets.inc();
        if let Some(suppressed) = self.encoded_secret_warnings.pass(Instant::now()) {
            tracing::warn!(
                github_hook_id = delivery.hook_id,
                suppressed,
                "a delivery brought its webhook's secret along in X-GitHub-Encoded-Secret; \
                 it was dropped, but others may have seen it: change the secret"
            );
        }
    }

    /// Counts what was not taken in, and says so where a person should look into it.
    pub(crate) fn report(&self, refusal: &Refusal, head: &Parts) {
        let event = EventName::of(&head.headers).ok();
        let event = event.as_ref().map(EventName::as_str);
        let delivery = DeliveryId::of(&head.headers).ok();
        let delivery = delivery.as_ref().map(DeliveryId::as_str);
        let peer = head.extensions.get::<PeerAddress>().map(|peer| peer.0.to_string());
        self.metrics.count(event, refusal.outcome());
        match refusal {
            Refusal::Unsigned | Refusal::WronglySigned => {
                self.metrics.unsigned();
                if let Some(suppressed) = self.unsigned_warnings.pass(Instant::now()) {
                    tracing::warn!(
                        github_event_type = event,
                        github_delivery_id = delivery,
                        peer,
                        suppressed,
                        "a delivery was refused: its signature is missing or does not fit"
                    );
                }
            }
            Refusal::Busy => {
                if let Some(suppressed) = self.busy_warnings.pass(Instant::now()) {
                    tracing::warn!(suppressed, "a delivery was refused: too much is in flight");
                }
            }
            // Who appends has said what is wrong with the log.
            Refusal::NotAppended(_) => {}
            _ => tracing::debug!(
                github_event_type = event,
                github_delivery_id = delivery,
                peer,
                reason = refusal.message(),
                "a delivery was refused"
            ),
        }
    }
}

/// What the body's framing says about its length; nothing if it comes in chunks.
pub(crate) fn declared_length(body: &Body) -> Option<usize> {
    body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

/// The App installation that sent the delivery. Nothing but the log wants to know, so nothing is parsed for
/// it unless that is written.
fn installation_for_log(records: &[Record]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Payload {
        installation: Installation,
    }
    #[derive(Deserialize)]
    struct Installation {
        id: u64,
    }
    if !tracing::enabled!(Level::DEBUG) {
        return None;
    }
    let payload: Payload = serde_json::from_slice(&records.first()?.body).ok()?;
    Some(payload.installation.id)
}
