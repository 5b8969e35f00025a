//! From a login to a view: which account is meant, whether it may be shown, and what to do while it is not
//! known.

use std::{borrow::Cow, sync::Arc};

use domain::{
    AccountId, Forge, RepoId, RowKey, StreamKey, ViewKey,
    directory::{Directory, DirectoryState, RepoName},
    event::LoginHash,
    service::forgotten_login,
    view::summary::StoredSummary,
};
use tokio::time::Instant;

use crate::{
    protocol::problem::Problem,
    ready::Ready,
    rows::{Address, CachedRow, ReadError},
    tracking::Wish,
    waiting::{Ear, Topic},
    window::Window,
};

/// Longer texts are no logins (GitHub's have at most 39 characters) and no repository names (100).
const NAME_CHARS_MAX: usize = 100;

/// `@me` in settings means the owner of our token to the forge; readers have no business with it, and no login
/// begins so.
const TOKEN_OWNER_MARK: char = '@';

/// How long an answer that a login does not exist is believed.
const NOBODY_LASTS_MS: i64 = 60 * 60 * 1000;

/// Which view of an account is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// One of its own.
    Account(ViewKey),
    /// That of its repository of this name.
    Repository(&'a str),
}

/// A view that may be shown.
pub(crate) struct Shown {
    pub(crate) account: AccountId,
    directory: Arc<CachedRow>,
    view: Arc<CachedRow>,
}

/// A view, or where it is now.
pub(crate) enum Found {
    Shown(Shown),
    /// The repository belongs to another account; its present `owner/name`.
    Elsewhere(String),
}

/// What one look at the rows gives.
enum Look {
    Found(Found),
    /// Kept, but its list was never read: nothing is certain yet.
    Loading(AccountId),
    /// Nobody read it for long; it can be kept again.
    Dropped(AccountId),
    /// Nothing is known of the login, or only which account it means.
    Unknown(Option<AccountId>),
    Muted,
    /// Hidden, gone, or never there.
    Nothing,
}

impl Shown {
    pub(crate) fn ready(&self) -> &Ready {
        self.view.view().expect("a look shows rows that hold a view")
    }

    /// What the account adds to answers about several.
    pub(crate) fn summary(&self) -> Option<&StoredSummary> {
        self.view.summary()
    }

    /// Whether every number in it is known and none in doubt.
    pub(crate) fn is_complete(&self) -> bool {
        match self.summary() {
            Some(summary) => summary.complete,
            None => self.ready().meta.complete,
        }
    }

    pub(crate) fn directory(&self) -> &Directory {
        self.directory.directory().expect("a look shows accounts of the directory")
    }

    /// The version of the view's row.
    pub(crate) fn version(&self) -> domain::Version {
        self.view.version
    }

    /// The same, and the era in which it was read.
    pub(crate) fn version_and_era(&self) -> (domain::Version, u64) {
        (self.view.version, self.view.era)
    }

    fn is_settled(&self) -> bool {
        self.directory().listed || self.is_complete()
    }
}

impl Window {
    /// Finds a view of GitHub's. Waits for one that is not known yet, and wishes for the account if it is not
    /// kept.
    pub(crate) async fn find(&self, login: &str, wanted: Wanted<'_>) -> Result<Found, Problem> {
        self.find_at(Forge::GitHub, login, wanted).await
    }

    /// The same at any forge.
    pub(crate) async fn find_at(
        &self,
        forge: Forge,
        login: &str,
        wanted: Wanted<'_>,
    ) -> Result<Found, Problem> {
        if !is_name(login) || (login.starts_with(TOKEN_OWNER_MARK) && !self.is_in_settings(login)) {
            return Err(Problem::not_found());
        }
        let lower = lower_case(login);
        let look = self.look(forge, &lower, wanted).await?;
        let found = match look {
            Look::Found(Found::Shown(shown)) if !shown.is_settled() => {
                Box::pin(self.wait(forge, login, &lower, wanted, Look::Found(Found::Shown(shown)))).await?
            }
            Look::Found(found) => found,
            Look::Muted => return Err(Problem::not_tracked(login)),
            Look::Nothing => return Err(Problem::not_found()),
            // In a box, so that the requests that need not wait carry no room for it.
            unknown => Box::pin(self.wait(forge, login, &lower, wanted, unknown)).await?,
        };
        if let Found::Shown(shown) = &found {
            self.readers.note(shown.account, shown.directory(), self.now());
        }
        Ok(found)
    }

    fn is_in_settings(&self, login: &str) -> bool {
        self.settings.track.iter().any(|tracked| tracked == login)
    }

    /// Waits until a view is complete. When time is up, shows what there is of an account whose list is known.
    async fn wait(
        &self,
        forge: Forge,
        login: &str,
        lower: &str,
        wanted: Wanted<'_>,
        first: Look,
    ) -> Result<Found, Problem> {
        let deadline = Instant::now() + self.settings.first_read_wait;
        let seat = self.waiting.sit_down().ok_or_else(Problem::computing)?;
        let mut login_ear = seat.listen(Topic::Login(Cow::Owned(lower.to_owned())));
        let mut account_ear: Option<Ear<'_>> = None;
        self.wish(forge, login, lower, &first, deadline).await?;
        let mut is_over = false;
        loop {
            let look = self.look(forge, lower, wanted).await?;
            let account = match &look {
                Look::Found(Found::Shown(shown)) if shown.is_complete() => None,
                Look::Found(Found::Shown(shown)) => Some(shown.account),
                Look::Loading(account) | Look::Dropped(account) | Look::Unknown(Some(account)) => {
                    Some(*account)
                }
                Look::Unknown(None) => None,
                Look::Found(Found::Elsewhere(_)) | Look::Muted | Look::Nothing => None,
            };
            if let (Look::Loading(account), Wanted::Account(ViewKey::Gists)) = (&look, wanted) {
                // Nobody wanted the gists of this account until now.
                self.tracking.wish(Wish::Gists(*account), login, deadline).await?;
            }
            match look {
                Look::Found(Found::Shown(shown)) if shown.is_complete() || is_over => {
                    return self.show_at_last(shown, wanted);
                }
                Look::Found(Found::Elsewhere(name)) => return Ok(Found::Elsewhere(name)),
                Look::Muted => return Err(Problem::not_tracked(login)),
                Look::Nothing => return Err(Problem::not_found()),
                Look::Unknown(_) if self.is_nobody(forge, lower).await? => return Err(Problem::not_found()),
                _ if is_over => return Err(Problem::computing()),
                _ => {}
            }
            if let Some(account) = account
                && account_ear.is_none()
            {
                // Looked at once more after listening, so that nothing is missed in between.
                account_ear = Some(seat.listen(Topic::Account(account)));
                continue;
            }
            let account_news = async {
                match &mut account_ear {
                    Some(ear) => ear.hear().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = login_ear.hear() => {}
                () = account_news => {}
                () = tokio::time::sleep_until(deadline) => is_over = true,
            }
        }
    }

    /// The list of an account that was never read would be a lie; a repository that is known is none.
    fn show_at_last(&self, shown: Shown, wanted: Wanted<'_>) -> Result<Found, Problem> {
        match wanted {
            Wanted::Account(_) if !shown.is_settled() => Err(Problem::computing()),
            Wanted::Account(_) | Wanted::Repository(_) => Ok(Found::Shown(shown)),
        }
    }

    /// Asks for an account that is not kept, unless that was done and is open, or was answered lately.
    async fn wish(
        &self,
        forge: Forge,
        login: &str,
        lower: &str,
        look: &Look,
        deadline: Instant,
    ) -> Result<(), Problem> {
        match look {
            Look::Unknown(_) => {
                let row = self.rows.get(Address::Login(forge, lower)).await?;
                if row.login().is_some_and(|login| login.is_open()) {
                    return Ok(());
                }
                if self.is_nobody(forge, lower).await? {
                    return Err(Problem::not_found());
                }
                self.tracking.wish(Wish::Login(forge, lower.to_owned()), login, deadline).await
            }
            Look::Dropped(account) => self.tracking.wish(Wish::Account(*account), login, deadline).await,
            _ => Ok(()),
        }
    }

    /// Whether the forge said lately that there is no such login.
    async fn is_nobody(&self, forge: Forge, lower: &str) -> Result<bool, ReadError> {
        let row = self.rows.get(Address::Login(forge, lower)).await?;
        let Some(login) = row.login().filter(|login| !login.is_open()) else { return Ok(false) };
        let is_nobody = login.found.filter(|found| found.account.is_none());
        Ok(is_nobody.is_some_and(|found| self.now() < found.asked_ms.plus(NOBODY_LASTS_MS)))
    }

    async fn look(&self, forge: Forge, login: &str, wanted: Wanted<'_>) -> Result<Look, ReadError> {
        let alias = self.rows.get(Address::Alias(forge, login)).await?;
        let Some(account) = alias.alias() else { return self.look_for_forgotten(forge, login).await };
        let directory = self.rows.get(Address::Row(&RowKey::Directory(account))).await?;
        let Some(entry) = directory.directory() else { return Ok(Look::Unknown(Some(account))) };
        match entry.state {
            DirectoryState::Kept => {}
            DirectoryState::Dropped => return Ok(Look::Dropped(account)),
            DirectoryState::Muted | DirectoryState::Forgotten => return Ok(Look::Muted),
            DirectoryState::Hidden => return Ok(Look::Nothing),
        }
        let key = match wanted {
            Wanted::Account(key) => Some(key),
            Wanted::Repository(name) => match self.repository(account, name).await? {
                RepoName::Is(repo) => Some(ViewKey::Repository(repo)),
                RepoName::Moved { repo, to } => return self.look_elsewhere(repo, to).await,
                RepoName::Nothing => None,
            },
        };
        let view = match key {
            Some(key) => {
                let row =
                    self.rows.get(Address::Row(&RowKey::View(StreamKey::Account(account), key))).await?;
                Some(row).filter(|row| self.may_show(account, row))
            }
            None => None,
        };
        Ok(match (view, wanted) {
            (Some(view), _) => Look::Found(Found::Shown(Shown { account, directory, view })),
            (None, Wanted::Repository(_)) if entry.listed => Look::Nothing,
            (None, _) => Look::Loading(account),
        })
    }

    /// Of a login that was forgotten nobody asks the forge whose it is: that would be kept again.
    async fn look_for_forgotten(&self, forge: Forge, login: &str) -> Result<Look, ReadError> {
        let key = forgotten_login(LoginHash::of(forge, login));
        let is_forgotten = self.rows.get(Address::Row(&key)).await?.forgotten().is_some();
        Ok(if is_forgotten { Look::Muted } else { Look::Unknown(None) })
    }

    /// Whether a row holds a view, and one that was not overtaken by a hiding.
    fn may_show(&self, account: AccountId, row: &CachedRow) -> bool {
        let is_summary = row.summary().is_some() && !self.hidden.look().outdates(account, row.version);
        is_summary || row.view().is_some()
    }

    /// What a name of an account's repository means.
    pub(crate) async fn repository(&self, account: AccountId, name: &str) -> Result<RepoName, ReadError> {
        if !is_name(name) {
            return Ok(RepoName::Nothing);
        }
        let row = self.rows.get(Address::RepoName(account, &lower_case(name))).await?;
        Ok(row.repo_name().unwrap_or(RepoName::Nothing))
    }

    /// A repository at its new owner, where that is kept and shows it.
    async fn look_elsewhere(&self, repo: RepoId, to: AccountId) -> Result<Look, ReadError> {
        let directory = self.rows.get(Address::Row(&RowKey::Directory(to))).await?;
        let is_kept = directory.directory().is_some_and(|entry| entry.state == DirectoryState::Kept);
        if !is_kept {
            return Ok(Look::Nothing);
        }
        let key = RowKey::View(StreamKey::Account(to), ViewKey::Repository(repo));
        let row = self.rows.get(Address::Row(&key)).await?;
        let name = row.view().map(|view| view.meta.name.clone());
        Ok(name.map_or(Look::Nothing, |name| Look::Found(Found::Elsewhere(name))))
    }
}

/// Whether a text can be a login or the name of a repository.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= NAME_CHARS_MAX
        && !text.chars().any(|letter| letter.is_control() || letter == '/')
}

/// The form in which names are keys; most are so already.
pub(crate) fn lower_case(name: &str) -> Cow<'_, str> {
    let is_lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) }
}
