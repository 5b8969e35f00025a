//! How far an owner may go: it is stopped before any step on the store, and stays stopped until it is let go on.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

/// A gate before every step.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    opened: Notify,
    stopped: Notify,
}

#[derive(Default)]
struct State {
    steps_left: usize,
    is_stopped: bool,
}

impl Gate {
    /// Waits for leave to take one step.
    pub(crate) async fn pass(&self) {
        loop {
            let opened = self.opened.notified();
            {
                let mut state = self.lock();
                if state.steps_left > 0 {
                    state.steps_left -= 1;
                    state.is_stopped = false;
                    return;
                }
                state.is_stopped = true;
            }
            self.stopped.notify_waiters();
            opened.await;
        }
    }

    /// Gives leave for so many more steps.
    pub(crate) fn open(&self, steps: usize) {
        self.lock().steps_left += steps;
        self.opened.notify_waiters();
    }

    /// Waits until somebody stands before the closed gate.
    pub(crate) async fn stopped(&self) {
        loop {
            let stopped = self.stopped.notified();
            if self.lock().is_stopped && self.lock().steps_left == 0 {
                return;
            }
            stopped.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
