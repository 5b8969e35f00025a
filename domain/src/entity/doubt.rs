//! A number that a delivery left open, and when it may be asked for.

use serde::{Deserialize, Serialize};

use crate::{event::Stamp, time::Millis, version::Version};

/// A forge is asked this long after the last delivery about the number: its read replicas may lag, and a
/// burst of pushes costs one question (reference A7, "the 2 s pause").
pub const QUIET_MS: i64 = 2_000;

/// However busy it is, the forge is asked this long after the doubt was first raised; with the answer's
/// own time a doubt is settled within the 45 s that users are promised.
pub const LONGEST_MS: i64 = 30_000;

/// Something known to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The newest record that raised it; only what is asked later can settle it.
    pub raised_at: Version,
    /// When it was first raised, on our clock.
    pub first_ms: Millis,
    /// When it was last raised, on our clock.
    pub last_ms: Millis,
}

impl Doubt {
    /// Raises a doubt, or renews it.
    pub fn raise(slot: &mut Option<Doubt>, stamp: &Stamp) {
        let first_ms = slot.map_or(stamp.received_at, |doubt| doubt.first_ms);
        *slot = Some(Doubt { raised_at: stamp.version, first_ms, last_ms: stamp.received_at });
    }

    /// The earliest moment to ask.
    pub fn not_before(&self) -> Millis {
        self.last_ms.plus(QUIET_MS).min(self.first_ms.plus(LONGEST_MS))
    }

    /// Whether an answer asked at this version can settle it.
    pub fn is_answered_by(&self, asked_at: Version) -> bool {
        self.raised_at <= asked_at
    }
}
