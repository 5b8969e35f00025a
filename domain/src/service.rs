//! The `Service` stream: what belongs to no account. Its rows stand alone, so each is folded by itself; only the
//! newest public repositories are one large thing, and are kept at hand while a batch is folded ([`LatestFold`]).

mod forgotten;
mod gists;
mod latest;

pub use self::{
    forgotten::{Traces, forgotten_login, is_attempt, is_unheard, left_of},
    gists::derived,
    latest::LatestFold,
};
use crate::{
    codec::DecodeError,
    directory::Alias,
    entity::{api_key::ApiKey, door::Door, login::Login},
    event::{Event, Stamp, Told},
    id::{Forge, StreamKey},
    key::{EntityKey, NeedKey, RowKey},
    need::Need,
    row::Row,
    time::Millis,
};

/// The rows that an event of the `Service` stream is folded into; they must be loaded first.
pub fn touched(event: &Event<'_>) -> Option<RowKey> {
    let key = match event {
        Event::LoginWanted { forge, login, .. } | Event::LoginFound { forge, login, .. } => {
            EntityKey::Login(*forge, login.to_lowercase())
        }
        Event::DoorOpened => EntityKey::Door,
        Event::ApiKeyMade(made) => EntityKey::ApiKey(made.id.to_string()),
        Event::ApiKeyRevoked { id } | Event::ApiKeyUsed { id } => EntityKey::ApiKey(id.to_string()),
        other => gists::touched(other)?,
    };
    Some(RowKey::Entity(StreamKey::Service, key))
}

/// Folds one event into the row that [`touched`] names; returns the rows to write.
///
/// A row that this record, or a later one, already wrote is only written again.
///
/// # Errors
/// When the row was written by a newer release or is damaged.
pub fn evolve(row: Option<&Row>, stamp: &Stamp, event: &Event<'_>) -> Result<Vec<Row>, DecodeError> {
    let Some(key) = touched(event) else { return Ok(Vec::new()) };
    let is_folded = row.is_some_and(|row| row.version >= stamp.version);
    match (&key, event) {
        (RowKey::Entity(_, EntityKey::Login(forge, name)), _) => {
            let known = row.map(|row| Login::decode(&row.value)).transpose()?;
            let version = row.map_or(stamp.version, |row| row.version.max(stamp.version));
            let login = if is_folded { known } else { evolve_login(known, stamp, event) };
            let Some(login) = login else { return Ok(Vec::new()) };
            let mut rows = login_rows(*forge, name, &login, version);
            rows.extend(alias_row(*forge, name, stamp, event));
            Ok(rows)
        }
        (RowKey::Entity(_, EntityKey::ApiKey(_)), _) => {
            let known = row.map(|row| ApiKey::decode(&row.value)).transpose()?;
            let version = row.map_or(stamp.version, |row| row.version.max(stamp.version));
            let api_key = if is_folded { known } else { evolve_api_key(known, stamp, event) };
            Ok(api_key.map(|it| Row { key, version, value: it.encode().into() }).into_iter().collect())
        }
        (_, Event::DoorOpened) => {
            let mut door = row.map(|row| Door::decode(&row.value)).transpose()?.unwrap_or_default();
            let version = row.map_or(stamp.version, |row| row.version.max(stamp.version));
            if !is_folded {
                door.opened(stamp.received_at);
            }
            Ok(vec![Row { key, version, value: door.encode().into() }])
        }
        _ => gists::evolve(row, stamp, event),
    }
}

/// What is said of a key that nobody made changes nothing, and a key is made once.
fn evolve_api_key(known: Option<ApiKey>, stamp: &Stamp, event: &Event<'_>) -> Option<ApiKey> {
    let Some(mut api_key) = known else {
        return match event {
            Event::ApiKeyMade(made) => Some(ApiKey::made(made, stamp)),
            _ => None,
        };
    };
    match event {
        Event::ApiKeyRevoked { .. } => api_key.revoked(stamp),
        Event::ApiKeyUsed { .. } => api_key.used(stamp),
        _ => {}
    }
    Some(api_key)
}

fn evolve_login(known: Option<Login>, stamp: &Stamp, event: &Event<'_>) -> Option<Login> {
    match (event, stamp.told, known) {
        (Event::LoginWanted { login, by, .. }, _, known) => Some(Login::wanted(known, login, *by, stamp)),
        (Event::LoginFound { account, .. }, Told::Answer(asked), Some(mut login)) => {
            login.found(*account, &asked);
            Some(login)
        }
        (_, _, known) => known,
    }
}

fn login_rows(forge: Forge, name: &str, login: &Login, version: crate::Version) -> Vec<Row> {
    let need = if login.is_open() {
        Need::Open { is_doubt: false, raised_at: login.wanted_at, not_before: Millis(0) }
    } else {
        Need::Met
    };
    let stream = StreamKey::Service;
    let key = RowKey::Entity(stream, EntityKey::Login(forge, name.to_owned()));
    let need_key = RowKey::Need(stream, NeedKey::Login(forge, name.to_owned()));
    vec![
        Row { key, version, value: login.encode().into() },
        Row { key: need_key, version, value: need.encode().into() },
    ]
}

/// The login that was asked for leads to the account too, also where the account now has another one.
fn alias_row(forge: Forge, name: &str, stamp: &Stamp, event: &Event<'_>) -> Option<Row> {
    let (Event::LoginFound { account: Some(account), .. }, Told::Answer(asked)) = (event, stamp.told) else {
        return None;
    };
    Some(Row {
        key: RowKey::Alias(forge, name.to_owned()),
        version: Alias::version(asked.date),
        value: Alias { account: *account }.encode().into(),
    })
}
