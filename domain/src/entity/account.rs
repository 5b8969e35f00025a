//! The account that owns a stream: whether it is kept, its profile, and how its repository list stands.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::{check::Check, doubt::Doubt},
    event::{Asked, HiddenWhy, OwnerReading, ProfileReading, Stamp, Told, TrackedBy},
    time::{Millis, Second},
    version::Version,
};

/// The encoding of a stored account.
const TAG: u8 = 1;
/// The encoding of one that was forgotten once: when, and the account.
const TAG_FORGOTTEN: u8 = 50;

/// What is known of the account itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// Whether and why it is kept.
    pub keeping: Keeping,
    /// When somebody last read it, on our clock, to the day.
    pub read_ms: Millis,
    /// Login, names and gauges.
    pub profile: Profile,
    /// How the profile stands with the forge.
    pub profile_check: Check,
    /// Raised where a payload names another login, or where the account may be gone.
    pub profile_doubt: Option<Doubt>,
    /// How the list of repositories stands with the forge.
    pub list_check: Check,
    /// What was folded before the newest list that was read whole was begun.
    pub listed_since: Option<Version>,
    /// Raised where repositories came into reach without being told whole.
    pub list_doubt: Option<Doubt>,
    /// Raised by a record that could not be folded: everything is to be asked again.
    pub unreadable: Option<Doubt>,
    /// Raised by a person who wants everything asked again; it doubts nothing.
    pub check_wanted: Option<Doubt>,
    /// Why the account is out of every public answer, and the record that said so.
    pub hidden: Option<(HiddenWhy, Version)>,
    /// When it was forgotten last; stored beside it.
    #[serde(skip)]
    pub forgotten: Option<Forgotten>,
}

/// The forgetting of an account: nothing that was said between its two ends, or before, is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The record that forgot it.
    pub at: Version,
    /// The record by which a person tracked it again.
    pub until: Option<Version>,
}

impl Forgotten {
    /// Whether what the record at `version` says is folded.
    pub fn hears(&self, version: Version) -> bool {
        self.until.is_some_and(|until| version >= until)
    }
}

/// Whether an account is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Keeping {
    /// Nobody asked for it.
    #[default]
    Unknown,
    /// Its views are kept ready.
    Kept {
        /// Why.
        by: TrackedBy,
        /// Since when, on our clock.
        since_ms: Millis,
    },
    /// A person said `untrack`; only a person ends it.
    Muted,
    /// Nobody read it for long; the next reader or delivery brings it back.
    Dropped,
}

/// Login, names and gauges of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The present login.
    pub login: Option<String>,
    /// `User` or `Organization`.
    pub kind: Option<String>,
    /// The name people read.
    pub name: Option<String>,
    /// The html URL.
    pub url: Option<String>,
    /// The picture.
    pub avatar_url: Option<String>,
    /// The public address.
    pub email: Option<String>,
    /// Followers.
    pub followers: Option<u64>,
    /// Public gists.
    pub public_gists: Option<u64>,
    /// The newest `*_at` field of the profile.
    pub as_of: Second,
    /// `Date` of the answer it is from; `None` when only payloads have named the account.
    pub answered: Option<(Second, Version)>,
}

impl Account {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        match self.forgotten {
            Some(forgotten) => codec::encode(TAG_FORGOTTEN, &(forgotten, self)),
            None => codec::encode(TAG, self),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.first() == Some(&TAG_FORGOTTEN) {
            let (forgotten, account): (Forgotten, Account) = codec::decode(TAG_FORGOTTEN, bytes)?;
            return Ok(Account { forgotten: Some(forgotten), ..account });
        }
        codec::decode(TAG, bytes)
    }

    /// What is left of one that the record at `version` forgot.
    pub fn forgotten(version: Version) -> Self {
        let forgotten = Some(Forgotten { at: version, until: None });
        Account { keeping: Keeping::Muted, forgotten, ..Account::default() }
    }

    /// Whether it is forgotten, and nobody tracked it since.
    pub fn is_forgotten(&self) -> bool {
        self.forgotten.is_some_and(|forgotten| forgotten.until.is_none())
    }

    /// Whether it is out of every public answer.
    pub fn is_hidden(&self) -> bool {
        self.hidden.is_some() || self.is_forgotten()
    }

    /// Whether its views are kept ready.
    pub fn is_kept(&self) -> bool {
        matches!(self.keeping, Keeping::Kept { .. })
    }

    /// Folds a reason to keep it; returns whether it was not kept before.
    pub fn track(&mut self, by: TrackedBy, stamp: &Stamp) -> bool {
        let starts = match self.keeping {
            Keeping::Kept { .. } => false,
            Keeping::Muted => by == TrackedBy::Person,
            Keeping::Unknown | Keeping::Dropped => true,
        };
        match &mut self.keeping {
            _ if starts => self.keeping = Keeping::Kept { by, since_ms: stamp.received_at },
            // Who reads it may stop reading; whoever else wants it kept wants it for good.
            Keeping::Kept { by: known, .. } if *known == TrackedBy::Read => *known = by,
            _ => {}
        }
        if starts || by == TrackedBy::Read {
            self.read_ms = self.read_ms.max(stamp.received_at);
        }
        starts
    }

    /// Folds how a payload names the account; returns whether anything changed.
    pub fn named(&mut self, owner: &OwnerReading<'_>, stamp: &Stamp) -> bool {
        let profile = &mut self.profile;
        if profile.login.as_deref() == Some(owner.login.as_str()) {
            return false;
        }
        if profile.login.is_some() {
            Doubt::raise(&mut self.profile_doubt, stamp);
            self.profile_check.changed_at = stamp.version;
        }
        if profile.answered.is_none() {
            profile.login = Some(owner.login.to_string());
            for (slot, value) in [
                (&mut profile.kind, &owner.kind),
                (&mut profile.url, &owner.url),
                (&mut profile.avatar_url, &owner.avatar_url),
            ] {
                if let Some(value) = value {
                    *slot = Some(value.to_string());
                }
            }
        }
        true
    }

    /// Folds an answered profile; returns whether the login changed.
    pub fn answered(&mut self, reading: &ProfileReading<'_>, stamp: &Stamp) -> bool {
        let Told::Answer(asked) = stamp.told else { return false };
        self.settle_profile(&asked);
        if self.hidden.is_some_and(|(_, version)| asked.asked_at >= version) {
            self.hidden = None;
        }
        let answered = Some((asked.date, asked.asked_at));
        if answered < self.profile.answered {
            return false;
        }
        let text = |text: &Option<crate::text::Text<'_>>| text.as_ref().map(ToString::to_string);
        let login = reading.owner.login.to_string();
        let renamed = self.profile.login.as_ref() != Some(&login);
        self.profile = Profile {
            login: Some(login),
            kind: text(&reading.owner.kind),
            name: text(&reading.name),
            url: text(&reading.owner.url),
            avatar_url: text(&reading.owner.avatar_url),
            email: text(&reading.email),
            // What the forge leaves out is not zero: the last known number stays.
            followers: reading.followers.or(self.profile.followers),
            public_gists: reading.public_gists.or(self.profile.public_gists),
            as_of: self.profile.as_of.max(reading.as_of.unwrap_or_default()),
            answered,
        };
        renamed
    }

    /// The forge was asked and does not know the account.
    pub fn gone(&mut self, stamp: &Stamp) {
        if let Told::Answer(asked) = stamp.told {
            self.settle_profile(&asked);
            self.hidden.get_or_insert((HiddenWhy::Gone, stamp.version));
        }
    }

    fn settle_profile(&mut self, asked: &Asked) {
        self.profile_check.answered(asked);
        if self.profile_doubt.is_some_and(|doubt| doubt.is_answered_by(asked.asked_at)) {
            self.profile_doubt = None;
        }
    }

    /// All pages of the repository list are in.
    pub fn listed(&mut self, since: Version, asked: &Asked) {
        self.list_check.answered(asked);
        self.listed_since = self.listed_since.max(Some(since));
        if self.list_doubt.is_some_and(|doubt| doubt.is_answered_by(since)) {
            self.list_doubt = None;
        }
    }

    /// Everything was asked again, beginning at `since`.
    pub fn checked(&mut self, since: Version) {
        for slot in [&mut self.unreadable, &mut self.check_wanted] {
            if slot.is_some_and(|doubt| doubt.is_answered_by(since)) {
                *slot = None;
            }
        }
    }

    /// Everything about the account must be read again.
    pub fn doubt_all(&mut self, stamp: &Stamp) {
        Doubt::raise(&mut self.profile_doubt, stamp);
        Doubt::raise(&mut self.list_doubt, stamp);
        self.profile_check.changed_at = stamp.version;
        self.list_check.changed_at = stamp.version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::AccountId, version::Epoch};

    fn answer(offset: u64, asked_at: u64) -> Stamp {
        let asked =
            Asked { asked_at: Version::new(Epoch::FIRST, asked_at), asked_ms: Millis(0), date: Second(100) };
        let version = Version::new(Epoch::FIRST, offset);
        Stamp { version, received_at: Millis(0), told: Told::Answer(asked) }
    }

    #[test]
    fn an_account_that_was_gone_is_back_only_by_an_answer_asked_later() {
        let owner = OwnerReading {
            id: AccountId::github(9),
            login: "octo".into(),
            kind: None,
            url: None,
            avatar_url: None,
        };
        let profile = ProfileReading {
            owner,
            name: None,
            email: None,
            followers: None,
            public_gists: None,
            public_repos: None,
            as_of: None,
        };
        let mut account = Account::default();
        account.gone(&answer(5, 4));
        account.answered(&profile, &answer(6, 4));
        assert!(account.hidden.is_some(), "asked before it was known to be gone");
        account.answered(&profile, &answer(7, 6));
        assert_eq!(account.hidden, None);
    }
}
