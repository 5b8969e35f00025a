//! What a backfill of an account would cost, told before anything is sent.

use domain::{AccountId, Forge, RowKey, directory::Alias};
use github::client::Client;
use serde::Serialize;
use view_store::{StoreError, ViewStore};

use crate::rows::{ReadError, Rows};

/// Requests for an account itself: its profile.
const PER_ACCOUNT: u64 = 1;
/// Requests for a repository: itself, head, count at the head, pull request count, languages.
const PER_REPOSITORY: u64 = 5;
/// Entries on a page of a list.
const PER_PAGE: u64 = 100;
/// About so many requests are answered in a second.
const REQUESTS_PER_SECOND: u64 = 10;
/// Without a token GitHub allows so many requests an hour, with one so many.
const HOURLY: [u64; 2] = [60, 5_000];

/// What a backfill would cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The login as given.
    pub login: String,
    /// How many repositories are known; `None` before the list was read.
    pub repositories: Option<u64>,
    /// Requests to be sent, at most: what did not change costs nothing with a token.
    pub requests: Option<u64>,
    /// The part of an hour's budget that is; over 1 where it takes hours.
    pub budget_share: Option<f64>,
    /// How long it takes at most, in seconds, with the budget as it stands.
    pub seconds: Option<u64>,
    /// In words.
    pub note: String,
}

/// Tells what a backfill of a login would cost; sends nothing.
///
/// # Errors
/// When the store cannot be read.
pub async fn plan(login: &str, store: &dyn ViewStore, github: &Client) -> Result<Plan, StoreError> {
    let unknown = |note: &str| Plan {
        login: login.to_owned(),
        repositories: None,
        requests: None,
        budget_share: None,
        seconds: None,
        note: note.to_owned(),
    };
    let key = RowKey::Alias(Forge::GitHub, login.to_lowercase());
    let Some(alias) = store.get(&key).await?.and_then(|row| Alias::decode(&row.value).ok()) else {
        return Ok(unknown(
            "nothing is known of this login yet: how much there is to ask shows once its list of repositories is \
             read (1 request for the profile, 1 for each 100 repositories, then 5 for each repository and 1 for \
             each 100 of its pull requests)",
        ));
    };
    match known_plan(login, alias.account, store, github).await {
        Ok(plan) => Ok(plan),
        Err(ReadError::Store(error)) => Err(error),
        Err(ReadError::Decode(error)) => Ok(unknown(&format!("what is known cannot be read: {error}"))),
    }
}

async fn known_plan(
    login: &str,
    account: AccountId,
    store: &dyn ViewStore,
    github: &Client,
) -> Result<Plan, ReadError> {
    let repositories = Rows(store).repositories(account).await?;
    let shown: Vec<_> = repositories.iter().filter(|(_, repo)| repo.visibility.is_public()).collect();
    let count = u64::try_from(shown.len()).unwrap_or(u64::MAX);
    let lists: u64 = shown
        .iter()
        .map(|(_, repo)| match (repo.pulls.is_listed(), repo.pulls.counted) {
            (false, Some(counted)) => counted.total.div_ceil(PER_PAGE).max(1),
            _ => 1,
        })
        .sum();
    let requests = PER_ACCOUNT + count.div_ceil(PER_PAGE).max(1) + count * PER_REPOSITORY + lists;
    let budget = github.budgets().into_iter().find(|budget| budget.resource == "core");
    let hourly = budget.map_or(HOURLY[usize::from(github.has_token())], |budget| budget.limit.max(1));
    let remaining = budget.map_or(hourly, |budget| budget.remaining);
    // Requests that the budget of this hour does not hold wait for the next ones.
    let waiting_hours = requests.saturating_sub(remaining).div_ceil(hourly);
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    let budget_share = requests as f64 / hourly as f64;
    Ok(Plan {
        login: login.to_owned(),
        repositories: Some(count),
        requests: Some(requests),
        budget_share: Some(budget_share),
        seconds: Some(waiting_hours * 3600 + requests / REQUESTS_PER_SECOND + 1),
        note: "at most: what has not changed is answered without cost where a token is used".to_owned(),
    })
}
