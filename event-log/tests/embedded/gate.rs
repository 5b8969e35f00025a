//! A disk whose syncs can be held up, so that a test decides what happens while a group is being written.

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use redb::{StorageBackend, backends::InMemoryBackend};

/// Holds up syncs while it is closed. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    is_broken: bool,
    closes_after_commit: bool,
    is_anyone_waiting: bool,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.state.0.lock().unwrap().is_closed = true;
    }

    pub(crate) fn open(&self) {
        self.state.0.lock().unwrap().is_closed = false;
        self.state.1.notify_all();
    }

    /// Lets one commit pass; whoever hears of commits says so with [`Self::committed`].
    pub(crate) fn open_for_one_commit(&self) {
        self.state.0.lock().unwrap().closes_after_commit = true;
        self.open();
    }

    pub(crate) fn committed(&self) {
        let mut state = self.state.0.lock().unwrap();
        state.is_closed |= std::mem::take(&mut state.closes_after_commit);
    }

    /// Lets nothing pass any more: each sync fails, those that are held up first.
    pub(crate) fn break_disk(&self) {
        self.state.0.lock().unwrap().is_broken = true;
        self.open();
    }

    /// Returns once a sync is held up.
    pub(crate) fn wait_for_sync(&self) {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        while !state.is_anyone_waiting {
            state = changed.wait(state).unwrap();
        }
    }

    fn pass(&self) -> io::Result<()> {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        while state.is_closed {
            state.is_anyone_waiting = true;
            changed.notify_all();
            state = changed.wait(state).unwrap();
        }
        state.is_anyone_waiting = false;
        if state.is_broken { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }
}

/// A disk in memory behind a gate.
#[derive(Debug, Default)]
pub(crate) struct GatedBackend {
    disk: InMemoryBackend,
    gate: Gate,
}

impl GatedBackend {
    pub(crate) fn new(gate: Gate) -> Self {
        GatedBackend { disk: InMemoryBackend::new(), gate }
    }
}

impl StorageBackend for GatedBackend {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass()?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}
