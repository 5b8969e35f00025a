//! What a backfill of an account would cost, told before anything is sent: from what is known of it, which a backfill
//! finds mostly unchanged.

use domain::{AccountId, CommitId, Forge, RowKey, directory::Alias, entity::repository::Repository};
use github::client::{Client, WHOLE_PAGE_MAX, whole_points};
use serde::Serialize;
use view_store::{StoreError, ViewStore};

use crate::rows::{ReadError, Rows};

/// Requests for an account itself: its profile.
const PER_ACCOUNT: u64 = 1;
/// Requests for a repository in REST: itself, its head, the count of pull requests, languages. What it reaches is asked
/// only of a new head.
const PER_REPOSITORY: u64 = 4;
/// Requests for an empty repository, of which GraphQL does not tell the branch: itself, its head, its newest commit.
const PER_EMPTY: u64 = 3;
/// Entries on a page of a list.
const PER_PAGE: u64 = 100;
/// About so many requests are answered in a second.
const REQUESTS_PER_SECOND: u64 = 10;
/// About so long a query over fifty repositories takes.
const SECONDS_PER_QUERY: u64 = 2;
/// Without a token GitHub allows so many requests an hour, with one so many; and as many points.
const HOURLY: [u64; 2] = [60, 5_000];
const SECONDS_PER_HOUR: u64 = 3_600;

/// What a backfill would cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The login as given.
    pub login: String,
    /// How many repositories are known; `None` before the list was read.
    pub repositories: Option<u64>,
    /// Requests in REST.
    pub requests: Option<u64>,
    /// Queries in GraphQL; 0 where it is not to be had.
    pub queries: Option<u64>,
    /// What the queries take of GraphQL's limit.
    pub points: Option<u64>,
    /// The part of an hour's requests, or of its points if that is more; over 1 where it takes hours.
    pub budget_share: Option<f64>,
    /// How long it takes, in seconds, with the budget as it stands: what is kept for repair is not spent.
    pub seconds: Option<u64>,
    /// In words.
    pub note: String,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Work {
    requests: u64,
    queries: u64,
    points: u64,
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
        queries: None,
        points: None,
        budget_share: None,
        seconds: None,
        note: note.to_owned(),
    };
    let key = RowKey::Alias(Forge::GitHub, login.to_lowercase());
    let Some(alias) = store.get(&key).await?.and_then(|row| Alias::decode(&row.value).ok()) else {
        return Ok(unknown(if github.offers_graphql() {
            "nothing is known of this login yet: how much there is to ask shows once its list of repositories is read \
             (2 requests for the account, 4 points of GraphQL for each 50 repositories, and 1 request for each 100 \
             pull requests of a repository that has more than 100)"
        } else {
            "nothing is known of this login yet: how much there is to ask shows once its list of repositories is read \
             (2 requests for the account, 1 for each 100 repositories, then 5 for each repository and 1 for each 100 \
             of its pull requests)"
        }));
    };
    match known_plan(login, alias.account, store, github).await {
        Ok(Some(plan)) => Ok(plan),
        Ok(None) => Ok(unknown(
            "the account is known, and its list of repositories is being read: how much there is to ask shows then",
        )),
        Err(ReadError::Store(error)) => Err(error),
        Err(ReadError::Decode(error)) => Ok(unknown(&format!("what is known cannot be read: {error}"))),
    }
}

async fn known_plan(
    login: &str,
    account: AccountId,
    store: &dyn ViewStore,
    github: &Client,
) -> Result<Option<Plan>, ReadError> {
    if Rows(store).account(account).await?.listed_since.is_none() {
        return Ok(None);
    }
    let repositories = Rows(store).repositories(account).await?;
    let shown: Vec<&Repository> =
        repositories.iter().map(|(_, repo)| repo).filter(|repo| repo.visibility.is_public()).collect();
    let is_whole = github.offers_graphql();
    let work = if is_whole { in_graphql(&shown) } else { in_rest(&shown) };
    let budget = |resource: &str| github.budgets().into_iter().find(|budget| budget.resource == resource);
    let mut budget_share: f64 = 0.0;
    let mut waiting_hours = 0;
    for (count, known) in [(work.requests, budget("core")), (work.points, budget("graphql"))] {
        let hourly = known.map_or(HOURLY[usize::from(github.has_token())], |budget| budget.limit.max(1));
        let kept = github.kept_of(hourly);
        let remaining = known.map_or(hourly, |budget| budget.remaining).saturating_sub(kept);
        // What the budget of this hour does not hold waits for the next ones.
        let hours = count.saturating_sub(remaining).div_ceil(hourly.saturating_sub(kept).max(1));
        waiting_hours = waiting_hours.max(hours);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let share = count as f64 / hourly as f64;
        budget_share = budget_share.max(share);
    }
    let note = if is_whole {
        "as far as is known: repositories that are new, or that are pushed to while they are asked about, cost a few \
         requests more"
    } else {
        "as far as is known: a new head, or a new repository, costs a request more; what has not changed is answered \
         without cost where a token is used"
    };
    Ok(Some(Plan {
        login: login.to_owned(),
        repositories: Some(count_of(&shown)),
        requests: Some(work.requests),
        queries: Some(work.queries),
        points: Some(work.points),
        budget_share: Some(budget_share),
        seconds: Some(
            waiting_hours * SECONDS_PER_HOUR
                + work.requests / REQUESTS_PER_SECOND
                + work.queries * SECONDS_PER_QUERY
                + 1,
        ),
        note: note.to_owned(),
    }))
}

fn count_of(shown: &[&Repository]) -> u64 {
    u64::try_from(shown.len()).unwrap_or(u64::MAX)
}

/// Pages tell everything, but for what they leave out.
fn in_graphql(shown: &[&Repository]) -> Work {
    let queries = count_of(shown).div_ceil(WHOLE_PAGE_MAX).max(1);
    let alone = shown.iter().map(|repo| {
        let empty = if is_empty(repo) { PER_EMPTY } else { 0 };
        let total = repo.pulls.counted.map_or(0, |counted| counted.total);
        // Of a list that was read whole the latest changes are on the page.
        let pulls = if repo.pulls.is_listed() || total <= PER_PAGE { 0 } else { total.div_ceil(PER_PAGE) };
        empty + pulls
    });
    Work {
        requests: PER_ACCOUNT + alone.sum::<u64>(),
        queries,
        // A page costs by what it may hold, not by what it holds.
        points: queries * whole_points(WHOLE_PAGE_MAX),
    }
}

fn in_rest(shown: &[&Repository]) -> Work {
    let each = shown.iter().map(|repo| {
        let head = match &repo.commits.pair {
            Some(pair) if pair.head != CommitId::ZERO => 0,
            _ => 1,
        };
        let list = match (repo.pulls.is_listed(), repo.pulls.counted) {
            (false, Some(counted)) => counted.total.div_ceil(PER_PAGE).max(1),
            _ => 1,
        };
        PER_REPOSITORY + head + list
    });
    let lists = count_of(shown).div_ceil(PER_PAGE).max(1);
    Work { requests: PER_ACCOUNT + lists + each.sum::<u64>(), queries: 0, points: 0 }
}

fn is_empty(repo: &Repository) -> bool {
    repo.commits.pair.as_ref().is_none_or(|pair| pair.head == CommitId::ZERO)
}
