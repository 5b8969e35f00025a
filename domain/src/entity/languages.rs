//! Bytes per language. No event tells of them, so a push to the default branch makes them due.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    event::{Stamp, Told},
    time::{Millis, Second},
    version::Version,
};

/// Languages are asked for once pushes have been quiet this long: the forge computes them in the background.
const QUIET_MS: i64 = 30_000;
/// However busy a repository is, its languages are asked for this often.
const LONGEST_MS: i64 = 10 * 60_000;
/// They are asked for once more after this long, when the forge has surely recomputed them.
const AGAIN_MS: i64 = 7 * 60_000;

/// Bytes per language, and when to ask next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Languages {
    /// Name to bytes; `None` until the first answer.
    pub bytes: Option<Arc<BTreeMap<String, u64>>>,
    /// The answer's `Date`.
    pub at: Second,
    /// `asked_at` of that answer.
    pub answered_at: Version,
    /// When they are due again.
    pub due: Option<Due>,
}

/// A refresh: it doubts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The record that made it due.
    pub raised_at: Version,
    /// When the first of a burst did.
    pub first_ms: Millis,
    /// The earliest moment to ask.
    pub not_before: Millis,
    /// Whether this is the second look.
    pub is_second: bool,
}

impl Languages {
    /// The default branch moved.
    pub fn pushed(&mut self, stamp: &Stamp) {
        let first_ms = match self.due {
            Some(due) if !due.is_second => due.first_ms,
            _ => stamp.received_at,
        };
        self.due = Some(Due {
            raised_at: stamp.version,
            first_ms,
            not_before: stamp.received_at.plus(QUIET_MS).min(first_ms.plus(LONGEST_MS)),
            is_second: false,
        });
    }

    /// Makes them due at once.
    pub fn ask_now(&mut self, stamp: &Stamp) {
        self.due = Some(Due {
            raised_at: stamp.version,
            first_ms: stamp.received_at,
            not_before: Millis(0),
            is_second: true,
        });
    }

    /// Folds an answer; returns whether the bytes changed.
    pub fn answer(&mut self, bytes: BTreeMap<String, u64>, stamp: &Stamp) -> bool {
        let Told::Answer(asked) = stamp.told else { return false };
        self.confirmed(stamp);
        if (asked.date, asked.asked_at) < (self.at, self.answered_at) {
            return false;
        }
        (self.at, self.answered_at) = (asked.date, asked.asked_at);
        let changed = self.bytes.as_deref() != Some(&bytes);
        if changed {
            self.bytes = Some(Arc::new(bytes));
        }
        changed
    }

    /// The forge answered, perhaps that nothing changed: the refresh is done, or its second look is due.
    pub fn confirmed(&mut self, stamp: &Stamp) {
        let Told::Answer(asked) = stamp.told else { return };
        self.due = match self.due {
            Some(due) if asked.asked_at < due.raised_at => Some(due),
            Some(due) if !due.is_second => Some(Due {
                raised_at: stamp.version,
                first_ms: asked.asked_ms,
                not_before: asked.asked_ms.plus(AGAIN_MS),
                is_second: true,
            }),
            _ => None,
        };
    }
}
