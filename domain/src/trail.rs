//! The trail: by which records a number of a repository became what it is.
//!
//! Each record that changes a number, or leaves it in doubt, or settles that, is a *step*: a row of its own. A number
//! has a fixed number of places, and a step is written over the one that is so many steps older, so that a fold reads
//! nothing and an event costs the same however much happened before. Where the next step goes is kept in the
//! repository's own row ([`Places`]), which is written by the same fold. How steps are read is in [`chain`].
//!
//! A step names no account and no repository, and nothing of a body but numbers.

pub mod chain;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::Told,
    time::{Millis, Second},
};

/// The encoding of a stored step.
const TAG: u8 = 40;

/// Numbers of a repository that change together, and so have their steps together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// Commits on the default branch.
    Commits,
    /// Pull requests: in all states, open, merged, closed without merge.
    PullRequests,
    /// Stars.
    Stars,
    /// Forks.
    Forks,
    /// Subscribers.
    Watchers,
    /// Open issues, pull requests included.
    OpenIssues,
    /// Bytes in all languages together.
    Languages,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 7] = [
        Field::Commits,
        Field::PullRequests,
        Field::Stars,
        Field::Forks,
        Field::Watchers,
        Field::OpenIssues,
        Field::Languages,
    ];

    /// As stored in keys; frozen.
    pub fn tag(self) -> u8 {
        match self {
            Field::Commits => 0,
            Field::PullRequests => 1,
            Field::Stars => 2,
            Field::Forks => 3,
            Field::Watchers => 4,
            Field::OpenIssues => 5,
            Field::Languages => 6,
        }
    }

    /// The one with this tag.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Field::ALL.into_iter().find(|field| field.tag() == tag)
    }

    /// How many steps are kept; a power of two.
    ///
    /// Of pull requests more: every word about one takes a place, also where no number changed (see [`Places`]).
    pub fn slots(self) -> u8 {
        1 << self.bits().1
    }

    /// The bits of [`Places`] that say where its next step goes: from which on, and how many. Frozen.
    fn bits(self) -> (u32, u32) {
        match self {
            Field::Commits => (0, 4),
            Field::PullRequests => (4, 5),
            Field::Stars => (9, 4),
            Field::Forks => (13, 4),
            Field::Watchers => (17, 4),
            Field::OpenIssues => (21, 4),
            Field::Languages => (25, 4),
        }
    }
}

/// Where the next step of each number goes.
///
/// It is part of what is folded, so it follows from the repository's row and the record alone. Whether a word about a
/// pull request changes the numbers follows from another row, which in a cluster may be ahead after a crash; so every
/// such word takes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(u32);

impl Places {
    /// Takes the place of the next step.
    pub fn take(&mut self, field: Field) -> u8 {
        let (from, bits) = field.bits();
        let mask = (1 << bits) - 1;
        let slot = (self.0 >> from) & mask;
        self.0 = (self.0 & !(mask << from)) | (((slot + 1) & mask) << from);
        u8::try_from(slot).expect("there are at most 32 places")
    }
}

/// Which record is folded, as a step names it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// The forge's id of a delivery.
    pub id: &'a str,
    /// The forge's name of its event.
    pub event: &'a str,
}

/// Who told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Teller {
    /// The forge, by itself.
    Delivery,
    /// The forge, because it was asked.
    Answer,
    /// A person, or one of our own sources.
    Command,
}

impl From<Told> for Teller {
    fn from(told: Told) -> Self {
        match told {
            Told::Delivery => Teller::Delivery,
            Told::Answer(_) => Teller::Answer,
            Told::Command => Teller::Command,
        }
    }
}

/// What a step leaves behind, beside the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(u8);

impl Marks {
    const DOUBTED_BEFORE: u8 = 1;
    const DOUBTED_AFTER: u8 = 2;
    const HIDDEN: u8 = 4;

    /// `doubt`: whether the number was in doubt before, and is after. `is_hidden`: whether the repository was shown to
    /// nobody.
    pub fn new(doubt: (bool, bool), is_hidden: bool) -> Self {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        Marks(
            bit(doubt.0, Self::DOUBTED_BEFORE)
                | bit(doubt.1, Self::DOUBTED_AFTER)
                | bit(is_hidden, Self::HIDDEN),
        )
    }

    /// Whether the number was in doubt before, and is after.
    pub fn doubt(self) -> (bool, bool) {
        (self.0 & Self::DOUBTED_BEFORE != 0, self.0 & Self::DOUBTED_AFTER != 0)
    }

    /// Whether the repository was shown to nobody when it was written.
    pub fn is_hidden(self) -> bool {
        self.0 & Self::HIDDEN != 0
    }
}

/// A step, as it is written.
#[derive(Debug, Serialize)]
pub struct Change<'a> {
    /// Doubt and hiding.
    pub marks: Marks,
    /// Who told.
    pub teller: Teller,
    /// The forge's time of it; 0 where it told none.
    pub at: Second,
    /// When its source got it, on our clock.
    pub received_ms: Millis,
    /// The numbers before.
    pub before: &'a [Option<u64>],
    /// And after.
    pub after: &'a [Option<u64>],
    /// The event's name, or what was asked; empty where neither is known.
    pub what: &'a str,
    /// The delivery's id; empty where there is none.
    pub id: &'a str,
}

/// A step, as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// Doubt and hiding.
    pub marks: Marks,
    /// Who told.
    pub teller: Teller,
    /// The forge's time of it; 0 where it told none.
    pub at: Second,
    /// When its source got it, on our clock.
    pub received_ms: Millis,
    /// The numbers before.
    pub before: Vec<Option<u64>>,
    /// And after.
    pub after: Vec<Option<u64>>,
    /// The event's name, or what was asked; empty where neither is known.
    pub what: String,
    /// The delivery's id; empty where there is none.
    pub id: String,
}

impl Change<'_> {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        /// Enough for a usual one, so that it is not moved about while it grows.
        const USUAL_BYTES: usize = 112;
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.push(TAG);
        postcard::to_extend(self, bytes).expect("our values have known lengths and serialize")
    }
}

impl Step {
    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let Step { marks, teller, at, received_ms, before, after, what, id } = self;
        let (marks, teller, at, received_ms) = (*marks, *teller, *at, *received_ms);
        Change { marks, teller, at, received_ms, before, after, what, id }.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_each_go_round_by_themselves() {
        let mut places = Places::default();
        for field in Field::ALL {
            for round in 0..3 {
                for slot in 0..field.slots() {
                    assert_eq!(places.take(field), slot, "{field:?} in round {round}");
                }
            }
        }
        assert_eq!(places, Places::default(), "none ran over into another");
        assert_eq!((Field::Commits.slots(), Field::PullRequests.slots()), (16, 32));
        for field in Field::ALL {
            assert_eq!(Field::from_tag(field.tag()), Some(field));
        }
    }

    #[test]
    fn marks_are_read_as_they_were_made() {
        for number in 0..8u8 {
            let bit = |at: u8| number & (1 << at) != 0;
            let marks = Marks::new((bit(0), bit(1)), bit(2));
            assert_eq!((marks.doubt(), marks.is_hidden()), ((bit(0), bit(1)), bit(2)));
        }
    }
}
