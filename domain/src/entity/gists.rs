//! An account's gists: what the forge last showed of each, which of them are new to the account's user, and how the
//! sending of each new file stands.
//!
//! What a poll shows of a gist is replaced by what changed later, or was asked later. Which files count as new is
//! fixed by the record that first showed the gist: a file that is added afterwards is neither shown nor sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{GistFacts, GistsReading, GistsWantedBy, SendingNote, SendingStep, Stamp, Told},
    need::Need,
    time::{Millis, Second},
    version::Version,
};

/// The encoding of stored gists.
const TAG: u8 = 1;

/// A call starts at most this long after its attempt was noted; whoever finds the note later begins a new attempt.
pub const ATTEMPT_LASTS_MS: i64 = 5_000;

/// A file whose sending came to an unknown end is looked for so often before it is sent again.
pub const SEARCHES: u32 = 2;

/// The gists of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gists {
    /// Whether it is a user of S2.
    pub is_user: bool,
    /// Whether somebody reads them through our own API.
    pub is_read: bool,
    /// The newest record that wants them asked for.
    pub wanted_at: Version,
    /// The last poll that came to something.
    pub polled: Option<Polled>,
    /// The last poll that listed all of them.
    pub listed: Option<Polled>,
    /// When the next poll is due, on our clock.
    pub next_ms: Millis,
    /// The newest change of any of them.
    pub newest: Option<Second>,
    /// The forge's refusal, where it will not tell.
    pub refused: Option<u16>,
    /// By the forge's own id.
    pub gists: BTreeMap<String, Gist>,
}

/// A poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Polled {
    /// What was folded before it.
    pub asked_at: Version,
    /// The same moment on our clock.
    pub asked_ms: Millis,
}

/// One gist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gist {
    /// The record that first showed it.
    pub first_seen: Version,
    /// When that was received, on our clock.
    pub first_seen_ms: Millis,
    /// What it shows.
    pub facts: GistFacts,
    /// The poll that it is from.
    pub told: Polled,
    /// The newest poll that showed it.
    pub shown: Polled,
    /// The newest whole list that did not show it.
    pub absent: Option<Polled>,
    /// Its files when it was first seen.
    pub items: Vec<Item>,
}

/// A file of a new gist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name.
    pub filename: String,
    /// Where its text was.
    pub raw_url: String,
    /// How its sending stands.
    pub sending: Sending,
}

/// How the sending of a file stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sending {
    /// It is nobody's to send.
    Unwanted,
    /// To be sent.
    Waiting {
        /// How many attempts were made.
        attempts: u32,
        /// Not earlier, on our clock.
        not_before: Millis,
    },
    /// A call was announced; until its outcome is known, the file may be there or not.
    Attempted {
        /// How many attempts were made, this one included.
        attempts: u32,
        /// The record that announced it.
        at: Version,
        /// When that was said, on our clock.
        at_ms: Millis,
        /// How often it was looked for and not found.
        searches: u32,
        /// Not to be looked for earlier, on our clock.
        not_before: Millis,
    },
    /// It is there.
    Sent,
    /// It is not taken; a person decides.
    Refused {
        /// Why.
        reason: String,
        /// Since when, on our clock.
        at_ms: Millis,
    },
    /// A person gave it up.
    Dropped,
}

impl Gists {
    /// Whether anybody wants them.
    pub fn is_wanted(&self) -> bool {
        self.is_user || self.is_read
    }

    /// Those that are there, by id.
    pub fn present(&self) -> impl Iterator<Item = (&String, &Gist)> {
        self.gists.iter().filter(|(_, gist)| !gist.is_gone())
    }

    /// Folds a wish.
    pub fn want(&mut self, by: GistsWantedBy, stamp: &Stamp) {
        if !self.is_wanted() {
            // What happened while nobody wanted them was not asked for.
            self.wanted_at = stamp.version;
        }
        match by {
            GistsWantedBy::Read => self.is_read = true,
            GistsWantedBy::User if self.is_user => {}
            GistsWantedBy::User => {
                self.is_user = true;
                // What is there when somebody becomes a user counts as new.
                for gist in self.gists.values_mut().filter(|gist| !gist.is_gone()) {
                    gist.items.iter_mut().for_each(Item::want);
                }
            }
        }
    }

    /// Nobody reads them any more through our own API.
    pub fn unread(&mut self) {
        self.is_read = false;
    }

    /// Folds a poll.
    pub fn read(&mut self, reading: &GistsReading, stamp: &Stamp) {
        let Told::Answer(asked) = stamp.told else { return };
        let poll = Polled { asked_at: asked.asked_at, asked_ms: asked.asked_ms };
        if self.polled.is_none_or(|known| known <= poll) {
            self.next_ms = reading.next_ms;
            self.refused = reading.refused;
        }
        self.polled = self.polled.max(Some(poll));
        if reading.is_whole {
            self.listed = self.listed.max(Some(poll));
        }
        self.newest = self.newest.max(reading.newest);
        for facts in &reading.gists {
            match self.gists.get_mut(&facts.id) {
                Some(gist) => gist.read(facts, poll),
                None => {
                    let gist = Gist::new(facts, poll, self.is_user, stamp);
                    self.gists.insert(facts.id.clone(), gist);
                }
            }
        }
        for id in &reading.absent {
            if let Some(gist) = self.gists.get_mut(id) {
                gist.absent = gist.absent.max(Some(poll));
            }
        }
    }

    /// Folds a step of sending.
    pub fn note(&mut self, note: &SendingNote, stamp: &Stamp) {
        let Some(gist) = self.gists.get_mut(&note.gist) else { return };
        if let Some(item) = gist.items.iter_mut().find(|item| item.filename == note.filename) {
            item.note(&note.step, stamp);
        }
    }

    /// Whether the forge must be asked, and from when.
    pub fn need(&self) -> Need {
        let is_asked = self.polled.is_some_and(|polled| polled.asked_at >= self.wanted_at);
        match (self.is_wanted(), is_asked) {
            (false, _) => Need::Met,
            (true, false) => Need::Open { is_doubt: true, raised_at: self.wanted_at, not_before: Millis(0) },
            // Polls doubt nothing, and any answer after the last one meets them.
            (true, true) => {
                let raised_at = self.polled.map_or(Version::NONE, |polled| polled.asked_at);
                Need::Open { is_doubt: false, raised_at, not_before: self.next_ms }
            }
        }
    }

    /// Whether anything is to be sent or looked for, and from when.
    pub fn outbox(&self) -> Need {
        let items = self.gists.values().flat_map(|gist| &gist.items);
        match items.filter_map(|item| item.sending.due()).min() {
            Some(not_before) => Need::Open { is_doubt: false, raised_at: Version::NONE, not_before },
            None => Need::Met,
        }
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

impl Gist {
    fn new(facts: &GistFacts, shown: Polled, is_users: bool, stamp: &Stamp) -> Self {
        let item = |file: &crate::event::GistFile| Item {
            filename: file.filename.clone(),
            raw_url: file.raw_url.clone(),
            sending: Sending::Unwanted,
        };
        let mut items: Vec<Item> = facts.files.iter().map(item).collect();
        if is_users {
            items.iter_mut().for_each(Item::want);
        }
        Gist {
            first_seen: stamp.version,
            first_seen_ms: stamp.received_at,
            facts: facts.clone(),
            told: shown,
            shown,
            absent: None,
            items,
        }
    }

    fn read(&mut self, facts: &GistFacts, poll: Polled) {
        if (facts.updated_at, poll, facts) > (self.facts.updated_at, self.told, &self.facts) {
            self.facts = facts.clone();
            self.told = poll;
        }
        self.shown = self.shown.max(poll);
    }

    /// Whether a whole list that was asked for later than any that showed it did not show it.
    pub fn is_gone(&self) -> bool {
        self.absent.is_some_and(|absent| absent > self.shown)
    }
}

impl Item {
    fn want(&mut self) {
        if self.sending == Sending::Unwanted {
            self.sending = Sending::Waiting { attempts: 0, not_before: Millis(0) };
        }
    }

    fn note(&mut self, step: &SendingStep, stamp: &Stamp) {
        let now = stamp.received_at;
        let next = match (&self.sending, step) {
            (Sending::Waiting { attempts, .. }, SendingStep::Began { after }) if attempts == after => {
                Sending::began(attempts + 1, stamp)
            }
            // Only what was looked for in vain is sent once more.
            (Sending::Attempted { attempts, searches, .. }, SendingStep::Began { after })
                if attempts == after && *searches >= SEARCHES =>
            {
                Sending::began(attempts + 1, stamp)
            }
            // Whichever attempt it was: the file is there.
            (
                Sending::Attempted { .. } | Sending::Waiting { .. } | Sending::Refused { .. },
                SendingStep::Sent { .. },
            ) => Sending::Sent,
            (Sending::Attempted { attempts, at, .. }, SendingStep::NotSent { attempt, not_before })
                if at == attempt =>
            {
                Sending::Waiting { attempts: *attempts, not_before: *not_before }
            }
            (
                Sending::Attempted { attempts, at, at_ms, searches, .. },
                SendingStep::NotFound { attempt, not_before },
            ) if at == attempt => Sending::Attempted {
                attempts: *attempts,
                at: *at,
                at_ms: *at_ms,
                searches: searches + 1,
                not_before: *not_before,
            },
            (Sending::Attempted { at, .. }, SendingStep::Refused { attempt, reason }) if at == attempt => {
                Sending::Refused { reason: reason.clone(), at_ms: now }
            }
            // What cannot be read is never tried.
            (Sending::Waiting { .. }, SendingStep::Refused { attempt: Version::NONE, reason }) => {
                Sending::Refused { reason: reason.clone(), at_ms: now }
            }
            (Sending::Refused { .. }, SendingStep::Retried) => {
                Sending::Waiting { attempts: 0, not_before: Millis(0) }
            }
            (Sending::Refused { .. } | Sending::Waiting { .. }, SendingStep::Dropped) => Sending::Dropped,
            _ => return,
        };
        self.sending = next;
    }
}

impl Sending {
    fn began(attempts: u32, stamp: &Stamp) -> Self {
        let at_ms = stamp.received_at;
        let not_before = at_ms.plus(ATTEMPT_LASTS_MS);
        Sending::Attempted { attempts, at: stamp.version, at_ms, searches: 0, not_before }
    }

    /// From when there is something to do about it; `None` where there is nothing.
    pub fn due(&self) -> Option<Millis> {
        match self {
            Sending::Waiting { not_before, .. } | Sending::Attempted { not_before, .. } => Some(*not_before),
            Sending::Unwanted | Sending::Sent | Sending::Refused { .. } | Sending::Dropped => None,
        }
    }
}
