//! What the `Service` stream keeps of an account that was forgotten: wanted logins, users of S2 with their visits, and
//! in their place a row for each login that says that it was forgotten.

use crate::{
    codec::DecodeError,
    directory::Alias,
    entity::{forgotten_login::ForgottenLogin, gist_users::GistUsers, login::Login},
    event::{Event, LoginHash, LoginsForgotten, Stamp, TrackedBy},
    id::{Forge, StreamKey},
    key::{EntityKey, NeedKey, RowKey, ViewKey},
    record::login_attempt_cursor,
    row::Row,
    version::Version,
    view::gist_users::render,
};

/// The row that says that a login was forgotten.
pub fn forgotten_login(login: LoginHash) -> RowKey {
    RowKey::Entity(StreamKey::Service, EntityKey::ForgottenLogin(login))
}

/// The row that, where it is there, keeps an event from being folded: only a person ends a forgetting.
pub fn is_unheard(event: &Event<'_>) -> Option<RowKey> {
    match event {
        Event::LoginWanted { by: TrackedBy::Person, .. } => None,
        Event::LoginWanted { forge, login, .. } | Event::LoginFound { forge, login, .. } => {
            Some(forgotten_login(LoginHash::of(*forge, login)))
        }
        _ => None,
    }
}

/// What is left of a row of the stream's once an account is forgotten; `None`: nothing of it.
///
/// # Errors
/// When it was written by a newer release or is damaged.
pub fn left_of(row: &Row, forgotten: &LoginsForgotten) -> Result<Option<Row>, DecodeError> {
    let account = Some(forgotten.account);
    let is_gone = match &row.key {
        RowKey::Entity(_, EntityKey::Login(forge, name)) => {
            let found = Login::decode(&row.value)?.found.and_then(|found| found.account);
            found == account || forgotten.names(*forge, name)
        }
        RowKey::Alias(forge, name) => {
            Some(Alias::decode(&row.value)?.account) == account || forgotten.names(*forge, name)
        }
        RowKey::Entity(_, EntityKey::GistVisit(login)) | RowKey::Need(_, NeedKey::GistUser(login)) => {
            forgotten.names(Forge::GitHub, login)
        }
        RowKey::Need(_, NeedKey::Login(forge, name)) => forgotten.names(*forge, name),
        RowKey::Cursor(_, kind) => is_attempt(kind, forgotten),
        RowKey::Entity(_, EntityKey::GistUsers) => {
            let mut users = GistUsers::decode(&row.value)?;
            let count = users.0.len();
            users.0.retain(|login, user| user.account != account && !forgotten.names(Forge::GitHub, login));
            if users.0.len() < count {
                return Ok(Some(Row { value: users.encode().into(), ..row.clone() }));
            }
            false
        }
        _ => false,
    };
    Ok((!is_gone).then(|| row.clone()))
}

/// Whether a cursor is about whether asking for one of the logins comes to anything.
pub fn is_attempt(kind: &str, forgotten: &LoginsForgotten) -> bool {
    let forge = forgotten.account.forge();
    let login = kind.strip_prefix(&login_attempt_cursor(forge, ""));
    login.is_some_and(|login| forgotten.names(forge, login))
}

/// What is found of an account while the rows of the stream's entities are read.
#[derive(Debug)]
pub struct Traces<'a> {
    forgotten: &'a LoginsForgotten,
    stamp: &'a Stamp,
    rows: Vec<Row>,
}

impl<'a> Traces<'a> {
    /// Before the first row.
    pub fn of(forgotten: &'a LoginsForgotten, stamp: &'a Stamp) -> Self {
        Traces { forgotten, stamp, rows: Vec::new() }
    }

    /// Looks at a row of the stream's entities. A newer one than the record is left alone.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn look(&mut self, row: &Row) -> Result<(), DecodeError> {
        let version = self.stamp.version;
        if row.version > version || row.is_erased() {
            return Ok(());
        }
        match &row.key {
            RowKey::Entity(_, EntityKey::Login(forge, name)) => {
                let login = Login::decode(&row.value)?;
                let account = login.found.and_then(|found| found.account);
                if account == Some(self.forgotten.account) || self.forgotten.names(*forge, name) {
                    self.erase_login(*forge, name);
                }
            }
            RowKey::Entity(_, EntityKey::GistVisit(login)) if self.names(login) => {
                self.rows.push(Row::erased(row.key.clone(), version));
            }
            RowKey::Entity(_, EntityKey::GistUsers) => self.erase_users(GistUsers::decode(&row.value)?),
            _ => {}
        }
        Ok(())
    }

    /// The rows to write.
    pub fn rows(mut self) -> Vec<Row> {
        let value = ForgottenLogin { account: self.forgotten.account }.encode();
        self.rows.extend(self.forgotten.logins.iter().map(|login| Row {
            key: forgotten_login(*login),
            version: self.stamp.version,
            value: value.clone().into(),
        }));
        self.rows
    }

    /// Users of S2 are GitHub's.
    fn names(&self, login: &str) -> bool {
        self.forgotten.names(Forge::GitHub, login)
    }

    fn erase_login(&mut self, forge: Forge, name: &str) {
        let (stream, version) = (StreamKey::Service, self.stamp.version);
        let keys = [
            RowKey::Entity(stream, EntityKey::Login(forge, name.to_owned())),
            RowKey::Need(stream, NeedKey::Login(forge, name.to_owned())),
            RowKey::Cursor(stream, login_attempt_cursor(forge, name)),
        ];
        self.rows.extend(keys.map(|key| Row::erased(key, version)));
        let alias = self.forgotten.aliases_at.max(Version::LEAST);
        self.rows.push(Row::erased(RowKey::Alias(forge, name.to_owned()), alias));
    }

    fn erase_users(&mut self, mut users: GistUsers) {
        let (stream, version) = (StreamKey::Service, self.stamp.version);
        let account = Some(self.forgotten.account);
        let is_one = |login: &str, of| of == account || self.forgotten.names(Forge::GitHub, login);
        let gone: Vec<String> = users
            .0
            .iter()
            .filter(|(login, user)| is_one(login, user.account))
            .map(|(login, _)| login.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        for login in gone {
            users.0.remove(&login);
            let visit = RowKey::Entity(stream, EntityKey::GistVisit(login.clone()));
            let need = RowKey::Need(stream, NeedKey::GistUser(login));
            self.rows.extend([visit, need].map(|key| Row::erased(key, version)));
        }
        let entity = RowKey::Entity(stream, EntityKey::GistUsers);
        let view = RowKey::View(stream, ViewKey::GistUsers);
        self.rows.push(Row { key: entity, version, value: users.encode().into() });
        self.rows.push(Row { key: view, version, value: render(&users).encode() });
    }
}
