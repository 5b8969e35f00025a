//! `POST /admin/dead-letters/drop {"ids":[…]}`: give records up; they stay in the log.

use axum::{Json, extract::State};

use super::{
    input::{Ids, Input, check_count},
    letters,
    retry::{Ended, EndedLetter, end},
};
use crate::{protocol::problem::Problem, window::Shared};

pub(super) async fn post(
    State(window): State<Shared>,
    Input(Ids { ids }): Input<Ids>,
) -> Result<Json<Ended>, Problem> {
    check_count(&ids)?;
    let letters = letters::all(&window).await?;
    let find = |id: &str| letters.iter().find(|letter| letter.position.to_string() == id);
    let records: Vec<_> = ids
        .iter()
        .filter_map(|id| find(id))
        .map(|letter| end(&window, letter, format!("drop {}", letter.position)))
        .collect();
    if !records.is_empty() {
        window.command(records).await?;
    }
    let state = |id: &str| if find(id).is_some() { "dropped" } else { "unknown" };
    let ended = ids.into_iter().map(|id| EndedLetter { state: state(&id), ..EndedLetter::new(id, "") });
    Ok(Json(Ended { dead_letters: ended.collect() }))
}
