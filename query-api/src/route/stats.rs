//! `GET /stats` (S4): averages over the newest public repositories, filtered.

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    latest::Payload,
    protocol::{latest_filter, problem::Problem},
    window::Shared,
};

pub(super) async fn get(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let filter = latest_filter::read(request.uri())?;
    window.answer_latest(Payload::Stats, filter, request.headers()).await
}
