//! One page of an account's repositories, joined from their ready views.
//!
//! A repository's payload stands in the page as it is, its own `freshness` included; the page's tells what its
//! parts tell.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    RepoId, RowKey, StreamKey, ViewKey,
    view::{self, body::Meta, freshness::MISSING_MAX},
};
use event_log::Position;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    pages::Parts,
    protocol::{link::Paging, problem::Problem},
    reading::Shown,
    ready::Ready,
    rows::{Address, CachedRow, ReadError},
    window::Window,
};

/// Rows of one page that are read from the store at a time, where they are not in memory.
const READS_AT_A_TIME: usize = 16;

/// The page that `paging` asks for, and how many repositories the account has in all.
pub(crate) async fn of(
    window: &Window,
    index: &Shown,
    paging: Paging,
) -> Result<(usize, Arc<Ready>), Problem> {
    let (total, ids) = view::index::page(index.ready().identity()?, paging.page, paging.per_page);
    let rows = rows_of(window, index, ids).await?;
    let shown: Vec<&CachedRow> =
        rows.repositories.iter().map(AsRef::as_ref).filter(|row| row.view().is_some()).collect();

    let account = rows.account.iter();
    let parts: Parts = shown
        .iter()
        .map(|row| (row.version, row.era))
        .chain([index.version_and_era()])
        .chain(account.map(|row| (row.version, row.era)))
        .collect();
    if let Some(page) = window.pages.get(index.account, paging, &parts) {
        return Ok((total, page));
    }
    let views: Vec<&Ready> = shown.iter().filter_map(|row| row.view()).collect();
    let gaps_of_list = rows.account.as_ref().and_then(|row| row.view());
    let (payload, meta) = join(index.ready(), &views, gaps_of_list)?;
    let newest = parts.iter().map(|(version, _)| *version).max().unwrap_or(index.version());
    let partition = window.log.partition_of(StreamKey::Account(index.account));
    let position = Position { partition, offset: newest.offset() };
    let page = Arc::new(Ready::joined(payload, meta, position));
    window.pages.keep(index.account, paging, parts, Arc::clone(&page));
    Ok((total, page))
}

struct Rows {
    repositories: Vec<Arc<CachedRow>>,
    /// Names what is open about the list itself; read only where something is.
    account: Option<Arc<CachedRow>>,
}

async fn rows_of(window: &Window, index: &Shown, ids: Vec<RepoId>) -> Result<Rows, ReadError> {
    let stream = StreamKey::Account(index.account);
    let read = |key: RowKey| async move { window.rows.get(Address::Row(&key)).await };
    let repositories = futures::stream::iter(ids)
        .map(|id| read(RowKey::View(stream, ViewKey::Repository(id))))
        .buffered(READS_AT_A_TIME)
        .try_collect()
        .await?;
    let account = if index.ready().meta.complete {
        None
    } else {
        Some(read(RowKey::View(stream, ViewKey::Account)).await?)
    };
    Ok(Rows { repositories, account })
}

#[derive(Serialize)]
struct Freshness<'a> {
    as_of: Option<String>,
    complete: bool,
    missing: Vec<&'a RawValue>,
}

/// What is read again of a payload that is not complete.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    freshness: ToldFreshness<'a>,
}

#[derive(Deserialize)]
struct ToldFreshness<'a> {
    #[serde(borrow)]
    missing: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Gap<'a> {
    #[serde(borrow)]
    field: std::borrow::Cow<'a, str>,
    repository: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    reason: std::borrow::Cow<'a, str>,
}

/// A page of an account's repositories.
#[derive(utoipa::ToSchema)]
#[schema(as = RepositoryPage)]
#[expect(dead_code, reason = "it describes the bytes that are joined")]
pub(crate) struct Page<'a> {
    repositories: Vec<domain::view::repository::Payload<'a>>,
    freshness: domain::view::freshness::Freshness<'a>,
}

/// The page's bytes, and what stands beside them. `account` is the account's own view, where its index is not
/// complete.
fn join(index: &Ready, views: &[&Ready], account: Option<&Ready>) -> Result<(Bytes, Meta), Problem> {
    let as_of = views.iter().map(|view| view.meta.as_of).max().unwrap_or_default();
    let mut missing = Vec::new();
    if let Some(account) = account {
        missing.extend(gaps(account)?.into_iter().filter(|gap| is_of_list(gap)));
    }
    for view in views.iter().filter(|view| !view.meta.complete) {
        missing.extend(gaps(view)?);
    }
    missing.truncate(MISSING_MAX);
    let complete = missing.is_empty() && views.iter().all(|view| view.meta.complete);
    let freshness = Freshness { as_of: (as_of.0 > 0).then(|| as_of.to_string()), complete, missing };

    let length: usize = views.iter().map(|view| view.meta.length as usize + 1).sum();
    let mut payload = Vec::with_capacity(length + 256);
    payload.extend_from_slice(br#"{"repositories":["#);
    for (place, view) in views.iter().enumerate() {
        if place > 0 {
            payload.push(b',');
        }
        payload.extend_from_slice(view.identity()?);
    }
    payload.extend_from_slice(br#"],"freshness":"#);
    serde_json::to_writer(&mut payload, &freshness).expect("plain values serialize");
    payload.push(b'}');

    let checks = views.iter().map(|view| view.checked()).chain([index.checked()]);
    let meta = Meta {
        hash: view::body::hash(&payload),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        as_of,
        checked_ms: checks.min().flatten(),
        complete,
        name: index.meta.name.clone(),
    };
    Ok((payload.into(), meta))
}

fn gaps(view: &Ready) -> Result<Vec<&RawValue>, Problem> {
    let told: Told<'_> = serde_json::from_slice(view.identity()?).map_err(|_| Problem::unreadable())?;
    Ok(told.freshness.missing)
}

/// Whether a gap of an account is about the list of its repositories, or about all of them: a delivery that
/// could not be read may have been about any.
fn is_of_list(gap: &RawValue) -> bool {
    serde_json::from_str::<Gap<'_>>(gap.get()).is_ok_and(|gap| {
        gap.repository.is_none() && (gap.field == "repositories" || gap.reason == "unreadable")
    })
}
