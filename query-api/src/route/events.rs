//! `GET /v1/events`: word of changed views as server-sent events.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::{
        IntoResponse as _, Response,
        sse::{KeepAlive, Sse},
    },
};
use http::{HeaderName, HeaderValue, header};

use crate::{
    events::{self, Changed},
    protocol::problem::{Members, Problem},
    window::Shared,
};

/// Proxies give up on a connection that is quiet for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a listener that comes back left off.
const LAST_EVENT_ID: &str = "last-event-id";

/// Asks proxies to pass events on one by one.
static BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Word of changed views, as server-sent events.
///
/// An event `view` names a view that changed, at most once a second each: read it again, with its ETag. An event
/// `missed` says that more changed than could be told: read again what you show. `Last-Event-ID` goes on where a
/// listener left off. Every 15 s there is a comment, so that the connection is known to live.
#[utoipa::path(
    get,
    operation_id = "listenToEvents",
    path = "/v1/events",
    tag = "changes",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read.")),
    responses(
        (status = 200, description = "Events, until somebody hangs up. The data of `view` is as shown here.",
            body = Changed<'static>, content_type = "text/event-stream"),
        (status = 503, description = "Too many listen.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let last_id = request.headers().get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let listener = events::listen(&window, last_id).ok_or_else(Problem::too_many_listen)?;
    let alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    let mut response = Sse::new(listener.events()).keep_alive(alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(&BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}
