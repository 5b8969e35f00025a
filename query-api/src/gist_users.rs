//! Users of S2, and what each of them has seen.
//!
//! A visit is noted once its answer was written, by a command that names the version of the view that was shown.
//! Until that is folded, this process answers from its own memory of it: a crash in between shows a file twice, never
//! to nobody.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    AccountId, EntityKey, Event, RowKey, StreamKey, Version, ViewKey,
    entity::gist_users::{GistUser, GistUsers, GistVisit, USER_ID_END},
    view::gists::Items,
};
use tokio::time::Instant;

use crate::{
    commands::NotAppended,
    protocol::problem::Problem,
    reading::lower_case,
    rows::ReadError,
    window::{Shared, Window},
};

/// Longer texts are no logins: GitHub's have at most 39 characters, those of managed users a suffix.
const LOGIN_BYTES_MAX: usize = 100;

/// A visit is appended again so often if the log does not take it; then only this process knows of it.
const ATTEMPTS_MAX: u32 = 5;
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);
/// How long each may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// Visits that were answered and may not be folded yet, by lower-cased login; as many as there are users.
#[derive(Debug, Default)]
pub(crate) struct Visits(Mutex<HashMap<String, Version>>);

impl Visits {
    fn note(&self, login: &str, seen: Version) {
        let mut visits = self.lock();
        let known = visits.entry(login.to_owned()).or_default();
        *known = seen.max(*known);
    }

    /// What a user has seen, given what is folded of it.
    fn seen(&self, login: &str, folded: Version) -> Version {
        let mut visits = self.lock();
        match visits.get(login) {
            Some(seen) if *seen > folded => *seen,
            Some(_) => {
                visits.remove(login);
                folded
            }
            None => folded,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is new to a user.
pub(crate) struct New {
    /// A JSON array.
    pub(crate) files: String,
    /// The visit to note once it was shown; `None` when there is nothing new.
    pub(crate) visit: Option<Visit>,
}

/// A visit that is under way.
pub(crate) struct Visit {
    window: Shared,
    login: String,
    seen: Version,
}

impl Visit {
    /// The answer was written.
    pub(crate) fn shown(self) {
        self.window.visits.note(&self.login, self.seen);
        // A runtime that is ending takes no more tasks: then the files are shown once more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.append());
        }
    }

    async fn append(self) {
        for _ in 0..ATTEMPTS_MAX {
            let event = Event::GistsVisited { login: self.login.as_str().into(), seen: self.seen };
            let commands = &self.window.commands;
            let record = commands.record(StreamKey::Service, format!("visit {}", self.login), vec![event]);
            match commands.append(vec![record], Instant::now() + ATTEMPT_TIMEOUT).await {
                Ok(_) => return,
                Err(NotAppended::Refused(error)) => tracing::warn!(%error, "a visit was not appended"),
                Err(NotAppended::Unknown) => tracing::warn!("a visit may not be in the log"),
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
    }
}

/// Whether a text can be somebody's login.
fn is_login(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LOGIN_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

/// A user's id, as it stands in a path.
fn id_of(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|id| *id < USER_ID_END)
}

impl Window {
    /// Adds a user; the same pair again changes nothing.
    pub(crate) async fn add_gist_user(&self, login: &str, id: &str) -> Result<GistUser, Problem> {
        if !is_login(login) {
            return Err(Problem::bad_request("This is no login of GitHub's."));
        }
        let Some(id) = id_of(id) else {
            return Err(Problem::bad_request("The id is no whole number from 0 to 9007199254740991."));
        };
        if let Some(user) = known(&self.gist_users().await?, login, id)? {
            return Ok(user);
        }
        let event = Event::GistUserAdded { login: login.into(), id };
        let record = self.commands.record(StreamKey::Service, format!("user {login}"), vec![event]);
        self.command(vec![record]).await?;
        // Of several who wanted the login, or the id, at once, the first in the log has it.
        known(&self.gist_users().await?, login, id)?.ok_or_else(Problem::unconfirmed)
    }

    /// What is new to a user since the last visit.
    pub(crate) async fn new_gists(self: &Shared, login: &str) -> Result<New, Problem> {
        let lower = lower_case(login);
        let users = self.gist_users().await?;
        let Some(user) = users.0.get(&*lower) else {
            return Err(Problem::bad_request("There is no such user. Add it: POST /users/{username}/{id}"));
        };
        let shown = match user.account {
            Some(account) => self.new_items(account).await?,
            None => None,
        };
        let Some((version, items)) = shown else { return Ok(New { files: "[]".to_owned(), visit: None }) };
        let seen = self.visits.seen(&lower, self.last_visit(&lower).await?);
        let files = items.since(seen);
        let visit = (items.newest() > seen).then(|| Visit {
            window: Shared::clone(self),
            login: lower.into_owned(),
            seen: version,
        });
        Ok(New { files, visit })
    }

    pub(crate) async fn gist_users(&self) -> Result<GistUsers, Problem> {
        let key = RowKey::Entity(StreamKey::Service, EntityKey::GistUsers);
        let row = self.store.get(&key).await?;
        let users = row.map(|row| GistUsers::decode(&row.value)).transpose();
        Ok(users.map_err(|_| ReadError::Unreadable)?.unwrap_or_default())
    }

    async fn new_items(&self, account: AccountId) -> Result<Option<(Version, Items)>, Problem> {
        let key = RowKey::View(StreamKey::Account(account), ViewKey::NewGists);
        let Some(row) = self.store.get(&key).await? else { return Ok(None) };
        let items = Items::decode(&row.value).map_err(|_| ReadError::Unreadable)?;
        Ok(Some((row.version, items)))
    }

    async fn last_visit(&self, login: &str) -> Result<Version, Problem> {
        let key = RowKey::Entity(StreamKey::Service, EntityKey::GistVisit(login.to_owned()));
        let row = self.store.get(&key).await?;
        let visit = row.map(|row| GistVisit::decode(&row.value)).transpose();
        Ok(visit.map_err(|_| ReadError::Unreadable)?.unwrap_or_default().seen)
    }
}

/// The user that is this pair; refused if the login, or the id, belongs to another one.
fn known(users: &GistUsers, login: &str, id: u64) -> Result<Option<GistUser>, Problem> {
    let taken = |what: &'static str| Err(Problem::bad_request(what));
    match users.0.get(&*lower_case(login)) {
        Some(user) if user.id == id => Ok(Some(user.clone())),
        Some(_) => taken("This login has another id."),
        None if users.0.values().any(|user| user.id == id) => taken("This id belongs to another login."),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_ids_are_taken_as_they_can_be() {
        for login in ["a", "Octo-Cat", "octo_corp"] {
            assert!(is_login(login), "{login}");
        }
        let long = "a".repeat(101);
        for login in ["", "@me", "a b", "a/b", "é", ".", "..", long.as_str()] {
            assert!(!is_login(login), "{login}");
        }
        assert_eq!((id_of("0"), id_of("9007199254740991")), (Some(0), Some(USER_ID_END - 1)));
        for id in ["", "-1", "+1", "1.0", "9007199254740992", "99999999999999999999999", "x", "٣"] {
            assert_eq!(id_of(id), None, "{id}");
        }
    }

    #[test]
    fn memory_of_a_visit_ends_with_its_fold() {
        let version = |offset| Version::new(domain::Epoch::FIRST, offset);
        let visits = Visits::default();
        visits.note("octo", version(5));
        visits.note("octo", version(3));
        assert_eq!(visits.seen("octo", version(2)), version(5));
        assert_eq!(visits.seen("octo", version(5)), version(5));
        assert!(visits.lock().is_empty());
        assert_eq!(visits.seen("octo", version(4)), version(4));
    }
}
