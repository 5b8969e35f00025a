//! `GET /admin/dead-letters` and `GET /admin/dead-letters/{id}`: what could not be folded, and why.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use event_log::Record;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    letters::{self, Letter},
    time,
};
use crate::{
    protocol::{path::Segments, problem::Problem},
    window::Shared,
};

#[derive(Serialize)]
pub(super) struct List {
    dead_letters: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    /// `partition:offset`.
    id: String,
    /// What the record's source called it: a delivery's GUID.
    record_id: String,
    kind: String,
    stream: String,
    received_at: Option<String>,
    reason: String,
}

impl Summary {
    fn of(letter: &Letter) -> Self {
        Summary {
            id: letter.position.to_string(),
            record_id: letter.id.clone(),
            kind: letter.kind.clone(),
            stream: letter.stream.to_string(),
            received_at: time(letter.received),
            reason: letter.reason.clone(),
        }
    }
}

pub(super) async fn list(State(window): State<Shared>) -> Result<Json<List>, Problem> {
    let letters = letters::all(&window).await?;
    Ok(Json(List { dead_letters: letters.iter().map(Summary::of).collect() }))
}

#[derive(Serialize)]
pub(super) struct Details {
    #[serde(flatten)]
    summary: Summary,
    /// `None` when the log does not hold the record any more.
    record: Option<Told>,
}

#[derive(Serialize)]
struct Told {
    headers: BTreeMap<String, String>,
    /// The body, where it is JSON.
    body: Option<Box<RawValue>>,
    /// The body as text, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_text: Option<String>,
}

impl Told {
    fn of(record: Record) -> Self {
        let body: Option<Box<RawValue>> = serde_json::from_slice(&record.body).ok();
        let body_text = body.is_none().then(|| String::from_utf8_lossy(&record.body).into_owned());
        Told { headers: record.headers.into_iter().collect(), body, body_text }
    }
}

pub(super) async fn get(
    State(window): State<Shared>,
    Segments(id): Segments<String>,
) -> Result<Json<Details>, Problem> {
    let letters = letters::all(&window).await?;
    let letter = letters.iter().find(|letter| letter.position.to_string() == id);
    let letter = letter.ok_or_else(Problem::no_such_path)?;
    let record = letters::record(&window, letter).await?;
    Ok(Json(Details { summary: Summary::of(letter), record: record.map(Told::of) }))
}
