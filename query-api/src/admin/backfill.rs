//! `POST /admin/backfill {"login"}`: ask the forge for everything about an account now.
//! `GET /admin/backfill/{login}`: how far that is.

use axum::{Json, extract::State};
use domain::{AccountId, Event, NeedKey, RowKey, StreamKey, need::Need};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    input::{Input, OneLogin},
    time,
};
use crate::{
    protocol::{path::Segments, problem::Problem},
    rows::{Address, ReadError},
    window::{Shared, Window},
};

/// The cursor in which backfill notes how far it is: `{"done":n,"total":m}`, empty when it ended.
const PROGRESS_CURSOR: &str = "check";

#[derive(Serialize)]
pub(super) struct Begun {
    login: String,
    account: AccountId,
    /// Where the wish stands in the log.
    position: String,
}

pub(super) async fn post(
    State(window): State<Shared>,
    Input(OneLogin { login }): Input<OneLogin>,
) -> Result<Json<Begun>, Problem> {
    let account = window.account_of(&login).await?.ok_or_else(|| Problem::not_tracked(&login))?;
    let stream = StreamKey::Account(account);
    let record = window.commands.record(stream, format!("backfill {login}"), vec![Event::CheckWanted]);
    let positions = window.command(vec![record]).await?;
    let position = positions.first().map_or(String::new(), ToString::to_string);
    Ok(Json(Begun { login, account, position }))
}

#[derive(Serialize)]
pub(super) struct Status {
    login: String,
    account: AccountId,
    /// Whether everything is still to be asked, or being asked.
    open: bool,
    /// `{"done":n,"total":m}` while it runs.
    progress: Option<Box<RawValue>>,
    complete: bool,
    checked_at: Option<String>,
}

pub(super) async fn get(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
) -> Result<Json<Status>, Problem> {
    let account = window.account_of(&login).await?.ok_or_else(|| Problem::not_tracked(&login))?;
    let stream = StreamKey::Account(account);
    let need = value(&window, &RowKey::Need(stream, NeedKey::Everything)).await?;
    let need = need.map(|need| Need::decode(&need)).transpose().map_err(|_| ReadError::Unreadable)?;
    let cursor = value(&window, &RowKey::Cursor(stream, PROGRESS_CURSOR.to_owned())).await?;
    let progress = cursor.and_then(|cursor| serde_json::from_slice(&cursor).ok());
    let directory = window.rows.get(Address::Row(&RowKey::Directory(account))).await?;
    let entry = directory.directory();
    Ok(Json(Status {
        login,
        account,
        open: need.is_some_and(|need| need.is_open()),
        progress,
        complete: entry.is_some_and(|entry| entry.complete),
        checked_at: entry.and_then(|entry| entry.checked_ms).and_then(time),
    }))
}

/// The account whose login is the word under which plans are asked for.
pub(super) async fn get_plan(state: State<Shared>) -> Result<Json<Status>, Problem> {
    get(state, Segments("plan".to_owned())).await
}

async fn value(window: &Window, key: &RowKey) -> Result<Option<bytes::Bytes>, Problem> {
    Ok(window.store.get(key).await?.map(|row| row.value))
}
