//! The door: where signed deliveries come in, GitHub's and Bitbucket's.
//!
//! On a delivery's journey this is the first room. [`door`] reads its head, lets its body in as far as there
//! is room for it, checks the signature while the bytes arrive, asks `github` which accounts it concerns,
//! appends one record for each to the log, all in one append, and answers when they are durable. What the
//! delivery means is none of its business.
//!
//! *Architecture invariant*: the door never looks at the view store and parses nothing before the
//! signature fits. A 2xx means durable.

mod answer;
mod append;
mod bitbucket;
mod door;
mod in_flight;
mod metrics;
mod receive;
mod record;
mod secrets;
mod throttle;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use event_log::EventLog;
use utoipa::OpenApi as _;

use self::{append::Appender, door::Door, in_flight::InFlight};
pub use self::{metrics::IngestMetrics, secrets::SharedSecrets};

/// Where deliveries are accepted, as written in the router: for labels of metrics.
pub const ROUTES: [&str; 3] = ["/webhooks/github", "/api/github/webhooks", BITBUCKET];

/// Where those of Bitbucket are.
const BITBUCKET: &str = "/webhooks/bitbucket";

#[derive(utoipa::OpenApi)]
#[openapi(paths(door::deliver, bitbucket::deliver))]
struct Document;

/// The door's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// What the door stands on.
pub struct IngestDeps {
    /// Where deliveries become durable.
    pub log: Arc<dyn EventLog>,
    /// What they may be signed with; may be replaced at any time.
    pub secrets: SharedSecrets,
    /// How much is let in at once, and for how long.
    pub limits: IngestLimits,
    /// What is counted.
    pub metrics: IngestMetrics,
}

/// How much is let in at once, and for how long.
#[derive(Debug, Clone)]
pub struct IngestLimits {
    /// Bytes of bodies in memory at once, from their arrival until they are durable. Bodies above 1 MiB share
    /// three quarters of it, so that ordinary deliveries always find room; a body above that is never let
    /// in, so keep it above 100 MiB (a form may have 75).
    pub bytes_in_flight_max: usize,
    /// Requests that are being read or appended at once. Each slow sender takes one for as long as
    /// [`Self::body_timeout`], so a low bound would let a single host shut the door for others.
    pub requests_in_flight_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long the log may take until the sender is told to come back. GitHub itself waits for 10 s.
    pub append_timeout: Duration,
}

impl Default for IngestLimits {
    fn default() -> Self {
        IngestLimits {
            // The log and the projector hold one of the largest in other forms too, which comes to about 100 MiB:
            // together it stays below 256 MiB, whatever is sent.
            bytes_in_flight_max: 128 << 20,
            requests_in_flight_max: 10_000,
            body_timeout: Duration::from_secs(30),
            append_timeout: Duration::from_secs(8),
        }
    }
}

/// The door. Copies share everything.
#[derive(Clone)]
pub struct Ingest {
    door: Arc<Door>,
}

impl Ingest {
    /// Builds the door; it takes nothing in before its router is served.
    pub fn new(deps: IngestDeps) -> Self {
        let IngestDeps { log, secrets, limits, metrics } = deps;
        metrics.expect_secrets(secrets.current().names());
        let in_flight = InFlight::new(
            limits.bytes_in_flight_max,
            limits.requests_in_flight_max,
            metrics.bytes_in_flight.clone(),
        );
        let appender = Appender::new(log, limits.append_timeout, metrics.append_seconds.clone());
        Ingest { door: Arc::new(Door::new(secrets, in_flight, appender, limits.body_timeout, metrics)) }
    }

    /// [`ROUTES`], for POST; other methods are answered 405.
    pub fn router(&self) -> Router {
        ROUTES.into_iter().fold(Router::new(), |router, path| {
            let door = if path == BITBUCKET { post(bitbucket::deliver) } else { post(door::deliver) };
            router.route(path, door.fallback(door::other_method).with_state(Arc::clone(&self.door)))
        })
    }

    /// Waits for the appends whose senders no longer wait. Call it at the end, when the router is no longer
    /// served and before the log is closed.
    pub async fn drained(&self) {
        self.door.drained().await;
    }
}
