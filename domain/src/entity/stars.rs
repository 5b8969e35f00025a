//! How the stars of one repository stand with the forge: whether somebody wants its neighbours, whether its list of
//! stargazers was read, and when stars were erased. Who starred is in [`super::stargazers`].

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::check::Check,
    event::{Asked, GazersListed, Stamp},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of the stored entity.
const TAG: u8 = 1;

/// Stars of one repository, the set itself aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stars {
    /// Since when somebody wants its neighbours; `None`: stars are only noted as they are told.
    pub wanted: Option<Wanted>,
    /// The forge erased all stars given up to this second: the repository went private, or was deleted.
    pub erased_at: Option<Second>,
    /// The newest list that was read to its end.
    pub listed: Option<Listed>,
    /// When the list was asked for, and whether it is closed.
    pub list_check: Check,
}

/// Since when neighbours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The record that said so.
    pub at: Version,
    /// When it came, on our clock.
    pub ms: Millis,
}

/// A list of stargazers that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What was folded before its first page was asked for.
    pub since: Version,
    /// The forge's second of its answer.
    pub date: Second,
    /// Whether the forge showed all of it.
    pub is_whole: bool,
}

impl Stars {
    /// Somebody wants the neighbours. Returns whether that is news.
    pub fn want(&mut self, stamp: &Stamp) -> bool {
        if self.wanted.is_some() {
            return false;
        }
        self.wanted = Some(Wanted { at: stamp.version, ms: stamp.received_at });
        true
    }

    /// The forge erased the stars. Returns whether that is news.
    pub fn erase(&mut self, at: Second) -> bool {
        let is_news = self.erased_at < Some(at);
        self.erased_at = self.erased_at.max(Some(at));
        is_news
    }

    /// Whether a star that was given at this second is no more.
    pub fn is_erased(&self, at: Second) -> bool {
        self.erased_at.is_some_and(|erased| at <= erased)
    }

    /// The list was read to its end.
    pub fn listed(&mut self, list: &GazersListed, asked: &Asked) {
        self.list_check.answered(asked);
        if self.listed.is_none_or(|known| known.since <= list.since) {
            self.listed = Some(Listed { since: list.since, date: asked.date, is_whole: list.is_whole });
        }
    }

    /// Whether the forge keeps the list from us.
    pub fn is_closed(&self) -> bool {
        self.list_check.refused.is_some()
    }

    /// Whether the forge showed every stargazer.
    pub fn is_whole(&self) -> bool {
        !self.is_closed() && self.listed.is_some_and(|listed| listed.is_whole)
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
