//! `GET /admin/keys`, `POST /admin/keys {"name","email","expires_s"}` and `POST /admin/keys/revoke {"ids":[…]}`: API
//! keys of readers. A key is told once, in the answer to its making.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use domain::{EntityKey, Event, RowKey, ScanKey, StreamKey, entity::api_key::ApiKey, event::ApiKeyMade};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{
    input::{Ids, Input, check_count},
    time,
};
use crate::{
    api_keys::{NewKey, row_key},
    protocol::problem::Problem,
    rows::ReadError,
    window::{Shared, Window},
};

/// Names and addresses are shown in lists, and kept for ever.
const TEXT_CHARS_MAX: usize = 254;

/// A key to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    name: String,
    email: String,
    /// For how many seconds it is to work; without it, until it is revoked.
    #[serde(default)]
    expires_s: Option<u32>,
}

/// A key as it was made.
#[derive(Serialize)]
pub(super) struct Made {
    id: String,
    /// Told this once.
    key: String,
    expires_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct List {
    keys: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    id: String,
    name: String,
    email: String,
    /// `works`, `expired` or `revoked`.
    state: &'static str,
    made_at: Option<String>,
    expires_at: Option<String>,
    used_at: Option<String>,
}

/// What came of revocations.
#[derive(Serialize)]
pub(super) struct States {
    keys: Vec<KeyState>,
}

#[derive(Serialize)]
struct KeyState {
    id: String,
    /// `revoked` or `unknown`.
    state: &'static str,
}

pub(super) async fn make(
    State(window): State<Shared>,
    Input(wish): Input<Wish>,
) -> Result<Json<Made>, Problem> {
    for (field, text) in [("name", &wish.name), ("email", &wish.email)] {
        let is_wrong = text.trim().is_empty()
            || text.chars().count() > TEXT_CHARS_MAX
            || text.chars().any(char::is_control);
        if is_wrong {
            return Err(Problem::bad_request(format!("`{field}` is empty, too long, or not plain text")));
        }
    }
    if !wish.email.contains('@') {
        return Err(Problem::bad_request("`email` is no address"));
    }
    let expires_ms = wish.expires_s.map(|seconds| window.now().plus(i64::from(seconds) * 1_000));
    let NewKey { id, key, hash } = NewKey::random();
    let made = ApiKeyMade {
        id: id.as_str().into(),
        name: wish.name.as_str().into(),
        email: wish.email.as_str().into(),
        hash,
        expires_ms,
    };
    let event = Event::ApiKeyMade(Box::new(made));
    let record = window.commands.record(StreamKey::Service, format!("key {id}"), vec![event]);
    window.command(vec![record]).await?;
    Ok(Json(Made { id, key, expires_at: expires_ms.and_then(time) }))
}

pub(super) async fn list(State(window): State<Shared>) -> Result<Json<List>, Problem> {
    let now = window.now();
    let all = all(&window).await?;
    let summary = |(id, key): (String, ApiKey)| Summary {
        id,
        state: match key.revoked_ms {
            Some(_) => "revoked",
            None if key.is_expired(now) => "expired",
            None => "works",
        },
        made_at: time(key.made_ms),
        expires_at: key.expires_ms.and_then(time),
        used_at: time(key.used_ms),
        name: key.name,
        email: key.email,
    };
    Ok(Json(List { keys: all.into_iter().map(summary).collect() }))
}

pub(super) async fn revoke(
    State(window): State<Shared>,
    Input(Ids { ids }): Input<Ids>,
) -> Result<Json<States>, Problem> {
    check_count(&ids)?;
    let mut known = BTreeSet::new();
    for id in &ids {
        let row = window.store.get(&row_key(id)).await.map_err(|_| ReadError::Unavailable)?;
        if row.is_some() {
            known.insert(id.as_str());
        }
    }
    let events: Vec<Event<'_>> = known.iter().map(|id| Event::ApiKeyRevoked { id: (*id).into() }).collect();
    if !events.is_empty() {
        let record = window.commands.record(StreamKey::Service, "key revoke".to_owned(), events);
        window.command(vec![record]).await?;
    }
    let state = |id: &String| if known.contains(id.as_str()) { "revoked" } else { "unknown" };
    let keys = ids.iter().map(|id| KeyState { state: state(id), id: id.clone() }).collect();
    Ok(Json(States { keys }))
}

/// All keys, by id.
async fn all(window: &Window) -> Result<Vec<(String, ApiKey)>, ReadError> {
    let range = ScanKey::Entities(StreamKey::Service);
    let mut rows = window.store.scan(&range).await.map_err(|_| ReadError::Unavailable)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(|_| ReadError::Unavailable)? {
        if let RowKey::Entity(_, EntityKey::ApiKey(id)) = row.key {
            keys.push((id, ApiKey::decode(&row.value).map_err(|_| ReadError::Unreadable)?));
        }
    }
    Ok(keys)
}
