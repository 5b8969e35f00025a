//! A fact with the forge's time of it.

use serde::{Deserialize, Serialize};

use crate::time::Second;

/// A value and when the forge had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The value.
    pub value: T,
    /// The forge's second.
    pub at: Second,
}

/// How a reading compares with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Newer, or the first: it was taken.
    Newer,
    /// Of the same second, and the same.
    Same,
    /// Of the same second, and another value.
    Tie,
    /// Older.
    Older,
}

impl<T: PartialEq> Dated<T> {
    /// Takes the reading if it is newer; what a tie means is the caller's to decide.
    pub fn read(slot: &mut Option<Dated<T>>, value: T, at: Second) -> Reading {
        match slot {
            Some(known) if at < known.at => Reading::Older,
            Some(known) if at == known.at && known.value == value => Reading::Same,
            Some(known) if at == known.at => Reading::Tie,
            _ => {
                *slot = Some(Dated { value, at });
                Reading::Newer
            }
        }
    }
}
