//! Old moments of the world, for answers from a replica that lags behind.

use std::collections::VecDeque;

use super::{second::Second, state::State};

/// Moments kept at most: a lag reaches no further back. Each costs a reference per account and repository.
const MOMENTS_MAX: usize = 256;

/// How far behind a replica answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// As it was before the last so many operations.
    Operations(usize),
    /// As it was so many seconds ago.
    Seconds(i64),
}

#[derive(Debug, Default)]
pub(crate) struct Moments {
    kept: bool,
    /// Each with the second at which an operation ended it.
    list: VecDeque<(Second, State)>,
}

impl Moments {
    /// Starts or stops keeping moments.
    pub(crate) fn keep(&mut self, on: bool) {
        if self.kept != on {
            self.kept = on;
            self.list.clear();
        }
    }

    pub(crate) fn note(&mut self, now: Second, state: &State) {
        if self.kept {
            if self.list.len() == MOMENTS_MAX {
                self.list.pop_front();
            }
            self.list.push_back((now, state.clone()));
        }
    }

    /// The moment that far behind; `None` is the present.
    pub(crate) fn behind(&self, lag: Lag, now: Second) -> Option<&State> {
        match lag {
            Lag::Operations(count) => {
                let index = self.list.len().checked_sub(count.min(self.list.len()))?;
                self.list.get(index)
            }
            Lag::Seconds(seconds) => self.list.iter().find(|(ended, _)| ended.0 > now.0 - seconds),
        }
        .map(|(_, state)| state)
    }
}
