//! `POST /admin/untrack {"logins":[…]}`: mute accounts until a person tracks them again.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use domain::{Event, StreamKey};

use super::{
    input::{Input, Logins, check_count},
    track::{States, states},
};
use crate::{protocol::problem::Problem, window::Shared};

pub(super) async fn post(
    State(window): State<Shared>,
    Input(Logins { logins }): Input<Logins>,
) -> Result<Json<States>, Problem> {
    check_count(&logins)?;
    let mut accounts = BTreeSet::new();
    let mut records = Vec::new();
    for login in &logins {
        let Some(account) = window.account_of(login).await? else { continue };
        if accounts.insert(account) {
            let stream = StreamKey::Account(account);
            records.push(window.commands.record(stream, format!("untrack {login}"), vec![Event::Untracked]));
        }
    }
    if !records.is_empty() {
        window.command(records).await?;
    }
    Ok(Json(states(&window, logins).await?))
}
