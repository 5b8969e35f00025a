//! Word of changed views, to whoever listens: which view, where in the log it stands, its ETag.
//!
//! Changes are gathered and told at most once a second, so that a view is told of no more often however often it
//! changes; the first change after a quiet second is told at once. What is kept, of a listener who is slow or went
//! away for a moment, is which view changed and never what it is called: an event is written when it is sent, from the
//! rows of that moment, so that what was hidden meanwhile leaves no trace.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::response::sse::Event;
use domain::{AccountId, RepoId, RowKey, StreamKey, ViewKey, directory::DirectoryState};
use futures::Stream;
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch};

use crate::{
    protocol::path::segment,
    rows::{Address, ReadError},
    window::{Shared, Window},
};

/// Between two tellings.
const PAUSE: Duration = Duration::from_secs(1);

/// So many listen at once at most; each keeps a connection and some kilobytes.
const LISTENERS_MAX: usize = 256;

/// So many views are gathered between two tellings; of more it is only told that they are many.
const GATHERED_MAX: usize = 1_024;

/// So many events a listener may be behind, and so many are kept for one that comes back; of more it is told that it
/// missed some. They are few bytes each.
const KEPT_MAX: usize = 2 * GATHERED_MAX;

/// What listeners may be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Told {
    Account(AccountId),
    Repository(AccountId, RepoId),
    Gists(AccountId),
    /// More changed than can be told one by one.
    Many,
}

/// One change, by its number since the process began.
#[derive(Debug, Clone, Copy)]
struct Change {
    number: u64,
    told: Told,
}

/// Where changes are gathered, and who listens.
pub(crate) struct Events {
    gathered: Mutex<HashSet<Told>>,
    kept: Mutex<Kept>,
    changed: Arc<Notify>,
    live: broadcast::Sender<Change>,
    listeners: Arc<Semaphore>,
    /// Whether anybody ever listened: before, nothing is gathered.
    is_wanted: AtomicBool,
    is_over: watch::Sender<bool>,
    /// Numbers of another process, or of one before, mean nothing here.
    process: u64,
}

#[derive(Default)]
struct Kept {
    last: u64,
    changes: VecDeque<Change>,
}

/// One who listens.
pub(crate) struct Listener {
    window: Shared,
    live: broadcast::Receiver<Change>,
    /// What is to be told before what comes now.
    waiting: VecDeque<Change>,
    /// The number of the last change that was taken up.
    last: u64,
    is_over: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// The data of an event.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ViewChanged)]
pub(crate) struct Changed<'a> {
    /// The path of the view.
    view: &'a str,
    /// As its header `Tallyhook-Position`.
    position: &'a str,
    /// As its header `ETag`, of the bytes as they are.
    etag: &'a str,
    /// Whether every number in it is known and settled.
    complete: bool,
}

impl Events {
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Events {
            gathered: Mutex::default(),
            kept: Mutex::default(),
            changed: Arc::default(),
            live: broadcast::Sender::new(KEPT_MAX),
            listeners: Arc::new(Semaphore::new(LISTENERS_MAX)),
            is_wanted: AtomicBool::new(false),
            is_over: watch::Sender::new(false),
            process: RandomState::new().hash_one(0),
        }
    }

    /// Takes note that a row was written.
    pub(crate) fn note(&self, key: &RowKey) {
        let RowKey::View(StreamKey::Account(account), view) = key else { return };
        let told = match view {
            ViewKey::Account => Told::Account(*account),
            ViewKey::Repository(repo) => Told::Repository(*account, *repo),
            ViewKey::Gists => Told::Gists(*account),
            _ => return,
        };
        self.gather(told);
    }

    /// Hints were lost: anything may have changed.
    pub(crate) fn note_many(&self) {
        self.gather(Told::Many);
    }

    fn gather(&self, told: Told) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut gathered = lock(&self.gathered);
        if gathered.len() >= GATHERED_MAX || told == Told::Many {
            gathered.clear();
            gathered.insert(Told::Many);
        } else if !gathered.contains(&Told::Many) {
            gathered.insert(told);
        }
        drop(gathered);
        self.changed.notify_one();
    }

    /// Ends every listening, and lets nobody listen any more.
    pub(crate) fn end(&self) {
        self.is_over.send_replace(true);
    }

    fn tell(&self) {
        let gathered: BTreeSet<Told> = std::mem::take(&mut *lock(&self.gathered)).into_iter().collect();
        let mut kept = lock(&self.kept);
        for told in gathered {
            kept.last += 1;
            let change = Change { number: kept.last, told };
            kept.changes.push_back(change);
            if kept.changes.len() > KEPT_MAX {
                kept.changes.pop_front();
            }
            // It fails when nobody listens now.
            let _ = self.live.send(change);
        }
    }

    /// What changed since the event of this id; `None` where that is not known.
    fn since(&self, id: &str) -> Option<VecDeque<Change>> {
        let (process, number) = id.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        let kept = lock(&self.kept);
        let before_oldest = kept.last - u64::try_from(kept.changes.len()).ok()?;
        let is_known = u64::from_str_radix(process, 16).ok()? == self.process
            && (before_oldest..=kept.last).contains(&number);
        if !is_known {
            return None;
        }
        let missed = kept.changes.iter().filter(|change| change.number > number);
        // Of several changes of one view the last says everything.
        let mut seen = HashSet::new();
        let mut latest: VecDeque<Change> =
            missed.rev().filter(|change| seen.insert(change.told)).copied().collect();
        latest.make_contiguous().reverse();
        Some(latest)
    }

    fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.process)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // So that the teller sees that it is gone.
        self.changed.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells what was gathered until the window is gone.
pub(crate) fn teller(window: &Shared) -> impl Future<Output = ()> + use<> {
    let (changed, window): (Arc<Notify>, Weak<Window>) =
        (Arc::clone(&window.events.changed), Arc::downgrade(window));
    async move {
        loop {
            changed.notified().await;
            match window.upgrade() {
                Some(window) => window.events.tell(),
                None => return,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Begins to listen, after the event of this id; `None` when too many do.
pub(crate) fn listen(window: &Shared, last_id: Option<&str>) -> Option<Listener> {
    let events = &window.events;
    let place = Arc::clone(&events.listeners).try_acquire_owned().ok()?;
    events.is_wanted.store(true, Ordering::Relaxed);
    // Before what is kept is looked at, so that nothing falls between.
    let live = events.live.subscribe();
    let last = lock(&events.kept).last;
    let waiting = match last_id {
        None => VecDeque::new(),
        Some(id) => {
            events.since(id).unwrap_or_else(|| VecDeque::from([Change { number: last, told: Told::Many }]))
        }
    };
    let last = waiting.back().map_or(last, |change| change.number.max(last));
    let is_over = events.is_over.subscribe();
    Some(Listener { window: Arc::clone(window), live, waiting, last, is_over, _place: place })
}

impl Listener {
    /// Its events, until the end of the process.
    pub(crate) fn events(self) -> impl Stream<Item = Result<Event, ReadError>> + Send {
        futures::stream::unfold(self, async |mut listener| {
            let event = listener.next().await?;
            Some((event, listener))
        })
    }

    async fn next(&mut self) -> Option<Result<Event, ReadError>> {
        loop {
            let change = match self.waiting.pop_front() {
                Some(change) => change,
                None => self.hear().await?,
            };
            match self.window.event_of(change).await {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                // The listener comes back with the last id that it got.
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next change; `None` when it is over.
    async fn hear(&mut self) -> Option<Change> {
        loop {
            let heard = tokio::select! {
                _ = self.is_over.wait_for(|is_over| *is_over) => return None,
                heard = self.live.recv() => heard,
            };
            match heard {
                Ok(change) if change.number <= self.last => {}
                Ok(change) => {
                    self.last = change.number;
                    return Some(change);
                }
                Err(broadcast::error::RecvError::Lagged(count)) => {
                    self.last += count;
                    return Some(Change { number: self.last, told: Told::Many });
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Window {
    /// What is to be said of a change now; nothing of what nobody may see.
    async fn event_of(&self, change: Change) -> Result<Option<Event>, ReadError> {
        let id = self.events.id(change.number);
        let (account, key) = match change.told {
            Told::Account(account) => (account, ViewKey::Account),
            Told::Repository(account, repo) => (account, ViewKey::Repository(repo)),
            Told::Gists(account) => (account, ViewKey::Gists),
            Told::Many => return Ok(Some(Event::default().id(id).event("missed").data("{}"))),
        };
        let directory = self.rows.get(Address::Row(&RowKey::Directory(account))).await?;
        let row = self.rows.get(Address::Row(&RowKey::View(StreamKey::Account(account), key))).await?;
        let kept = directory.directory().filter(|entry| entry.state == DirectoryState::Kept);
        let (Some(kept), Some(ready)) = (kept, row.view()) else { return Ok(None) };
        let is_hidden = match change.told {
            Told::Repository(account, repo) => self.hidden.look().hides_repository(account, repo),
            _ => self.hidden.look().hides(account),
        };
        let login = kept.login.as_deref().map(segment);
        let path = match (change.told, login) {
            (Told::Account(_), Some(login)) => Some(format!("/v1/accounts/{login}")),
            (Told::Gists(_), Some(login)) => Some(format!("/v1/accounts/{login}/gists")),
            (Told::Repository(..), _) => ready
                .meta
                .name
                .split_once('/')
                .map(|(owner, name)| format!("/v1/repos/{}/{}", segment(owner), segment(name))),
            _ => None,
        };
        let Some(path) = path.filter(|_| !is_hidden) else { return Ok(None) };
        let text = |header: &http::HeaderValue| header.to_str().unwrap_or_default().to_owned();
        let changed = Changed {
            view: &path,
            position: &text(ready.position()),
            etag: &text(ready.etag()),
            complete: ready.meta.complete,
        };
        let data = serde_json::to_string(&changed).expect("plain texts serialize");
        Ok(Some(Event::default().id(id).event("view").data(data)))
    }
}
