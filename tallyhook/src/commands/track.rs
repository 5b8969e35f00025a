//! `tallyhook track` and `untrack`.

use serde::Deserialize;
use serde_json::json;

use crate::{admin::Admin, failure::Failure};

#[derive(Deserialize)]
struct States {
    logins: Vec<State>,
}

#[derive(Deserialize)]
struct State {
    login: String,
    state: String,
}

pub(crate) async fn track(admin: &Admin, logins: &[String]) -> Result<(), Failure> {
    let states: States = admin.post("/admin/track", &json!({ "logins": logins })).await?;
    let mut refused = Vec::new();
    for State { login, state } in states.logins {
        match state.as_str() {
            "kept" => println!("{login} is kept"),
            "wanted" => println!("{login} is wanted; GitHub is being asked who it is"),
            "not_a_login" => refused.push(format!("`{login}` cannot be a login")),
            other => println!("{login}: {other}"),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::Usage(refused.join("; "))) }
}

pub(crate) async fn untrack(admin: &Admin, logins: &[String]) -> Result<(), Failure> {
    let states: States = admin.post("/admin/untrack", &json!({ "logins": logins })).await?;
    let mut unknown = Vec::new();
    for State { login, state } in states.logins {
        match state.as_str() {
            "muted" => println!("{login} is muted until `tallyhook track {login}`"),
            "unknown" | "not_a_login" => unknown.push(login),
            other => println!("{login}: {other}"),
        }
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed(format!(
            "not tracked: {}; `tallyhook accounts` lists what is",
            unknown.join(", ")
        )))
    }
}
