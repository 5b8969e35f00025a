//! How far the projector is, for readiness, for effects that wait for it, and for commands.

use std::collections::{BTreeMap, BTreeSet};

use domain::Version;
use event_log::Partition;
use tokio::sync::watch;

/// How far each partition is folded.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    folded: BTreeMap<Partition, Version>,
    next: BTreeMap<Partition, u64>,
    held: BTreeSet<Partition>,
    caught_up: bool,
    lag: Lag,
}

/// What waits to be folded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lag {
    /// How many records.
    pub records: u64,
    /// The age of what was folded last, and how long nothing was since; 0 when none waits.
    pub seconds: f64,
}

/// Where the projector tells how far it is.
#[derive(Debug, Clone)]
pub struct Progress {
    state: watch::Sender<State>,
    current: watch::Sender<BTreeSet<u32>>,
}

/// Where others read it.
#[derive(Debug, Clone)]
pub struct ProgressReader {
    state: watch::Receiver<State>,
    current: watch::Receiver<BTreeSet<u32>>,
}

impl Progress {
    /// A teller and its reader.
    pub fn new() -> (Self, ProgressReader) {
        let (state, state_reader) = watch::channel(State::default());
        let (current, current_reader) = watch::channel(BTreeSet::new());
        let reader = ProgressReader { state: state_reader, current: current_reader };
        (Progress { state, current }, reader)
    }

    pub(crate) fn folded(&self, partition: Partition, version: Version, next: u64) {
        self.state.send_modify(|state| {
            state.folded.insert(partition, version);
            state.next.insert(partition, next);
        });
    }

    pub(crate) fn held(&self, partitions: BTreeSet<Partition>) {
        self.state.send_if_modified(|state| {
            let changed = state.held != partitions;
            state.held = partitions;
            changed
        });
    }

    pub(crate) fn caught_up(&self, caught_up: bool) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.caught_up, caught_up) != caught_up);
    }

    pub(crate) fn current(&self, partitions: BTreeSet<u32>) {
        self.current.send_if_modified(|current| {
            let changed = *current != partitions;
            *current = partitions;
            changed
        });
    }

    pub(crate) fn lag(&self, lag: Lag) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.lag, lag) != lag);
    }

    /// The offset to fold next of each partition that is held.
    pub(crate) fn next(&self) -> BTreeMap<Partition, u64> {
        let state = self.state.borrow();
        let next = |partition: &Partition| (*partition, state.next.get(partition).copied().unwrap_or(0));
        state.held.iter().map(next).collect()
    }
}

impl ProgressReader {
    /// The version up to which a partition's rows are written.
    pub fn folded(&self, partition: Partition) -> Version {
        self.state.borrow().folded.get(&partition).copied().unwrap_or(Version::NONE)
    }

    /// How many partitions this projector has been given.
    pub fn held(&self) -> usize {
        self.state.borrow().held.len()
    }

    /// Whether everything that the log held at the start is folded: effects may begin.
    pub fn is_caught_up(&self) -> bool {
        self.state.borrow().caught_up
    }

    /// The partitions that this projector holds and that have caught up with the log as it was when they were
    /// assigned: those whose effects are this process's to have.
    pub fn current(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.current.clone()
    }

    /// What waits to be folded, as last looked at.
    pub fn lag(&self) -> Lag {
        self.state.borrow().lag
    }

    /// Waits until everything that the log held at the start is folded; `false` when the projector ended.
    pub async fn wait_caught_up(&mut self) -> bool {
        self.state.wait_for(|state| state.caught_up).await.is_ok()
    }

    /// Waits until the rows of the record at `offset` are written; `false` when the projector ended.
    pub async fn wait_folded(&mut self, partition: Partition, offset: u64) -> bool {
        self.state
            .wait_for(|state| state.next.get(&partition).is_some_and(|next| *next > offset))
            .await
            .is_ok()
    }
}
