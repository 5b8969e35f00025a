//! Where requests wait for a login or an account to be known better, each woken only for its own.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::AccountId;
use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// So many requests may wait at a time; more are told to ask again in a second. Each keeps a connection and
/// about a kilobyte for up to two seconds.
const SEATS_MAX: usize = 4096;

/// What a request waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic<'a> {
    /// News of a login, lower-cased: which account it means, or that it means none.
    Login(Cow<'a, str>),
    /// News of an account: its state, a name, a view.
    Account(AccountId),
    /// News of the newest public repositories.
    Latest,
}

/// The room.
pub(crate) struct WaitingRoom {
    seats: Semaphore,
    seated: IntGauge,
    topics: Mutex<Topics>,
}

type Topics = HashMap<Topic<'static>, watch::Sender<()>>;

/// A place to wait.
pub(crate) struct Seat<'r> {
    room: &'r WaitingRoom,
    _permit: SemaphorePermit<'r>,
}

/// Listens to one topic.
pub(crate) struct Ear<'r> {
    room: &'r WaitingRoom,
    topic: Topic<'static>,
    /// Taken only when it is dropped.
    news: Option<watch::Receiver<()>>,
}

impl WaitingRoom {
    pub(crate) fn new(seated: IntGauge) -> Self {
        WaitingRoom { seats: Semaphore::new(SEATS_MAX), seated, topics: Mutex::default() }
    }

    /// A seat; `None` when all are taken.
    pub(crate) fn sit_down(&self) -> Option<Seat<'_>> {
        let permit = self.seats.try_acquire().ok()?;
        self.seated.inc();
        Some(Seat { room: self, _permit: permit })
    }

    /// Wakes those who listen to any of these.
    pub(crate) fn wake<'t>(&self, news: impl Iterator<Item = Topic<'t>>) {
        let topics = self.lock();
        if topics.is_empty() {
            return;
        }
        // Many rows of one batch are about one account.
        let news: HashSet<Topic<'t>> = news.collect();
        for listeners in news.iter().filter_map(|topic| topics.get(topic)) {
            listeners.send_replace(());
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        for listeners in self.lock().values() {
            listeners.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'r> Seat<'r> {
    /// Listens from now on.
    ///
    /// Nothing is missed by whoever listens first and looks at the rows then: rows are taken in before
    /// listeners are woken.
    pub(crate) fn listen(&self, topic: Topic<'static>) -> Ear<'r> {
        let mut topics = self.room.lock();
        let news = topics.entry(topic.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        Ear { room: self.room, topic, news: Some(news) }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.room.seated.dec();
    }
}

impl Ear<'_> {
    /// Waits for news since the last call, or since it began to listen.
    pub(crate) async fn hear(&mut self) {
        let Some(news) = &mut self.news else { return };
        // The sender is kept as long as anybody listens.
        let _ = news.changed().await;
    }
}

impl Drop for Ear<'_> {
    fn drop(&mut self) {
        let mut topics = self.room.lock();
        self.news = None;
        if topics.get(&self.topic).is_some_and(|news| news.receiver_count() == 0) {
            topics.remove(&self.topic);
        }
    }
}
