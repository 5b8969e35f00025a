//! Who starred a repository: the star set, by the rules of reference A5. It is stored in slices, so that a star costs
//! one row however many there are.
//!
//! A member is replaced only by a newer forge time. Stars that were taken, and listed ones that a later list does not
//! show, stay as tombstones, so that an old page or a late delivery brings nobody back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::stars::Listed,
    event::{Asked, Stamp, Told},
    id::{AccountId, StreamKey},
    time::Second,
    version::Version,
};

/// The encoding of a stored slice.
const TAG: u8 = 1;

/// Slices of a set. The largest lists that a forge shows have 40 000 members: then a slice has some 600 of them and
/// 20 kB, and a small set is still read with one scan.
pub const BUCKETS: u32 = 64;

/// The slice that holds an account.
pub fn bucket_of(user: AccountId) -> u32 {
    u32::try_from(StreamKey::Account(user).stable_hash() % u64::from(BUCKETS)).expect("BUCKETS fits 32 bits")
}

/// Somebody who starred, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// When the star was given or taken, by the forge.
    pub at: Second,
    /// Whether it is there; else this is a tombstone.
    pub is_given: bool,
    /// Whether the forge said of one second that the star was given and that it was taken.
    pub is_tied: bool,
    /// Whether the forge said so because it was asked.
    pub is_listed: bool,
    /// The record that said so.
    pub told_at: Version,
    /// The login, where a payload told it.
    pub login: Option<String>,
}

impl Member {
    /// Whether only a list that is asked for later can tell whether the star is there: two deliveries of one second
    /// contradict each other, or one tells of a star that a later list did not show.
    pub fn is_doubtful(&self, listed: &Listed) -> bool {
        let is_missing = self.is_given && !self.is_listed && self.at <= listed.date;
        self.told_at > listed.since && (self.is_tied || is_missing)
    }
}

/// A slice of a star set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StarBucket {
    members: BTreeMap<AccountId, Member>,
}

/// A star given or taken, as anyone told it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Who.
    pub user: AccountId,
    /// The login, if it was told.
    pub login: Option<&'a str>,
    /// Whether it was given.
    pub is_given: bool,
    /// When, by the forge.
    pub at: Second,
}

impl StarBucket {
    /// Folds a star that was given, taken or listed.
    pub fn read(&mut self, given: Given<'_>, stamp: &Stamp) {
        let Given { user, login, is_given, at } = given;
        let told_at = stamp.version;
        let asked_at = match stamp.told {
            Told::Answer(asked) => Some(asked.asked_at),
            Told::Delivery | Told::Command => None,
        };
        let is_listed = asked_at.is_some();
        let login = login.map(str::to_owned);
        let Some(known) = self.members.get_mut(&user) else {
            let member = Member { at, is_given, is_tied: false, is_listed, told_at, login };
            self.members.insert(user, member);
            return;
        };
        if at < known.at {
            return;
        }
        known.login = login.or(known.login.take());
        let is_newer = at > known.at;
        let is_tie = !is_newer && is_given != known.is_given;
        // An answer that was asked before the other was folded may be older than it.
        let is_early = asked_at.is_some_and(|asked_at| asked_at < known.told_at);
        if is_tie && is_early {
            known.is_tied = true;
        } else if is_newer || is_tie {
            let is_tied = is_tie && !is_listed;
            *known = Member { at, is_given, is_tied, is_listed, told_at, login: known.login.take() };
        } else if is_listed {
            known.is_listed = true;
            known.is_tied &= is_early;
        }
    }

    /// Folds that a list which was asked for at `since` does not show an account. What was told after that counts more.
    pub fn absent(&mut self, user: AccountId, since: Version, asked: &Asked, stamp: &Stamp) {
        if let Some(known) = self.members.get_mut(&user)
            && known.is_given
            && known.told_at <= since
            && known.at <= asked.date
        {
            known.at = asked.date;
            known.told_at = stamp.version;
            (known.is_given, known.is_tied, known.is_listed) = (false, false, true);
        }
    }

    /// One member, given or not.
    pub fn get(&self, user: AccountId) -> Option<&Member> {
        self.members.get(&user)
    }

    /// All members, tombstones too.
    pub fn members(&self) -> impl Iterator<Item = (AccountId, &Member)> {
        self.members.iter().map(|(user, member)| (*user, member))
    }

    /// How many members and tombstones it holds.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, &self.members)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes).map(|members| StarBucket { members })
    }
}
