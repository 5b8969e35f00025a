//! `POST /admin/dead-letters/retry {"ids":[…]}`: fold records again, after what kept them from it was mended.

use axum::{Json, extract::State};
use domain::{Event, RowKey, directory::DeadLetter, record::COPIED_VERSION};
use event_log::Record;
use serde::Serialize;

use super::{
    input::{Ids, Input, check_count},
    letters::{self, Letter},
};
use crate::{
    protocol::problem::Problem,
    rows::ReadError,
    window::{Shared, Window},
};

/// What came of each dead letter.
#[derive(Serialize)]
pub(super) struct Ended {
    pub(super) dead_letters: Vec<EndedLetter>,
}

/// What came of one.
#[derive(Serialize)]
pub(super) struct EndedLetter {
    pub(super) id: String,
    /// `retried`; `dead_again`, then `now` is its new id and `reason` says why; `dropped`; `no_record` when
    /// the log does not hold it any more; `unknown` when no dead letter has this id.
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) now: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl EndedLetter {
    pub(super) fn new(id: String, state: &'static str) -> Self {
        EndedLetter { id, state, now: None, reason: None }
    }
}

pub(super) async fn post(
    State(window): State<Shared>,
    Input(Ids { ids }): Input<Ids>,
) -> Result<Json<Ended>, Problem> {
    check_count(&ids)?;
    let letters = letters::all(&window).await?;
    let mut ended: Vec<EndedLetter> = Vec::with_capacity(ids.len());
    for id in ids {
        let letter = letters.iter().find(|letter| letter.position.to_string() == id);
        let is_repeated = ended.iter().any(|ended| ended.id == id);
        let outcome = match letter {
            Some(letter) if !is_repeated => retry(&window, letter, id).await?,
            _ => EndedLetter::new(id, "unknown"),
        };
        ended.push(outcome);
    }
    Ok(Json(Ended { dead_letters: ended }))
}

async fn retry(window: &Window, letter: &Letter, id: String) -> Result<EndedLetter, Problem> {
    let Some(record) = letters::record(window, letter).await? else {
        return Ok(EndedLetter::new(id, "no_record"));
    };
    // A record that is appended again is a new one, whether or not it had been copied.
    let headers = record.headers.into_iter().filter(|(name, _)| name != COPIED_VERSION).collect();
    let again = Record { dedupe: None, headers, ..record };
    let end = end(window, letter, format!("retry {id}"));
    let positions = window.command(vec![again, end]).await?;
    let versions = window.commands.versions(&positions);
    let Some((position, (_, version))) = positions.first().zip(versions.first()) else {
        return Ok(EndedLetter::new(id, "retried"));
    };
    let row = window.store.get(&RowKey::DeadLetter(letter.stream, *version)).await?;
    let row = row.map(|row| DeadLetter::decode(&row.value)).transpose().map_err(|_| ReadError::Unreadable)?;
    Ok(match row {
        Some(DeadLetter::Dead { reason, .. }) => EndedLetter {
            now: Some(position.to_string()),
            reason: Some(reason),
            ..EndedLetter::new(id, "dead_again")
        },
        Some(DeadLetter::Ended) | None => EndedLetter::new(id, "retried"),
    })
}

/// The record that ends a dead letter, on its own stream.
pub(super) fn end(window: &Window, letter: &Letter, id: String) -> Record {
    let event = Event::DeadLetterEnded { version: letter.version };
    window.commands.record(letter.stream, id, vec![event])
}
