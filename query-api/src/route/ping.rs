//! `GET /ping` (S4): that somebody is there.

use std::sync::LazyLock;

use axum::{
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use domain::{
    Second,
    view::body::{self, Meta},
};
use http::HeaderValue;

use crate::{
    protocol::problem::Problem,
    ready::{Circumstances, Ready},
    window::Shared,
};

const PONG: &[u8] = br#"{"status":"pong"}"#;

/// It is made of nothing that could change.
const POSITION: HeaderValue = HeaderValue::from_static("0");

static READY: LazyLock<Ready> = LazyLock::new(|| {
    let meta = Meta {
        hash: body::hash(PONG),
        length: u32::try_from(PONG.len()).expect("it is short"),
        as_of: Second(0),
        checked_ms: None,
        complete: true,
        name: String::new(),
    };
    Ready::composed(Bytes::from_static(PONG), meta, POSITION)
});

pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let now = Circumstances { is_complete: true, shared: window.shared_headers() };
    Ok(READY.answer(request.headers(), &now)?)
}
