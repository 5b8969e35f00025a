//! What waits for the writing thread: appends and offset commits, bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Instant,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    offsets::{CommitReply, Offsets, Unsaved},
    trim::Trim,
};
use crate::{
    port::{AppendError, Appended, LogError},
    record::{DedupeKey, Record},
};

/// How many appends may wait. At the slowest disk worth running on (10 ms a sync) a full queue is written in
/// a fraction of a second, well within the 8 s after which senders are told to come back.
pub(super) const QUEUE_APPENDS_MAX: usize = 4096;

/// How many bytes may wait: room for three of the largest appends. Together with their stored form, which
/// is at most as large, this bounds what the queue adds to the process.
pub(super) const QUEUE_BYTES_MAX: usize = 240 << 20;

/// How many records share one transaction at most, so that the first of them does not wait for ever longer
/// groups: beyond this many, a larger group no longer makes the single record cheaper.
const GROUP_RECORDS_MAX: usize = 1024;

/// How many stored bytes share one transaction at most; the same reason, for large records. A larger
/// append makes a group of its own.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Whoever waits for an append hears from it here.
pub(super) type AppendReply = oneshot::Sender<Result<Appended, AppendError>>;

/// A record with its place and its stored form.
pub(super) struct Ready {
    pub(super) partition: u32,
    pub(super) record: Arc<Record>,
    pub(super) stored: Vec<u8>,
}

/// An append that waits to be written.
pub(super) struct Waiting {
    pub(super) records: Vec<Ready>,
    pub(super) key: Option<DedupeKey>,
    pub(super) since: Instant,
    pub(super) reply: AppendReply,
    /// Of a large append; the next one's begins when this is dropped.
    pub(super) _turn: Option<OwnedSemaphorePermit>,
}

/// What the writing thread takes at once.
pub(super) struct Group {
    pub(super) appends: Vec<Waiting>,
    pub(super) unsaved: Unsaved,
    /// What is forgotten after that.
    pub(super) trim: Option<Trim>,
}

/// The queue between callers and the writing thread.
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    appends: VecDeque<(Waiting, usize)>,
    /// Appends that wait or are being encoded for it, and their bytes.
    held_appends: usize,
    held_bytes: usize,
    offsets: Offsets,
    /// Steps of trimming, each awaited by its caller before the next.
    trims: VecDeque<Trim>,
    ended: Option<Ended>,
}

/// Why nothing more is taken in.
enum Ended {
    /// What waits is still written.
    Closing,
    /// Nothing is written any more, for this reason.
    Broken(String),
}

impl Ended {
    fn reason(&self) -> String {
        match self {
            Ended::Closing => "the log was closed".to_owned(),
            Ended::Broken(reason) => reason.clone(),
        }
    }
}

impl Queue {
    pub(super) fn new(offsets: Offsets) -> Self {
        let state = State {
            appends: VecDeque::new(),
            held_appends: 0,
            held_bytes: 0,
            offsets,
            trims: VecDeque::new(),
            ended: None,
        };
        Queue { state: Mutex::new(state), work: Condvar::new() }
    }

    /// Holds room for an append of `bytes`, or refuses at once.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation, AppendError> {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(AppendError::Stop(ended.reason()));
        }
        // An append that is alone always fits: it passed the bound for one append.
        let fits = state.held_appends == 0 || state.held_bytes + bytes <= QUEUE_BYTES_MAX;
        if state.held_appends >= QUEUE_APPENDS_MAX || !fits {
            return Err(AppendError::Full);
        }
        state.held_appends += 1;
        state.held_bytes += bytes;
        Ok(Reservation { queue: self.clone(), bytes, used: false })
    }

    /// The offset that a group committed last in a partition.
    pub(super) fn committed(&self, group: &str, partition: u32) -> Option<u64> {
        self.state().offsets.committed(group, partition)
    }

    /// Commits offsets; with `reply`, the next transaction comes at once and answers it.
    pub(super) fn commit(
        &self,
        group: &str,
        offsets: &[(u32, u64)],
        reply: Option<CommitReply>,
    ) -> Result<(), LogError> {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(LogError::Stop(ended.reason()));
        }
        let due_before = state.offsets.due();
        state.offsets.commit(group, offsets, reply, Instant::now());
        // The writer sleeps until what it knew to be due; wake it only for something earlier.
        let due = state.offsets.due();
        if due.is_some() && (due_before.is_none() || due < due_before || state.offsets.is_waited_for()) {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Asks for a step of trimming.
    pub(super) fn trim(&self, trim: Trim) -> Result<(), LogError> {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            return Err(LogError::Stop(ended.reason()));
        }
        state.trims.push_back(trim);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for work and takes a group of it; `None` when the log is closing and nothing is left.
    ///
    /// There is no artificial delay: whatever came while the last group was being written goes together.
    pub(super) fn take(&self) -> Option<Group> {
        let mut state = self.state();
        loop {
            let due = state.offsets.due();
            let closing = state.ended.is_some();
            if !state.appends.is_empty() || !state.trims.is_empty() || (due.is_some() && closing) {
                break;
            }
            if closing {
                return None;
            }
            let Some(due) = due else {
                state = self.work.wait(state).expect("nothing panics while it holds the queue");
                continue;
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.work.wait_timeout(state, left).expect("nothing panics while it holds the queue").0;
        }
        Some(state.take_group())
    }

    /// Lets the writing thread write what waits, and then end.
    pub(super) fn close(&self) {
        self.state().ended.get_or_insert(Ended::Closing);
        self.work.notify_one();
    }

    /// Refuses what waits and whatever comes, for good.
    pub(super) fn fail(&self, reason: &str) {
        let (appends, unsaved, trims) = {
            let mut state = self.state();
            state.ended = Some(Ended::Broken(reason.to_owned()));
            let trims = std::mem::take(&mut state.trims);
            (std::mem::take(&mut state.appends), state.offsets.take_unsaved(), trims)
        };
        for trim in trims {
            // Whoever stopped waiting needs no answer; the same below.
            let _ = trim.reply.send(Err(LogError::Stop(reason.to_owned())));
        }
        for (append, _) in appends {
            let _ = append.reply.send(Err(AppendError::Stop(reason.to_owned())));
        }
        for reply in unsaved.waiting {
            let _ = reply.send(Err(LogError::Stop(reason.to_owned())));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}

impl State {
    fn take_group(&mut self) -> Group {
        let mut appends = Vec::new();
        let (mut records, mut stored_bytes) = (0, 0);
        while let Some((append, _)) = self.appends.front() {
            records += append.records.len();
            stored_bytes += append.records.iter().map(|ready| ready.stored.len()).sum::<usize>();
            if !appends.is_empty() && (records > GROUP_RECORDS_MAX || stored_bytes > GROUP_BYTES_MAX) {
                break;
            }
            let Some((append, held_bytes)) = self.appends.pop_front() else { break };
            self.held_appends -= 1;
            self.held_bytes -= held_bytes;
            appends.push(append);
        }
        Group { appends, unsaved: self.offsets.take_unsaved(), trim: self.trims.pop_front() }
    }
}

/// Room in the queue for one append; given back when it is dropped unused. It goes where the append's bytes go,
/// so that a caller who gives up frees the room when the bytes are gone and not before.
pub(super) struct Reservation {
    queue: Arc<Queue>,
    bytes: usize,
    used: bool,
}

impl Reservation {
    /// Queues the append; its reply comes from the writing thread.
    pub(super) fn submit(mut self, append: Waiting) -> Result<(), AppendError> {
        let mut state = self.queue.state();
        if let Some(ended) = &state.ended {
            let reason = ended.reason();
            drop(state);
            return Err(AppendError::Stop(reason));
        }
        state.appends.push_back((append, self.bytes));
        self.used = true;
        self.queue.work.notify_one();
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.used {
            let mut state = self.queue.state();
            state.held_appends -= 1;
            state.held_bytes -= self.bytes;
        }
    }
}
