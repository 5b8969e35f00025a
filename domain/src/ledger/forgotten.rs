//! An account that a person has erased: what is left of its working set, and what it still listens to.

use crate::{
    directory::Alias,
    entity::account::{Account, Keeping},
    event::{Event, Stamp, TrackedBy},
    key::RowKey,
    ledger::Ledger,
    row::Row,
    version::Version,
};

impl Ledger {
    /// Forgets everything but that it was forgotten. Gives the row of the login's end; whoever knows what is stored
    /// erases the other rows at the record's version. A record that is folded already has its rows written again.
    pub fn forget(&mut self, stamp: &Stamp) -> Option<Row> {
        let version = stamp.version;
        let mut ended = None;
        if self.account.forgotten.is_none_or(|forgotten| forgotten.at < version) {
            ended = self.end_of_login();
            *self = Ledger {
                account: Account::forgotten(version),
                account_version: version,
                ..Ledger::empty(self.id)
            };
        }
        self.dirty.entity = true;
        self.dirty.replayed = true;
        self.dirty.touched_at = self.dirty.touched_at.max(Some(version));
        self.dirty.since.get_or_insert(version);
        ended
    }

    /// Aliases are versioned by the forge's clock: this end is as new as what it said last.
    fn end_of_login(&self) -> Option<Row> {
        let login = self.account.profile.login.as_deref()?;
        let version = self.account.profile.answered.map_or(Version::LEAST, |(date, _)| Alias::version(date));
        Some(Row::erased(RowKey::Alias(self.id.forge(), login.to_lowercase()), version))
    }

    /// Whether a record is folded: nothing is of what was said before the account was forgotten, nor afterwards until
    /// a person tracks it.
    pub(super) fn hears(&mut self, stamp: &Stamp, events: &[Event<'_>]) -> bool {
        let Some(forgotten) = &mut self.account.forgotten else { return true };
        let is_person = |event: &Event<'_>| *event == Event::Tracked(TrackedBy::Person);
        if forgotten.until.is_none() && stamp.version > forgotten.at && events.iter().any(is_person) {
            forgotten.until = Some(stamp.version);
            // As of an account that nobody has heard of.
            self.account.keeping = Keeping::Unknown;
        }
        self.account.forgotten.is_some_and(|forgotten| forgotten.hears(stamp.version))
    }
}
