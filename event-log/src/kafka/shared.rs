//! What the caller of a subscription and the threads of its member share: the places, and how each wakes the others.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;

use super::place::Places;
use crate::port::Partition;

/// How long the thread that commits sleeps when nobody wakes it.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// How long it waits before it sends again what failed.
const RETRY_WAIT: Duration = Duration::from_millis(10);

/// What both sides of a subscription share.
pub(super) struct Shared {
    places: Mutex<Places>,
    /// Wakes the caller.
    pub(super) ready: Notify,
    /// Wakes the thread while it waits for room.
    room: Condvar,
    /// Wakes the thread that commits.
    commits: Condvar,
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared {
            places: Mutex::default(),
            ready: Notify::new(),
            room: Condvar::new(),
            commits: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().expect("nothing panics while it holds the places")
    }

    /// Tells the thread that something was taken or asked.
    pub(super) fn wake_thread(&self) {
        self.room.notify_one();
    }

    /// Waits so long at most until something was taken.
    pub(super) fn wait_for_room(&self, places: MutexGuard<'_, Places>, at_most: Duration) {
        drop(self.room.wait_timeout(places, at_most).expect("nothing panics while it holds the places"));
    }

    /// Tells the thread that commits that there is something to commit.
    pub(super) fn wake_commits(&self) {
        self.commits.notify_one();
    }

    /// Waits for offsets to commit; `None` when there will be none any more.
    pub(super) fn next_commit(&self) -> Option<BTreeMap<Partition, u64>> {
        let mut places = self.lock();
        loop {
            if places.has_left {
                return None;
            }
            if let Some(offsets) = places.offsets.send() {
                return Some(offsets);
            }
            // Something that failed is sent again after a while, without anybody saying so.
            let wait = if places.offsets.is_idle() { IDLE_WAIT } else { RETRY_WAIT };
            places =
                self.commits.wait_timeout(places, wait).expect("nothing panics while it holds the places").0;
        }
    }

    pub(super) fn end_commits(&self) {
        self.lock().has_left = true;
        self.wake_commits();
    }
}
