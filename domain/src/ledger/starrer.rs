//! The account as one who stars, in its working set: apart from everything else there, since hardly any of those who
//! star is kept.

use crate::{
    codec::DecodeError,
    entity::starrer::Starrer,
    event::{Event, Stamp, Told},
    id::{AccountId, StreamKey},
    key::{EntityKey, NeedKey, RowKey},
    need::Need,
    row::Row,
    version::Version,
};

/// Whether an event says nothing of the account but what it starred itself.
pub(super) fn is_of_starrer(event: &Event<'_>, account: AccountId) -> bool {
    match event {
        Event::StarrerAsked(_) => true,
        Event::Star(star) => star.owner != account,
        _ => false,
    }
}

/// The account as one who stars, and what of that must be written.
#[derive(Debug, Default)]
pub(super) struct StarrerCell {
    starrer: Starrer,
    version: Version,
    /// The first record whose change is not given out yet.
    pub(super) since: Option<Version>,
    /// Whether the stored need may be another one than is derived now.
    is_need_open: bool,
    must_write_need: bool,
}

impl StarrerCell {
    /// Takes the stored form.
    pub(super) fn load(&mut self, row: &Row) -> Result<(), DecodeError> {
        (self.starrer, self.version) = (Starrer::decode(&row.value)?, row.version);
        Ok(())
    }

    /// Takes what is stored of its need.
    pub(super) fn load_need(&mut self, need: Need) {
        self.is_need_open = need.is_open();
    }

    /// Folds one record. What is in the row already is only written again.
    pub(super) fn evolve(&mut self, account: AccountId, stamp: &Stamp, events: &[Event<'_>]) {
        let is_new = self.version < stamp.version;
        for event in events {
            match (event, stamp.told) {
                (Event::Star(star), _) if star.starrer == account => {
                    if is_new {
                        self.starrer.told(star, stamp);
                    }
                }
                (Event::StarrerAsked(reading), Told::Answer(asked)) => {
                    if is_new {
                        self.starrer.asked(reading, &asked);
                    }
                }
                _ => continue,
            }
            self.version = self.version.max(stamp.version);
            self.since = self.since.or(Some(stamp.version));
            let is_open = self.starrer.need().is_open();
            // While it is open each record may move it; and what a crash left is written again.
            self.must_write_need |= is_open || self.is_need_open || !is_new;
            self.is_need_open = is_open;
        }
    }

    /// The rows to write.
    pub(super) fn drain(&mut self, stream: StreamKey, rows: &mut Vec<Row>) {
        if self.since.take().is_none() {
            return;
        }
        let version = self.version;
        let key = RowKey::Entity(stream, EntityKey::Starrer);
        rows.push(Row { key, version, value: self.starrer.encode().into() });
        if std::mem::take(&mut self.must_write_need) {
            let key = RowKey::Need(stream, NeedKey::OwnStars);
            rows.push(Row { key, version, value: self.starrer.need().encode().into() });
        }
    }
}
