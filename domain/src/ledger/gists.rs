//! An account's gists in its working set: apart from everything else there, since an account of which nothing but
//! gists is wanted is not kept otherwise.

use crate::{
    codec::DecodeError,
    entity::gists::Gists,
    event::{Event, Stamp},
    id::StreamKey,
    key::{EntityKey, NeedKey, RowKey, ViewKey},
    need::Need,
    row::Row,
    version::Version,
    view::gists::{Items, render},
};

/// Whether an event says nothing of the account but of its gists.
pub(super) fn is_of_gists(event: &Event<'_>) -> bool {
    matches!(event, Event::Gists(_) | Event::GistsWanted(_) | Event::GistSending(_))
}

/// The gists of the account, and what of them must be written.
#[derive(Debug, Default)]
pub(super) struct GistsCell {
    gists: Gists,
    version: Version,
    /// The first record whose change is not given out yet.
    pub(super) since: Option<Version>,
    /// Length of the stored form.
    length: usize,
}

impl GistsCell {
    /// Takes the stored form.
    pub(super) fn load(row: &Row) -> Result<Self, DecodeError> {
        let gists = Gists::decode(&row.value)?;
        Ok(GistsCell { gists, version: row.version, since: None, length: row.value.len() })
    }

    /// Folds one record. What is in the row already is only written again.
    pub(super) fn evolve(&mut self, stamp: &Stamp, events: &[Event<'_>]) {
        let is_new = self.version < stamp.version;
        for event in events {
            let is_ours = match event {
                Event::Gists(reading) => {
                    if is_new {
                        self.gists.read(reading, stamp);
                    }
                    true
                }
                Event::GistsWanted(by) => {
                    if is_new {
                        self.gists.want(*by, stamp);
                    }
                    true
                }
                Event::GistSending(note) => {
                    if is_new {
                        self.gists.note(note, stamp);
                    }
                    true
                }
                Event::Untracked | Event::Dropped if self.version > Version::NONE => {
                    if is_new {
                        self.gists.unread();
                    }
                    true
                }
                _ => false,
            };
            if is_ours {
                self.version = self.version.max(stamp.version);
                self.since = self.since.or(Some(stamp.version));
            }
        }
    }

    /// Marks what is derived of them to be written.
    pub(super) fn found(&mut self) {
        if self.version > Version::NONE {
            self.since = self.since.or(Some(self.version));
        }
    }

    /// Rough size in memory, in bytes: values and their stored form differ by what strings take on the heap.
    pub(super) fn weight(&self) -> usize {
        self.length * 2
    }

    /// The rows to write.
    pub(super) fn drain(&mut self, stream: StreamKey, rows: &mut Vec<Row>) {
        if self.since.take().is_none() {
            return;
        }
        let version = self.version;
        let entity = self.gists.encode();
        self.length = entity.len();
        let need =
            |key, need: Need| Row { key: RowKey::Need(stream, key), version, value: need.encode().into() };
        let view = |key, value| Row { key: RowKey::View(stream, key), version, value };
        rows.extend([
            Row { key: RowKey::Entity(stream, EntityKey::Gists), version, value: entity.into() },
            view(ViewKey::Gists, render(&self.gists).encode()),
            view(ViewKey::NewGists, Items::of(&self.gists).encode()),
            need(NeedKey::Gists, self.gists.need()),
            need(NeedKey::Outbox, self.gists.outbox()),
        ]);
    }
}
