//! `GET /v1/deliveries/{guid}`: where a delivery is on its way.

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use domain::{Millis, delivery::Outcome};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{
    protocol::{path::Segments, problem::Problem, wait_for},
    window::Shared,
};

/// Where a delivery is on its way.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Delivery)]
pub(super) struct Payload {
    delivery: Delivery,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryMembers)]
struct Delivery {
    /// As `X-GitHub-Delivery` has it.
    id: String,
    /// The event's name; null while it is only accepted.
    event: Option<String>,
    status: Status,
    /// `projected`, `ignored` (it tells nothing that is kept), `unknown` (of a kind that this release does not know)
    /// or `dead` (`tallyhook dead-letters`); null while it is only accepted.
    result: Option<&'static str>,
    /// When its headers had come.
    #[schema(format = DateTime)]
    accepted_at: Option<String>,
    /// When what it changed was written, in all accounts that it concerns.
    #[schema(format = DateTime)]
    applied_at: Option<String>,
    /// When the last view that shows it was written; a large one takes up to some seconds more.
    #[schema(format = DateTime)]
    visible_at: Option<String>,
    /// Where it is in the log: partition and offset, once for each account and hook.
    positions: Vec<String>,
}

/// How far it is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DeliveryStatus)]
enum Status {
    /// Durable, and not in the numbers yet.
    Accepted,
    /// In the numbers; a large view does not show them yet.
    Applied,
    /// Shown.
    Visible,
}

/// Where a delivery is on its way: accepted, applied, visible.
///
/// The newest 65 536 or so are remembered. The answer names no account and no repository. To wait instead of asking
/// again and again, every path under `/v1` takes `wait_for`.
#[utoipa::path(
    get,
    operation_id = "getDelivery",
    path = "/v1/deliveries/{guid}",
    tag = "deliveries",
    params(("guid" = String, Path, description = "As `X-GitHub-Delivery` has it.")),
    responses((status = 200, description = "What is known of it.", body = Payload))
)]
pub(super) async fn get(
    State(window): State<Shared>,
    Segments(id): Segments<String>,
    _: Request,
) -> Result<Response, Problem> {
    if !wait_for::is_id(&id) {
        return Err(Problem::no_such_delivery());
    }
    let trace = window.trace(&id).await?;
    // Told of beside what is folded of it: a copy for another account may still be on its way.
    let unfolded = match trace.applied_at() {
        Some(_) => None,
        None => window.unfolded(&id).await,
    };
    if trace.is_empty() && unfolded.is_none() {
        return Err(Problem::no_such_delivery());
    }
    let shown_at = trace.visible_at().filter(|_| !window.shows_older());
    let status = match (trace.applied_at(), shown_at) {
        (_, Some(_)) => Status::Visible,
        (Some(_), None) => Status::Applied,
        (None, None) => Status::Accepted,
    };
    let text = |at: Option<Millis>| at.map(|at| at.to_string());
    let waiting = unfolded.iter().map(|unfolded| unfolded.position);
    let received = trace.received_at().into_iter().chain(unfolded.iter().map(|unfolded| unfolded.received));
    let payload = Payload {
        delivery: Delivery {
            event: (!trace.is_empty()).then(|| trace.event().to_owned()),
            status,
            result: trace.outcome().map(Outcome::as_str),
            accepted_at: text(received.min()),
            applied_at: text(trace.applied_at()),
            visible_at: text(shown_at),
            positions: trace.positions().chain(waiting).map(|position| position.to_string()).collect(),
            id,
        },
    };
    let mut response = axum::Json(payload).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
