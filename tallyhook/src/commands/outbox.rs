//! `tallyhook outbox`.

use serde::Deserialize;
use serde_json::json;

use crate::{admin::Admin, cli::Outbox, failure::Failure, table};

#[derive(Deserialize)]
struct List {
    outbox: Vec<Letter>,
}

#[derive(Deserialize)]
struct Letter {
    id: String,
    login: String,
    state: String,
    since: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Ended {
    outbox: Vec<EndedLetter>,
}

#[derive(Deserialize)]
struct EndedLetter {
    id: String,
    state: String,
}

pub(crate) async fn run(admin: &Admin, action: Outbox) -> Result<(), Failure> {
    match action {
        Outbox::List => list(admin).await,
        Outbox::Show { id } => show(admin, &id).await,
        Outbox::Retry { ids } => end(admin, "/admin/outbox/retry", &ids).await,
        Outbox::Drop { ids } => end(admin, "/admin/outbox/drop", &ids).await,
    }
}

/// Says what came of each; fails when nothing could be done about one.
async fn end(admin: &Admin, path: &str, ids: &[String]) -> Result<(), Failure> {
    let Ended { outbox } = admin.post(path, &json!({ "ids": ids })).await?;
    let mut failed = Vec::new();
    for EndedLetter { id, state } in outbox {
        match state.as_str() {
            "retried" => println!("{id} is sent again"),
            "dropped" => println!("{id} is given up"),
            _ => failed.push(format!("there is no {id} about which this could be done now")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Failed(failed.join("; "))) }
}

async fn show(admin: &Admin, id: &str) -> Result<(), Failure> {
    let List { outbox } = admin.get("/admin/outbox").await?;
    let Some(letter) = outbox.into_iter().find(|letter| letter.id == id) else {
        return Err(Failure::Failed(format!("there is no {id} in the outbox")));
    };
    println!("file:   {}\nuser:   {}\nstate:  {}", letter.id, letter.login, letter.state);
    println!("since:  {}", letter.since.as_deref().unwrap_or("-"));
    println!("reason: {}", letter.reason.as_deref().unwrap_or("-"));
    Ok(())
}

async fn list(admin: &Admin) -> Result<(), Failure> {
    let List { outbox } = admin.get("/admin/outbox").await?;
    if outbox.is_empty() {
        println!("nothing in the outbox: every new gist file was sent");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = outbox
        .into_iter()
        .map(|letter| {
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            vec![letter.id, letter.login, letter.state, dash(letter.since), dash(letter.reason)]
        })
        .collect();
    print!("{}", table::lines(&["ID", "USER", "STATE", "SINCE", "REASON"], &rows));
    Ok(())
}
