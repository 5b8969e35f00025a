//! `tallyhook dead-letters`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::Admin,
    cli::DeadLetters,
    failure::{Failure, failed},
    table,
};

#[derive(Deserialize)]
struct List {
    dead_letters: Vec<Letter>,
}

#[derive(Deserialize)]
struct Letter {
    id: String,
    record_id: String,
    kind: String,
    stream: String,
    received_at: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
struct Ended {
    dead_letters: Vec<EndedLetter>,
}

#[derive(Deserialize)]
struct EndedLetter {
    id: String,
    state: String,
    now: Option<String>,
    reason: Option<String>,
}

pub(crate) async fn run(admin: &Admin, action: DeadLetters) -> Result<(), Failure> {
    match action {
        DeadLetters::List => list(admin).await,
        DeadLetters::Show { id } => {
            let letter: Value = admin.get(&format!("/admin/dead-letters/{id}")).await?;
            println!("{}", serde_json::to_string_pretty(&letter).map_err(failed)?);
            Ok(())
        }
        DeadLetters::Retry { ids } => end(admin, "/admin/dead-letters/retry", &ids).await,
        DeadLetters::Drop { ids } => end(admin, "/admin/dead-letters/drop", &ids).await,
    }
}

/// Says what came of each; fails when one is not ended.
async fn end(admin: &Admin, path: &str, ids: &[String]) -> Result<(), Failure> {
    let Ended { dead_letters } = admin.post(path, &json!({ "ids": ids })).await?;
    let mut failed = Vec::new();
    for EndedLetter { id, state, now, reason } in dead_letters {
        match state.as_str() {
            "retried" => println!("{id} is folded"),
            "dropped" => println!("{id} is given up"),
            "dead_again" => {
                let (now, reason) = (now.unwrap_or_default(), reason.unwrap_or_default());
                failed.push(format!("{id} failed again, as {now}: {reason}"));
            }
            "no_record" => failed.push(format!("the log does not hold {id} any more")),
            _ => failed.push(format!("there is no dead letter {id}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Failed(failed.join("; "))) }
}

async fn list(admin: &Admin) -> Result<(), Failure> {
    let List { dead_letters } = admin.get("/admin/dead-letters").await?;
    if dead_letters.is_empty() {
        println!("no dead letters: everything that was received is in the numbers");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = dead_letters
        .into_iter()
        .map(|letter| {
            let received_at = letter.received_at.unwrap_or_else(|| "-".to_owned());
            vec![letter.id, letter.kind, letter.stream, received_at, letter.record_id, letter.reason]
        })
        .collect();
    print!("{}", table::lines(&["ID", "KIND", "STREAM", "RECEIVED", "DELIVERY", "REASON"], &rows));
    Ok(())
}
