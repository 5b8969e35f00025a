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

pub(crate) async fn run(admin: &Admin, action: DeadLetters) -> Result<(), Failure> {
    match action {
        DeadLetters::List => list(admin).await,
        DeadLetters::Show { id } => {
            let letter: Value = admin.get(&format!("/admin/dead-letters/{id}")).await?;
            println!("{}", serde_json::to_string_pretty(&letter).map_err(failed)?);
            Ok(())
        }
        DeadLetters::Retry { ids } => {
            let _: Value = admin.post("/admin/dead-letters/retry", &json!({ "ids": ids })).await?;
            println!(
                "folded again: {}; `tallyhook dead-letters list` shows what failed again",
                ids.join(", ")
            );
            Ok(())
        }
        DeadLetters::Drop { ids } => {
            let _: Value = admin.post("/admin/dead-letters/drop", &json!({ "ids": ids })).await?;
            println!("given up: {}", ids.join(", "));
            Ok(())
        }
    }
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
