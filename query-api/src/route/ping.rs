//! `GET /ping` (S4): that somebody is there.

use std::sync::LazyLock;

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{
    Second,
    view::body::{self, Meta},
};
use http::HeaderValue;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    protocol::problem::Problem,
    ready::{Circumstances, Ready},
    window::Shared,
};

#[derive(Serialize, ToSchema)]
struct Pong {
    status: &'static str,
}

/// It is made of nothing that could change.
const POSITION: HeaderValue = HeaderValue::from_static("0");

static READY: LazyLock<Ready> = LazyLock::new(|| {
    let pong = serde_json::to_vec(&Pong { status: "pong" }).expect("plain texts serialize");
    let meta = Meta {
        hash: body::hash(&pong),
        length: u32::try_from(pong.len()).expect("it is short"),
        as_of: Second(0),
        checked_ms: None,
        complete: true,
        name: String::new(),
    };
    Ready::composed(pong.into(), meta, POSITION)
});

/// That somebody is there.
#[utoipa::path(
    get,
    operation_id = "getPing",
    path = "/ping",
    tag = "service",
    responses((status = 200, description = "Somebody is.", body = Pong))
)]
pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let now = Circumstances { is_complete: true, shared: window.shared_headers() };
    Ok(READY.answer(request.headers(), &now)?)
}
