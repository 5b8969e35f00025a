//! The newest public repositories (S4): composed when a row of theirs is heard to have changed, so that a request
//! copies ready bytes.
//!
//! What an answer shows is a selection of at most a hundred fragments, and all filters that select the same get the
//! same bytes. So somebody who tries out names fills memory with small keys and one empty list, not with payloads;
//! both caches are bounded in bytes and end with the next change.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::response::Response;
use domain::{
    Millis, Version,
    service::LatestFold,
    view::{
        body::{self, Meta},
        latest::{Filter, Fragments, Selection, stats},
    },
};
use http::{HeaderMap, HeaderValue};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{
    hidden::HiddenIds,
    protocol::problem::Problem,
    ready::{Circumstances, Ready},
    rows::{Address, CachedRow},
    waiting::Topic,
    window::{SWEEPS_TO_STALE, Window},
};

/// Of the bytes for filtered answers, the part that is for filters: what each selects.
const FILTERS_SHARE: usize = 8;
/// What an answer takes in memory beside its bytes: mostly headers.
const ANSWER_OVERHEAD_BYTES: usize = 2_000;
/// What an answer's gzip form will add to its bytes at most, as a part of them.
const GZIP_SHARE: usize = 4;
/// What a filter takes in memory beside its texts.
const FILTER_OVERHEAD_BYTES: usize = 200;

/// The list is out of date when so many polls in a row brought nothing.
const POLLS_TO_STALE: i64 = 3;
/// A poll may take this long.
const POLL_MS: i64 = 60_000;

/// Which of the two payloads is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Payload {
    /// `/repos`
    Repos,
    /// `/stats`
    Stats,
}

/// The answers as they stand.
pub(crate) struct LatestAnswers {
    current: RwLock<Option<Current>>,
    /// Held while answers are composed: once is enough.
    composing: Mutex<()>,
    bytes_max: usize,
}

/// Answers, and what they were made of.
#[derive(Clone)]
struct Current {
    /// Of the row, and the era in which it was read: rows of two generations may have one version.
    row: (Version, u64),
    /// Of the hidden ids, when they were last compared.
    hidden: u64,
    composed: Arc<Composed>,
}

/// Everything that can be answered while nothing changes.
pub(crate) struct Composed {
    fragments: Fragments,
    /// Those that no account's stream says are hidden.
    visible: Selection,
    meta: Meta,
    position: HeaderValue,
    repos: Arc<Ready>,
    stats: Arc<Ready>,
    selections: Cache<Filter, Selection, FilterWeighter>,
    answers: Cache<(Payload, Selection), Arc<Ready>, AnswerWeighter>,
}

impl LatestAnswers {
    pub(crate) fn new(bytes_max: usize) -> Self {
        LatestAnswers { current: RwLock::default(), composing: Mutex::default(), bytes_max }
    }

    fn kept(&self, row: (Version, u64), hidden: u64) -> Option<Arc<Composed>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.as_ref().filter(|current| current.row == row && current.hidden == hidden);
        current.map(|current| Arc::clone(&current.composed))
    }

    /// The answers that are made of this row and these hidden ids.
    fn of(&self, row: &CachedRow, view: &Ready, hidden: &HiddenIds) -> Result<Arc<Composed>, Problem> {
        let read = (row.version, row.era);
        if let Some(composed) = self.kept(read, hidden.changes()) {
            return Ok(composed);
        }
        let _composing = self.composing.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the ids are looked at: what is hidden meanwhile is seen by the next one.
        let changes = hidden.changes();
        if let Some(composed) = self.kept(read, changes) {
            return Ok(composed);
        }
        let last = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let same = last.filter(|last| last.row == read);
        let composed = match same {
            // Somewhere something was hidden or shown; mostly not here.
            Some(last) if last.composed.visible == visible(&last.composed.fragments, hidden) => last.composed,
            _ => Arc::new(self.compose(view, hidden)?),
        };
        let current = Current { row: read, hidden: changes, composed: Arc::clone(&composed) };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
        Ok(composed)
    }

    fn compose(&self, view: &Ready, hidden: &HiddenIds) -> Result<Composed, Problem> {
        let fragments = Fragments::decode(view.identity()?).map_err(|error| {
            tracing::error!(%error, "the newest public repositories cannot be read");
            Problem::unreadable()
        })?;
        let visible = visible(&fragments, hidden);
        let meta = view.meta.clone();
        let position = position(view, visible);
        let render = |payload| {
            let ready = Arc::new(render(&fragments, visible, payload, &meta, &position));
            // Compressed now, not when the first reader waits for it.
            ready.prepare()?;
            Ok::<_, Problem>(ready)
        };
        let (repos, stats) = (render(Payload::Repos)?, render(Payload::Stats)?);
        let filters_bytes = self.bytes_max / FILTERS_SHARE;
        let answers_bytes = self.bytes_max - filters_bytes;
        Ok(Composed {
            selections: cache(filters_bytes, FILTER_OVERHEAD_BYTES, FilterWeighter),
            answers: cache(answers_bytes, ANSWER_OVERHEAD_BYTES, AnswerWeighter),
            fragments,
            visible,
            meta,
            position,
            repos,
            stats,
        })
    }
}

impl Composed {
    /// The answer to a wish.
    fn answer(&self, payload: Payload, filter: Filter) -> Arc<Ready> {
        let all = match payload {
            Payload::Repos => &self.repos,
            Payload::Stats => &self.stats,
        };
        if filter.is_empty() {
            return Arc::clone(all);
        }
        let selection = self.selections.get(&filter).unwrap_or_else(|| {
            let selection = self.fragments.select(&filter).and(self.visible);
            self.selections.insert(filter, selection);
            selection
        });
        if selection == self.visible {
            return Arc::clone(all);
        }
        self.answers.get(&(payload, selection)).unwrap_or_else(|| {
            let ready = Arc::new(render(&self.fragments, selection, payload, &self.meta, &self.position));
            self.answers.insert((payload, selection), Arc::clone(&ready));
            ready
        })
    }

    /// Whether anything is known that could be shown.
    fn is_known(&self) -> bool {
        self.meta.complete || !self.fragments.repositories.is_empty()
    }
}

impl Window {
    /// Answers S4's wishes; waits a moment while nothing is known yet.
    pub(crate) async fn answer_latest(
        &self,
        payload: Payload,
        filter: Filter,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        let Some(poll) = self.settings.latest_poll else { return Err(Problem::latest_is_off()) };
        let composed = match self.latest_composed().await? {
            Some(composed) => composed,
            None => Box::pin(self.wait_for_latest()).await?,
        };
        let ready = composed.answer(payload, filter);
        let poll_ms = i64::try_from(poll.as_millis()).unwrap_or(i64::MAX);
        let now = Circumstances {
            is_complete: ready.meta.complete && self.is_followed(&composed, poll_ms),
            shared: self.shared_headers(),
        };
        Ok(ready.answer(request, &now)?)
    }

    /// Makes the answers anew, if what they are made of has changed.
    pub(crate) async fn compose_latest(&self) {
        if self.settings.latest_poll.is_some() {
            // Whoever asks next hears why.
            let _ = self.latest_composed().await;
        }
    }

    /// `None` while nothing is known.
    async fn latest_composed(&self) -> Result<Option<Arc<Composed>>, Problem> {
        let row = self.rows.get(Address::Row(&self.latest_key)).await?;
        let Some(view) = row.view() else { return Ok(None) };
        let composed = self.latest.of(&row, view, &self.hidden)?;
        Ok(composed.is_known().then_some(composed))
    }

    async fn wait_for_latest(&self) -> Result<Arc<Composed>, Problem> {
        let deadline = Instant::now() + self.settings.first_read_wait;
        let seat = self.waiting.sit_down().ok_or_else(Problem::latest_is_computing)?;
        let mut ear = seat.listen(Topic::Latest);
        loop {
            if let Some(composed) = self.latest_composed().await? {
                return Ok(composed);
            }
            if tokio::time::timeout_at(deadline, ear.hear()).await.is_err() {
                return Err(Problem::latest_is_computing());
            }
        }
    }

    /// Whether the forge's list was read lately, and every part was checked within the time of two sweeps. No
    /// delivery tells of these repositories, so that our door has no part in it.
    fn is_followed(&self, composed: &Composed, poll_ms: i64) -> bool {
        let now = self.now();
        let lasts = poll_ms.saturating_mul(POLLS_TO_STALE).saturating_add(POLL_MS);
        let is_listed = composed.fragments.listed_ms.is_some_and(|listed| listed.plus(lasts) >= now);
        let is_checked = self.settings.reconcile.is_none_or(|interval| {
            let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
            let checked = composed.meta.checked_ms.unwrap_or(Millis(0));
            checked.plus(interval_ms.saturating_mul(SWEEPS_TO_STALE)) >= now
        });
        is_listed && is_checked
    }
}

/// The fragments that no account's stream says are hidden: design invariant 9.
fn visible(fragments: &Fragments, hidden: &HiddenIds) -> Selection {
    let hidden = hidden.look();
    fragments
        .choose(|fragment| fragment.owner.is_none_or(|owner| !hidden.hides_repository(owner, fragment.id)))
}

/// Moves with the row, and with what is hidden of it.
fn position(view: &Ready, visible: Selection) -> HeaderValue {
    let row = view.position().to_str().unwrap_or_default();
    HeaderValue::try_from(format!("{row}.{visible}")).expect("digits and letters")
}

fn render(
    fragments: &Fragments,
    selection: Selection,
    payload: Payload,
    meta: &Meta,
    position: &HeaderValue,
) -> Ready {
    let bytes = match payload {
        Payload::Repos => fragments.repos(selection),
        Payload::Stats => stats(fragments, selection),
    };
    let meta = Meta {
        hash: body::hash(&bytes),
        length: u32::try_from(bytes.len()).expect("a hundred fragments are far below 4 GiB"),
        as_of: fragments.as_of(selection),
        ..meta.clone()
    };
    Ready::composed(bytes.into(), meta, position.clone())
}

fn cache<K: Eq + std::hash::Hash, V: Clone, W: quick_cache::Weighter<K, V> + Clone>(
    bytes_max: usize,
    item_bytes: usize,
    weighter: W,
) -> Cache<K, V, W> {
    /// The tables of the cache itself are made for so many entries at most, and grow if need be.
    const ITEMS_MAX: usize = 256;
    let items = (bytes_max / item_bytes).clamp(16, ITEMS_MAX);
    Cache::with_weighter(items, u64::try_from(bytes_max).unwrap_or(u64::MAX), weighter)
}

#[derive(Clone)]
struct FilterWeighter;

impl quick_cache::Weighter<Filter, Selection> for FilterWeighter {
    fn weight(&self, filter: &Filter, _: &Selection) -> u64 {
        u64::try_from(FILTER_OVERHEAD_BYTES + filter.text_bytes()).unwrap_or(u64::MAX)
    }
}

#[derive(Clone)]
struct AnswerWeighter;

impl quick_cache::Weighter<(Payload, Selection), Arc<Ready>> for AnswerWeighter {
    fn weight(&self, _: &(Payload, Selection), ready: &Arc<Ready>) -> u64 {
        let length = usize::try_from(ready.meta.length).unwrap_or(usize::MAX);
        let bytes = length.saturating_add(length / GZIP_SHARE).saturating_add(ANSWER_OVERHEAD_BYTES);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// The row that the answers are made of.
pub(crate) fn key() -> domain::RowKey {
    LatestFold::view_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 1 << 20;

    fn composed() -> Composed {
        let answers = LatestAnswers::new(BYTES_MAX);
        let payload = Fragments::default().encode();
        let meta = Meta {
            hash: 1,
            length: u32::try_from(payload.len()).unwrap(),
            as_of: domain::Second(0),
            checked_ms: None,
            complete: true,
            name: String::new(),
        };
        let view = Ready::composed(payload.into(), meta, HeaderValue::from_static("0:1"));
        answers.compose(&view, &HiddenIds::default()).unwrap()
    }

    #[test]
    fn whoever_tries_out_names_fills_a_bounded_memory_with_one_answer() {
        let composed = composed();
        let none = composed.answer(Payload::Repos, Filter::default());
        for number in 0..50_000 {
            let name = format!("{number:0>90}");
            let answer = composed.answer(Payload::Repos, Filter::default().name(&name));
            assert!(Arc::ptr_eq(&none, &answer), "nothing is selected by either");
        }
        assert!(composed.selections.weight() <= u64::try_from(BYTES_MAX / FILTERS_SHARE).unwrap());
        assert_eq!(composed.answers.len(), 0);
    }
}
