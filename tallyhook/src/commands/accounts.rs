//! `tallyhook accounts`.

use serde::Deserialize;

use crate::{admin::Admin, failure::Failure, table};

#[derive(Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    login: Option<String>,
    id: String,
    state: String,
    by: Option<String>,
    since: Option<String>,
    complete: bool,
    checked_at: Option<String>,
    repositories: u64,
}

pub(crate) async fn run(admin: &Admin) -> Result<(), Failure> {
    let Accounts { mut accounts } = admin.get("/admin/accounts").await?;
    if accounts.is_empty() {
        println!("no account is kept; `tallyhook track LOGIN` starts one");
        return Ok(());
    }
    accounts.sort_by(|one, other| one.login.cmp(&other.login));
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = accounts
        .into_iter()
        .map(|account| {
            vec![
                or_dash(account.login),
                account.id,
                account.state,
                or_dash(account.by),
                or_dash(account.since),
                account.repositories.to_string(),
                if account.complete { "yes" } else { "no" }.to_owned(),
                or_dash(account.checked_at),
            ]
        })
        .collect();
    let heading = ["LOGIN", "ID", "STATE", "BY", "SINCE", "REPOSITORIES", "COMPLETE", "CHECKED"];
    print!("{}", table::lines(&heading, &rows));
    Ok(())
}
