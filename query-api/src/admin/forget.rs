//! `POST /admin/forget {"login"}`: erase an account's rows, and what the service keeps of its logins. What the log keeps
//! is erased by whoever has it open, afterwards.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use domain::{
    AccountId, EntityKey, Event, Family, Forge, RowKey, ScanKey, StreamKey, Version,
    directory::DirectoryState,
    entity::login::Login,
    event::{LoginHash, LoginsForgotten},
    need::Need,
    service::forgotten_login,
};
use futures::TryStreamExt;
use serde::Serialize;
use view_store::account::{self, Held};

use super::input::{Input, OneLogin};
use crate::{
    protocol::problem::Problem,
    reading::lower_case,
    rows::{Address, ReadError},
    window::{Shared, Window},
};

/// What was erased.
#[derive(Serialize)]
pub(super) struct Forgotten {
    account: AccountId,
    /// Rows, by the name of their family.
    rows: BTreeMap<&'static str, u64>,
    /// Bytes of their values.
    bytes: u64,
    /// Answers and other rows that this process kept ready.
    cached: u64,
    /// The settings name it: a start would ask for it again.
    is_in_settings: bool,
}

pub(super) async fn post(
    State(window): State<Shared>,
    Input(OneLogin { login }): Input<OneLogin>,
) -> Result<Json<Forgotten>, Problem> {
    let account = match window.account_of(&login).await? {
        Some(account) => account,
        // What was begun may be ended, and what came since be erased.
        None => window.forgotten_account(&login).await?.ok_or_else(|| Problem::nobody_to_forget(&login))?,
    };
    let (names, aliases_at) = names(&window, account, &login).await?;
    let held = account::rows_of(&*window.store, account).await?;
    let erased = erased(&window, account, &held, &names).await?;
    let logins = names.iter().map(|name| LoginHash::of(account.forge(), name)).collect();
    let told = LoginsForgotten { account, logins, aliases_at };
    // Their ids are kept in the log too.
    let record = |stream, event| window.commands.record(stream, "forget".to_owned(), vec![event]);
    let records = vec![
        record(StreamKey::Account(account), Event::Forgotten),
        record(StreamKey::Service, Event::LoginsForgotten(told)),
    ];
    window.command(records).await?;
    Ok(Json(erased))
}

/// The logins under which an account is known, and the newest version of the rows that lead from them to it.
async fn names(
    window: &Window,
    account: AccountId,
    typed: &str,
) -> Result<(BTreeSet<String>, Version), Problem> {
    let forge = account.forge();
    let mut names = BTreeSet::from([lower_case(typed).into_owned()]);
    let directory = window.rows.get(Address::Row(&RowKey::Directory(account))).await?;
    names.extend(directory.directory().and_then(|entry| entry.login.as_deref()).map(str::to_lowercase));
    let mut rows = window.store.scan(&ScanKey::Entities(StreamKey::Service)).await?;
    while let Some(row) = rows.try_next().await? {
        let RowKey::Entity(_, EntityKey::Login(of, name)) = row.key else { continue };
        let login = Login::decode(&row.value).map_err(|_| ReadError::Unreadable)?;
        if of == forge && login.found.and_then(|found| found.account) == Some(account) {
            names.insert(name);
        }
    }
    let mut newest = Version::NONE;
    for name in &names {
        newest = newest.max(window.rows.get(Address::Alias(forge, name)).await?.version);
    }
    Ok((names, newest))
}

async fn erased(
    window: &Window,
    account: AccountId,
    held: &[Held],
    names: &BTreeSet<String>,
) -> Result<Forgotten, Problem> {
    let directory = window.rows.get(Address::Row(&RowKey::Directory(account))).await?;
    let was_forgotten = directory.directory().is_some_and(|entry| entry.state == DirectoryState::Forgotten);
    let mut rows = BTreeMap::new();
    let (mut bytes, mut cached) = (0, 0);
    for held in held.iter().filter(|held| is_removed(held, was_forgotten)) {
        *rows.entry(held.key.family().table()).or_insert(0) += 1;
        bytes += held.bytes as u64;
        cached += u64::from(window.rows.has(&held.key));
    }
    for name in names {
        for address in [Address::Alias(account.forge(), name), Address::Login(account.forge(), name)] {
            let row = window.rows.get(address).await?;
            if !row.is_absent() {
                *rows.entry(address.to_key().family().table()).or_insert(0) += 1;
                cached += 1;
            }
        }
    }
    let is_in_settings = account.forge() == Forge::GitHub
        && window.settings.track.iter().any(|tracked| names.contains(lower_case(tracked).as_ref()));
    Ok(Forgotten { account, rows, bytes, cached, is_in_settings })
}

/// Whether something is taken out of a row, and not only its end written.
fn is_removed(held: &Held, was_forgotten: bool) -> bool {
    match held.key.family() {
        // They stay, and say that it is forgotten.
        Family::Directory | Family::Hidden => false,
        Family::Need => held.bytes > Need::Met.encode().len(),
        Family::Cursor => held.bytes > 0,
        Family::DeadLetter => !was_forgotten,
        Family::Entity => !was_forgotten || !matches!(held.key, RowKey::Entity(_, EntityKey::Account)),
        _ => true,
    }
}

impl Window {
    /// The account that a login meant that was forgotten.
    pub(crate) async fn forgotten_account(&self, login: &str) -> Result<Option<AccountId>, ReadError> {
        let key = forgotten_login(LoginHash::of(Forge::GitHub, login));
        Ok(self.rows.get(Address::Row(&key)).await?.forgotten())
    }
}
