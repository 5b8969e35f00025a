//! Users of S2 and their visits: rows of the `Service` stream.

use crate::{
    codec::DecodeError,
    entity::gist_users::{GistUsers, GistVisit},
    event::{Event, Stamp},
    id::StreamKey,
    key::{EntityKey, NeedKey, RowKey, ViewKey},
    row::Row,
    version::Version,
    view::gist_users::render,
};

/// The row that an event is folded into; `None` for events of other things.
pub(super) fn touched(event: &Event<'_>) -> Option<EntityKey> {
    match event {
        Event::GistUserAdded { .. } | Event::GistUserFound(_) => Some(EntityKey::GistUsers),
        Event::GistsVisited { login, .. } => Some(EntityKey::GistVisit(login.to_lowercase())),
        _ => None,
    }
}

/// Folds an event for which [`touched`] names a row.
pub(super) fn evolve(row: Option<&Row>, stamp: &Stamp, event: &Event<'_>) -> Result<Vec<Row>, DecodeError> {
    let version = row.map_or(stamp.version, |row| row.version.max(stamp.version));
    let is_folded = row.is_some_and(|row| row.version >= stamp.version);
    match event {
        Event::GistsVisited { login, seen } => {
            let mut visit = row.map(|row| GistVisit::decode(&row.value)).transpose()?.unwrap_or_default();
            if !is_folded {
                visit.visited(*seen);
            }
            let key = RowKey::Entity(StreamKey::Service, EntityKey::GistVisit(login.to_lowercase()));
            Ok(vec![Row { key, version, value: visit.encode().into() }])
        }
        Event::GistUserAdded { login, id } => {
            let mut users = decode(row)?;
            if !is_folded {
                users.add(login, *id, stamp);
            }
            Ok(rows(&users, &login.to_lowercase(), version))
        }
        Event::GistUserFound(found) => {
            let mut users = decode(row)?;
            if !is_folded {
                users.found(found, stamp);
            }
            Ok(rows(&users, &found.login, version))
        }
        _ => Ok(Vec::new()),
    }
}

fn decode(row: Option<&Row>) -> Result<GistUsers, DecodeError> {
    Ok(row.map(|row| GistUsers::decode(&row.value)).transpose()?.unwrap_or_default())
}

/// What is shown of a row of the stream's and is not part of a base; `None` for a row of which nothing is.
pub fn derived(row: &Row) -> Option<Row> {
    let RowKey::Entity(StreamKey::Service, EntityKey::GistUsers) = row.key else { return None };
    let users = GistUsers::decode(&row.value).ok()?;
    let key = RowKey::View(StreamKey::Service, ViewKey::GistUsers);
    Some(Row { key, version: row.version, value: render(&users).encode() })
}

fn rows(users: &GistUsers, login: &str, version: Version) -> Vec<Row> {
    let stream = StreamKey::Service;
    vec![
        Row { key: RowKey::Entity(stream, EntityKey::GistUsers), version, value: users.encode().into() },
        Row { key: RowKey::View(stream, ViewKey::GistUsers), version, value: render(users).encode() },
        Row {
            key: RowKey::Need(stream, NeedKey::GistUser(login.to_owned())),
            version,
            value: users.need(login).encode().into(),
        },
    ]
}
