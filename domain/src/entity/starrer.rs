//! An account as one who stars, in its own stream: whether anybody wants to know what it starred, and whether that
//! changed since it was asked for. What it starred is kept with the repositories whose neighbours are wanted.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{Asked, Stamp, StarReading, StarrerReading},
    id::{AccountId, RepoId},
    need::Need,
    time::Millis,
    version::Version,
};

/// The encoding of the stored entity.
const TAG: u8 = 1;

/// Who stars one repository often stars another, and the forge's lists follow its deliveries after a moment: so long
/// after the last star they are asked for once.
const QUIET_MS: i64 = 1_000;

/// One who stars.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Starrer {
    /// The login, as it was told last.
    pub login: Option<String>,
    /// A repository that it starred, once at least, whose neighbours somebody wants, and whose that is; `None`: nobody
    /// wants to know.
    pub target: Option<(AccountId, RepoId)>,
    /// The newest record that told of a star given.
    pub given_at: Version,
    /// The newest record that told of a star taken back: then it is not enough to ask for what is new.
    pub taken_at: Version,
    /// When the newest of them came, on our clock.
    pub told_ms: Millis,
    /// What was folded when it was asked for last.
    pub asked_at: Version,
    /// When that was, on our clock.
    pub read_ms: Millis,
}

impl Starrer {
    /// A star was given or taken.
    pub fn told(&mut self, star: &StarReading<'_>, stamp: &Stamp) {
        let told_at = if star.given { &mut self.given_at } else { &mut self.taken_at };
        *told_at = stamp.version.max(*told_at);
        self.told_ms = self.told_ms.max(stamp.received_at);
        if let Some(login) = &star.login {
            self.login = Some(login.to_string());
        }
    }

    /// What it starred was asked for.
    pub fn asked(&mut self, reading: &StarrerReading<'_>, asked: &Asked) {
        if asked.asked_at >= self.asked_at {
            (self.asked_at, self.read_ms) = (asked.asked_at, asked.asked_ms);
            self.login = Some(reading.login.to_string());
            self.target = reading.target;
        }
    }

    /// Whether stars that were taken back are known by now.
    pub fn is_taken_known(&self) -> bool {
        self.taken_at <= self.asked_at
    }

    /// Whether what it starred must be asked for.
    pub fn need(&self) -> Need {
        let told_at = self.given_at.max(self.taken_at);
        if self.target.is_none() || told_at <= self.asked_at {
            return Need::Met;
        }
        Need::Open { is_doubt: true, raised_at: told_at, not_before: self.told_ms.plus(QUIET_MS) }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }
}
