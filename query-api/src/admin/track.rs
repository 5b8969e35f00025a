//! `POST /admin/track {"logins":[…]}`: keep accounts from now on; it also ends a mute.
//!
//! A login is always wished for, because the forge may have given it to somebody else; an account that we know
//! by it is kept at once.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use domain::{
    AccountId, Event, Forge, RowKey, StreamKey,
    event::{LoginHash, TrackedBy},
};
use event_log::Record;
use serde::Serialize;

use super::input::{Input, Logins, check_count};
use crate::{
    protocol::problem::Problem,
    reading::{is_name, lower_case},
    rows::{Address, ReadError},
    window::{Shared, Window},
};

/// What came of each login.
#[derive(Serialize)]
pub(super) struct States {
    pub(super) logins: Vec<LoginState>,
}

/// What is true of a login now.
#[derive(Serialize)]
pub(super) struct LoginState {
    login: String,
    /// `kept`, `muted`, `dropped`, `hidden` or `forgotten`; `wanted` while the forge is asked which account it means;
    /// `unknown` when nobody wants it; `not_a_login`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
}

pub(super) async fn post(
    State(window): State<Shared>,
    Input(Logins { logins }): Input<Logins>,
) -> Result<Json<States>, Problem> {
    check_count(&logins)?;
    let records = records(&window, &logins).await?;
    if !records.is_empty() {
        window.command(records).await?;
    }
    Ok(Json(states(&window, logins).await?))
}

async fn records(window: &Window, logins: &[String]) -> Result<Vec<Record>, ReadError> {
    let mut seen = BTreeSet::new();
    let by = TrackedBy::Person;
    let mut wanted = Vec::new();
    let mut records = Vec::new();
    for login in logins.iter().filter(|login| is_name(login)) {
        if !seen.insert(lower_case(login)) {
            continue;
        }
        if window.forgotten_account(login).await?.is_some() {
            wanted.push(Event::LoginRemembered(LoginHash::of(Forge::GitHub, login)));
        }
        wanted.push(Event::LoginWanted { forge: Forge::GitHub, login: login.as_str().into(), by });
        if let Some(account) = window.account_of(login).await? {
            let stream = StreamKey::Account(account);
            records.push(window.commands.record(stream, format!("track {login}"), vec![Event::Tracked(by)]));
        }
    }
    if !wanted.is_empty() {
        records.push(window.commands.record(StreamKey::Service, "track".to_owned(), wanted));
    }
    Ok(records)
}

/// What is true of each login now, by the rows.
pub(super) async fn states(window: &Window, logins: Vec<String>) -> Result<States, ReadError> {
    let mut states = Vec::with_capacity(logins.len());
    for login in logins {
        let (state, account) = state(window, &login).await?;
        states.push(LoginState { login, state, account });
    }
    Ok(States { logins: states })
}

async fn state(window: &Window, login: &str) -> Result<(&'static str, Option<AccountId>), ReadError> {
    if !is_name(login) {
        return Ok(("not_a_login", None));
    }
    let account = window.account_of(login).await?;
    if let Some(account) = account {
        let row = window.rows.get(Address::Row(&RowKey::Directory(account))).await?;
        if let Some(entry) = row.directory() {
            return Ok((super::accounts::name_of(entry.state), Some(account)));
        }
    }
    let row = window.rows.get(Address::Login(Forge::GitHub, &lower_case(login))).await?;
    let is_wanted = row.login().is_some_and(|login| login.is_open());
    if !is_wanted && let Some(account) = window.forgotten_account(login).await? {
        return Ok(("forgotten", Some(account)));
    }
    Ok((if is_wanted { "wanted" } else { "unknown" }, account))
}
