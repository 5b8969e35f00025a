//! How one kind of data stands with the forge: when it changed here, when it was asked, what was refused.

use serde::{Deserialize, Serialize};

use crate::{event::Asked, time::Millis, version::Version};

/// The state of one kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Check {
    /// The newest record that changed the data; a "not modified" about an older answer says nothing.
    pub changed_at: Version,
    /// `asked_at` of the newest answer; [`Version::NONE`] before the first.
    pub asked_at: Version,
    /// When the newest answer or confirmation was asked for, on our clock; 0 before the first.
    pub checked_ms: Millis,
    /// The status with which the forge last refused to tell.
    pub refused: Option<u16>,
}

impl Check {
    /// Whether the forge has never been heard about it.
    pub fn is_unasked(&self) -> bool {
        self.asked_at == Version::NONE && self.refused.is_none()
    }

    /// Notes an answer or a confirmation.
    pub fn answered(&mut self, asked: &Asked) {
        self.note(asked);
        self.refused = None;
    }

    /// Notes a refusal, unless a later answer is in.
    pub fn refused(&mut self, asked: &Asked, status: u16) {
        if asked.asked_at >= self.asked_at {
            self.note(asked);
            self.refused = Some(status);
        }
    }

    fn note(&mut self, asked: &Asked) {
        self.asked_at = self.asked_at.max(asked.asked_at);
        self.checked_ms = self.checked_ms.max(asked.asked_ms);
    }
}
