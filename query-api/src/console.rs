//! What the console shows: the accounts that are kept with their numbers, what their webhooks sent, what the forges
//! still allow, and the newest deliveries. It is made anew for each reader from rows that are ready; nothing of it is
//! kept.

mod budget;
mod gaps;
mod page;
pub(crate) mod why;

use domain::{
    AccountId, Forge, RowKey, ScanKey, StreamKey, ViewKey,
    delivery::Delivery,
    directory::{Directory, DirectoryState},
    key::BUCKETS,
};
use futures::TryStreamExt as _;

pub(crate) use self::page::{SCRIPT, STYLE};
use crate::{
    badge::AccountFigures,
    gaps::{AccountGaps, HookHour},
    planner::ForgeBudget,
    protocol::{link::Paging, problem::Problem},
    rows::{Address, ReadError},
    window::Window,
};

/// More accounts than this are no page for people; each costs a row.
const ACCOUNTS_MAX: usize = 100;
/// So many entries of the directory are looked at for them.
const ENTRIES_MAX: usize = 5_000;
/// What happened within the last moments.
const DELIVERIES_MAX: usize = 20;

/// Everything on the page.
struct Console {
    accounts: Vec<Line>,
    /// Whether there are more than are shown.
    has_more: bool,
    gaps: Vec<AccountGaps>,
    /// `None` where this process asks no forge.
    budgets: Option<Vec<ForgeBudget>>,
    deliveries: Vec<Delivery>,
    shows_older: bool,
}

/// One account.
struct Line {
    login: String,
    /// `None` while its numbers are read for the first time.
    figures: Option<AccountFigures>,
    is_complete: bool,
    checked: Option<String>,
}

/// The page about what the webhooks of an account sent.
pub(crate) fn gaps_page(account: &AccountGaps, hours: &[HookHour], place: (Paging, usize)) -> String {
    gaps::of(account, hours, place)
}

impl Window {
    /// The page as it is now.
    pub(crate) async fn console(&self) -> Result<String, Problem> {
        let (mut kept, mut has_more) = self.kept_accounts().await?;
        kept.sort_by_cached_key(|(login, _)| login.to_lowercase());
        has_more |= kept.len() > ACCOUNTS_MAX;
        kept.truncate(ACCOUNTS_MAX);
        let gaps = self.gaps_of(kept.clone()).await?;
        let budgets = self.planner.as_ref().map(|planner| planner.budgets());
        let mut accounts = Vec::with_capacity(kept.len());
        for (login, account) in kept {
            accounts.extend(self.line(login, account).await?);
        }
        let deliveries = self.newest_deliveries(DELIVERIES_MAX).await?;
        let shows_older = self.shows_older();
        Ok(page::of(&Console { accounts, has_more, gaps, budgets, deliveries, shows_older }))
    }

    /// Those of GitHub, and whether there may be more.
    pub(crate) async fn kept_accounts(&self) -> Result<(Vec<(String, AccountId)>, bool), Problem> {
        let mut kept = Vec::new();
        let mut entries = 0;
        for bucket in 0..BUCKETS {
            let mut rows = self.store.scan(&ScanKey::Directory(bucket)).await.map_err(Problem::from)?;
            while let Some(row) = rows.try_next().await.map_err(Problem::from)? {
                entries += 1;
                if entries > ENTRIES_MAX {
                    return Ok((kept, true));
                }
                let RowKey::Directory(account) = row.key else { continue };
                let entry = Directory::decode(&row.value).map_err(|_| ReadError::Unreadable)?;
                if let (DirectoryState::Kept, Some(login), Forge::GitHub) =
                    (entry.state, entry.login, account.forge())
                {
                    kept.push((login, account));
                }
            }
        }
        Ok((kept, false))
    }

    async fn line(&self, login: String, account: AccountId) -> Result<Option<Line>, Problem> {
        if self.hidden.look().hides(account) {
            return Ok(None);
        }
        let key = RowKey::View(StreamKey::Account(account), ViewKey::Account);
        let row = self.rows.get(Address::Row(&key)).await?;
        let Some(ready) = row.view() else {
            return Ok(Some(Line { login, figures: None, is_complete: false, checked: None }));
        };
        let is_complete = ready.meta.complete && !self.shows_older() && self.is_fresh(ready.checked()).await;
        let checked = ready.checked().map(|at| at.to_second().to_string());
        let figures = AccountFigures::read(ready.identity()?);
        Ok(Some(Line { login, figures, is_complete, checked }))
    }
}
