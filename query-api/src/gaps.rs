//! The gap ledger as readers see it: what each webhook sent by the hour, what of it is held, was repaired, or is open.
//! It names no repository that may not be shown.

use std::collections::BTreeMap;

use domain::{
    AccountId, EntityKey, Forge, RepoId, RowKey, Second, StreamKey, ViewKey,
    entity::hook::{Hook, Hour, Sight},
    view::gaps::{GapLedger, HookSums},
};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;
use view_store::StoreError;

use crate::{
    protocol::{link::Paging, problem::Problem},
    rows::{Address, ReadError},
    window::Window,
};

/// Rows that are read from the store at a time.
const READS_AT_A_TIME: usize = 16;

/// Of more webhooks than these the hours are not told together; those with something open come first.
const HOOKS_MAX: usize = 100;

/// What the webhooks of one account sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountGaps)]
pub(crate) struct AccountGaps {
    pub(crate) login: String,
    /// Hours in which anything is open, or of which nobody knows what was sent.
    pub(crate) open_hours: u32,
    /// The webhooks that send to us and whose deliveries GitHub shows to our token, as far as they were looked at.
    pub(crate) webhooks: Vec<Webhook>,
}

/// One webhook: sums over the hours that are remembered, those of thirty days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookGaps)]
pub(crate) struct Webhook {
    /// GitHub's id of it.
    pub(crate) id: u64,
    /// What has it: `organization`, or a `repository`, which is not named.
    pub(crate) kind: &'static str,
    /// Deliveries that GitHub sent, each once: those that are held, repaired, swept and open.
    pub(crate) sent: u64,
    /// Those that came by themselves.
    pub(crate) held: u64,
    /// Those that were taken from GitHub's record, or came when they were sent again.
    pub(crate) repaired: u64,
    /// Those that could not be had, after which everything that they may have been about was asked again.
    pub(crate) swept: u64,
    /// Those that are missing.
    pub(crate) open: u64,
    /// Hours in which anything is open, or of which nobody knows what was sent.
    pub(crate) open_hours: u32,
    /// Hours that GitHub's record did not show any more when it was read, open or not.
    pub(crate) unseen_hours: u32,
    /// The oldest hour that is open.
    #[schema(format = DateTime)]
    pub(crate) open_since: Option<String>,
    /// The newest hour in which anything was sent.
    #[schema(format = DateTime)]
    pub(crate) newest: Option<String>,
    /// When the record was read for what is told here.
    #[schema(format = DateTime)]
    pub(crate) looked_at: String,
}

/// What one webhook sent in one hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GapHour)]
pub(crate) struct HookHour {
    /// GitHub's id of the webhook.
    pub(crate) webhook: u64,
    /// The hour's first second, on GitHub's clock.
    #[schema(format = DateTime)]
    pub(crate) hour: String,
    pub(crate) sent: u32,
    pub(crate) held: u32,
    pub(crate) repaired: u32,
    pub(crate) swept: u32,
    pub(crate) open: u32,
    /// Whether GitHub's record showed the whole hour; where it did not, the numbers are of what is known.
    pub(crate) seen: bool,
    pub(crate) state: State,
    pub(crate) touches: Touches,
}

/// How an hour stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GapState)]
pub(crate) enum State {
    /// Everything came by itself.
    Whole,
    /// Something did not, and has been made up for.
    Closed,
    /// Something is missing.
    Open,
}

/// What an hour's missing deliveries may have been about.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = GapTouches)]
pub(crate) struct Touches {
    /// Anything of the account.
    pub(crate) anything: bool,
    /// The account itself and its list of repositories.
    pub(crate) account: bool,
    /// Its public repositories among those that they name, as `owner/name`.
    pub(crate) repositories: Vec<String>,
}

impl Webhook {
    fn of(sums: &HookSums) -> Self {
        let time = |at: Option<Second>| at.map(|at| at.to_string());
        Webhook {
            id: sums.hook,
            kind: if sums.repo.is_some() { "repository" } else { "organization" },
            sent: sums.sent,
            held: sums.held,
            repaired: sums.repaired,
            swept: sums.swept,
            open: sums.open,
            open_hours: sums.open_hours,
            unseen_hours: sums.unseen_hours,
            open_since: time(sums.open_since),
            newest: time(sums.newest),
            looked_at: sums.looked_ms.to_second().to_string(),
        }
    }
}

impl AccountGaps {
    fn of(login: String, ledger: &GapLedger) -> Self {
        let webhooks: Vec<Webhook> = ledger.0.iter().map(Webhook::of).collect();
        let open_hours = webhooks.iter().map(|webhook| webhook.open_hours).sum();
        AccountGaps { login, open_hours, webhooks }
    }
}

impl State {
    fn of(hour: &Hour) -> Self {
        if hour.is_open() {
            State::Open
        } else if hour.repaired + hour.swept > 0 || hour.sight != Sight::Seen {
            State::Closed
        } else {
            State::Whole
        }
    }
}

impl Window {
    /// The gap ledgers of a page of the kept accounts, by login, and how many accounts there are.
    pub(crate) async fn gaps(&self, paging: Paging) -> Result<(Vec<AccountGaps>, usize), Problem> {
        let (mut kept, _) = self.kept_accounts().await?;
        kept.sort_by_cached_key(|(login, _)| login.to_lowercase());
        let total = kept.len();
        let skip = (paging.page - 1).saturating_mul(paging.per_page);
        let page = kept.into_iter().skip(skip).take(paging.per_page);
        Ok((self.gaps_of(page.collect()).await?, total))
    }

    /// The gap ledgers of these accounts, but of those that are hidden.
    pub(crate) async fn gaps_of(
        &self,
        accounts: Vec<(String, AccountId)>,
    ) -> Result<Vec<AccountGaps>, Problem> {
        let read = |(login, account)| async move {
            if self.hidden.look().hides(account) {
                return Ok(None);
            }
            let ledger = self.gap_ledger(account).await?;
            Ok::<_, ReadError>(Some(AccountGaps::of(login, &ledger)))
        };
        let reads = futures::stream::iter(accounts).map(read).buffered(READS_AT_A_TIME);
        let all: Vec<Option<AccountGaps>> = reads.try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The hours of an account's webhooks, or of one of them, the newest first: a page of them, and how many there are.
    pub(crate) async fn gap_hours(
        &self,
        (login, account): (String, AccountId),
        hook: Option<u64>,
        paging: Paging,
    ) -> Result<(AccountGaps, Vec<HookHour>, usize), Problem> {
        let mut ledger = self.gap_ledger(account).await?;
        if let Some(hook) = hook {
            ledger.0.retain(|sums| sums.hook == hook);
            if ledger.0.is_empty() {
                return Err(Problem::not_found());
            }
        }
        let mut ids: Vec<(bool, u64)> =
            ledger.0.iter().map(|sums| (sums.open_hours == 0, sums.hook)).collect();
        ids.sort_unstable();
        ids.truncate(HOOKS_MAX);
        let read = |(_, id)| async move { Ok::<_, ReadError>((id, self.hook(account, id).await?)) };
        let reads = futures::stream::iter(ids).map(read).buffered(READS_AT_A_TIME);
        let hooks: Vec<(u64, Hook)> = reads.try_collect().await?;
        let mut hours: Vec<(Second, u64, Hour)> = hooks
            .into_iter()
            .flat_map(|(id, hook)| hook.hours.into_iter().map(move |(at, hour)| (at, id, hour)))
            .collect();
        hours.sort_unstable_by_key(|(at, id, _)| (std::cmp::Reverse(*at), *id));
        let total = hours.len();
        let skip = (paging.page - 1).saturating_mul(paging.per_page);
        let page: Vec<_> = hours.into_iter().skip(skip).take(paging.per_page).collect();
        let names = self.names_of(account, &page).await?;
        let shown = page.iter().map(|(at, id, hour)| HookHour {
            webhook: *id,
            hour: at.to_string(),
            sent: hour.sent,
            held: hour.held,
            repaired: hour.repaired,
            swept: hour.swept,
            open: hour.open(),
            seen: hour.sight == Sight::Seen,
            state: State::of(hour),
            touches: Touches {
                anything: hour.touched.anything,
                account: hour.touched.account,
                repositories: hour.touched.repos.iter().filter_map(|repo| names.get(repo).cloned()).collect(),
            },
        });
        let shown = shown.collect();
        Ok((AccountGaps::of(login, &ledger), shown, total))
    }

    /// The names of the repositories that may be shown.
    async fn names_of(
        &self,
        account: AccountId,
        hours: &[(Second, u64, Hour)],
    ) -> Result<BTreeMap<RepoId, String>, ReadError> {
        let mut names = BTreeMap::new();
        for repo in hours.iter().flat_map(|(_, _, hour)| &hour.touched.repos) {
            if names.contains_key(repo) || self.hidden.look().hides_repository(account, *repo) {
                continue;
            }
            let key = RowKey::View(StreamKey::Account(account), ViewKey::Repository(*repo));
            if let Some(view) = self.rows.get(Address::Row(&key)).await?.view() {
                names.insert(*repo, view.meta.name.clone());
            }
        }
        Ok(names)
    }

    async fn gap_ledger(&self, account: AccountId) -> Result<GapLedger, ReadError> {
        // Only GitHub's webhooks are looked at.
        if account.forge() != Forge::GitHub {
            return Ok(GapLedger::default());
        }
        let key = RowKey::View(StreamKey::Account(account), ViewKey::Gaps);
        let row = self.store.get(&key).await.map_err(|error| unavailable(&error))?;
        let ledger = row.map(|row| GapLedger::decode(&row.value)).transpose();
        Ok(ledger.map_err(|_| ReadError::Unreadable)?.unwrap_or_default())
    }

    async fn hook(&self, account: AccountId, id: u64) -> Result<Hook, ReadError> {
        let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Hook(id));
        let row = self.store.get(&key).await.map_err(|error| unavailable(&error))?;
        let hook = row.map(|row| Hook::decode(&row.value)).transpose();
        Ok(hook.map_err(|_| ReadError::Unreadable)?.unwrap_or_default())
    }
}

fn unavailable(error: &StoreError) -> ReadError {
    tracing::warn!(%error, "gaps could not be read");
    ReadError::Unavailable
}
