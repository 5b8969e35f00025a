//! `GET /admin/accounts`: what is kept, since when, and how complete.

use axum::{Json, extract::State};
use domain::{
    AccountId, RowKey, ScanKey,
    directory::{Directory, DirectoryState},
    event::TrackedBy,
    key::BUCKETS,
};
use futures::TryStreamExt;
use serde::Serialize;

use super::time;
use crate::{protocol::problem::Problem, rows::ReadError, window::Shared};

#[derive(Serialize)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Serialize)]
struct Account {
    login: Option<String>,
    id: AccountId,
    state: &'static str,
    by: Option<TrackedBy>,
    since: Option<String>,
    complete: bool,
    checked_at: Option<String>,
    repositories: u64,
}

pub(super) async fn get(State(window): State<Shared>) -> Result<Json<Accounts>, Problem> {
    let mut accounts = Vec::new();
    for bucket in 0..BUCKETS {
        let mut rows = window.store.scan(&ScanKey::Directory(bucket)).await.map_err(Problem::from)?;
        while let Some(row) = rows.try_next().await.map_err(Problem::from)? {
            if let RowKey::Directory(id) = row.key {
                let entry = Directory::decode(&row.value).map_err(|_| ReadError::Unreadable)?;
                accounts.push(account(id, entry));
            }
        }
    }
    accounts.sort_by(|one, other| (&one.login, one.id).cmp(&(&other.login, other.id)));
    Ok(Json(Accounts { accounts }))
}

fn account(id: AccountId, entry: Directory) -> Account {
    Account {
        login: entry.login,
        id,
        state: name_of(entry.state),
        by: entry.by,
        since: time(entry.since_ms),
        complete: entry.complete,
        checked_at: entry.checked_ms.and_then(time),
        repositories: entry.repositories,
    }
}

/// The name of a state in answers.
pub(super) fn name_of(state: DirectoryState) -> &'static str {
    match state {
        DirectoryState::Kept => "kept",
        DirectoryState::Muted => "muted",
        DirectoryState::Dropped => "dropped",
        DirectoryState::Hidden => "hidden",
        DirectoryState::Forgotten => "forgotten",
    }
}
