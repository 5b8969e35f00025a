//! `GET /admin/outbox`, `POST /admin/outbox/retry` and `/admin/outbox/drop {"ids":[…]}`: files of new gists that are
//! not sent yet, or were refused, each `GIST#FILENAME`.

use axum::{Json, extract::State};
use domain::{
    AccountId, EntityKey, Event, Millis, RowKey, StreamKey,
    entity::gists::{Gists, Sending},
    event::{SendingNote, SendingStep},
};
use serde::Serialize;

use super::{
    input::{Ids, Input, check_count},
    time,
};
use crate::{
    protocol::problem::Problem,
    rows::ReadError,
    window::{Shared, Window},
};

#[derive(Serialize)]
pub(super) struct List {
    outbox: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    /// `GIST#FILENAME`.
    id: String,
    login: String,
    state: &'static str,
    /// When it was refused, or when the last attempt was made.
    since: Option<String>,
    reason: Option<String>,
}

/// A file that is not sent.
struct Letter {
    account: AccountId,
    login: String,
    gist: String,
    filename: String,
    sending: Sending,
}

impl Letter {
    fn id(&self) -> String {
        format!("{}#{}", self.gist, self.filename)
    }

    fn summary(&self) -> Summary {
        let (state, since, reason) = match &self.sending {
            Sending::Attempted { at_ms, .. } => ("unknown", *at_ms, None),
            Sending::Refused { reason, at_ms } => ("refused", *at_ms, Some(reason.clone())),
            _ => ("waiting", Millis(0), None),
        };
        Summary { id: self.id(), login: self.login.clone(), state, since: time(since), reason }
    }
}

pub(super) async fn list(State(window): State<Shared>) -> Result<Json<List>, Problem> {
    let letters = window.outbox().await?;
    Ok(Json(List { outbox: letters.iter().map(Letter::summary).collect() }))
}

#[derive(Serialize)]
pub(super) struct Ended {
    outbox: Vec<EndedLetter>,
}

#[derive(Serialize)]
struct EndedLetter {
    id: String,
    state: &'static str,
}

pub(super) async fn retry(
    State(window): State<Shared>,
    Input(Ids { ids }): Input<Ids>,
) -> Result<Json<Ended>, Problem> {
    let can = |sending: &Sending| matches!(sending, Sending::Refused { .. });
    window.decide(ids, can, SendingStep::Retried, "retried").await
}

pub(super) async fn drop(
    State(window): State<Shared>,
    Input(Ids { ids }): Input<Ids>,
) -> Result<Json<Ended>, Problem> {
    let can = |sending: &Sending| matches!(sending, Sending::Refused { .. } | Sending::Waiting { .. });
    window.decide(ids, can, SendingStep::Dropped, "dropped").await
}

impl Window {
    /// All files that are not sent, those of one user together.
    async fn outbox(&self) -> Result<Vec<Letter>, Problem> {
        let mut letters = Vec::new();
        for user in self.gist_users().await?.0.into_values() {
            let Some(account) = user.account else { continue };
            let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Gists);
            let Some(row) = self.store.get(&key).await? else { continue };
            let gists = Gists::decode(&row.value).map_err(|_| ReadError::Unreadable)?;
            for (gist, item) in gists
                .gists
                .into_iter()
                .flat_map(|(id, gist)| gist.items.into_iter().map(move |item| (id.clone(), item)))
            {
                if matches!(
                    item.sending,
                    Sending::Waiting { .. } | Sending::Attempted { .. } | Sending::Refused { .. }
                ) {
                    let (login, filename, sending) = (user.login.clone(), item.filename, item.sending);
                    letters.push(Letter { account, login, gist, filename, sending });
                }
            }
        }
        Ok(letters)
    }

    async fn decide(
        &self,
        ids: Vec<String>,
        can: impl Fn(&Sending) -> bool,
        step: SendingStep,
        done: &'static str,
    ) -> Result<Json<Ended>, Problem> {
        check_count(&ids)?;
        let letters = self.outbox().await?;
        let find = |id: &str| letters.iter().find(|letter| letter.id() == id && can(&letter.sending));
        let record = |letter: &Letter| {
            let (gist, filename) = (letter.gist.clone(), letter.filename.clone());
            let note = SendingNote { gist, filename, step: step.clone() };
            let stream = StreamKey::Account(letter.account);
            self.commands.record(stream, format!("{done} {}", letter.id()), vec![Event::GistSending(note)])
        };
        let records: Vec<_> = ids.iter().filter_map(|id| find(id)).map(record).collect();
        if !records.is_empty() {
            self.command(records).await?;
        }
        let state = |id: &str| if find(id).is_some() { done } else { "unknown" };
        let outbox = ids.iter().map(|id| EndedLetter { state: state(id), id: id.clone() }).collect();
        Ok(Json(Ended { outbox }))
    }
}
