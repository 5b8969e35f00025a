//! `tallyhook key`: API keys of readers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::{
    admin::Admin,
    cli::Key,
    failure::{Failure, failed},
    table,
};

#[derive(Deserialize)]
struct Made {
    id: String,
    key: String,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct List {
    keys: Vec<Summary>,
}

#[derive(Deserialize)]
struct Summary {
    id: String,
    name: String,
    email: String,
    state: String,
    made_at: Option<String>,
    expires_at: Option<String>,
    used_at: Option<String>,
}

#[derive(Deserialize)]
struct States {
    keys: Vec<State>,
}

#[derive(Deserialize)]
struct State {
    state: String,
}

pub(crate) async fn run(admin: &Admin, action: Key) -> Result<(), Failure> {
    match action {
        Key::Create { name, email, expires } => create(admin, &name, &email, expires).await,
        Key::List => list(admin).await,
        Key::Revoke { id } => revoke(admin, &id).await,
    }
}

/// The last line is the key alone, so that a script can take it.
async fn create(admin: &Admin, name: &str, email: &str, expires: Option<Duration>) -> Result<(), Failure> {
    let expires_s = expires.map(|expires| expires.as_secs());
    let wish = json!({ "name": name, "email": email, "expires_s": expires_s });
    let Made { id, key, expires_at } = admin.post("/admin/keys", &wish).await?;
    let until = expires_at.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {at}"));
    println!("key {id} for {name} works now, {until}; it is shown this once:");
    println!("{key}");
    Ok(())
}

async fn list(admin: &Admin) -> Result<(), Failure> {
    let List { keys } = admin.get("/admin/keys").await?;
    if keys.is_empty() {
        println!("no keys; make one with `tallyhook key create NAME EMAIL`");
        return Ok(());
    }
    let or_never = |at: Option<String>| at.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| {
            let times = [key.made_at, key.expires_at, key.used_at].map(or_never);
            [key.id, key.name, key.email, key.state].into_iter().chain(times).collect()
        })
        .collect();
    print!("{}", table::lines(&["ID", "NAME", "EMAIL", "STATE", "MADE", "EXPIRES", "LAST USED"], &rows));
    Ok(())
}

async fn revoke(admin: &Admin, id: &str) -> Result<(), Failure> {
    let States { keys } = admin.post("/admin/keys/revoke", &json!({ "ids": [id] })).await?;
    if keys.iter().any(|key| key.state == "revoked") {
        println!("{id} is revoked");
        return Ok(());
    }
    Err(failed(format!("there is no key {id}; `tallyhook key list` lists them")))
}
