//! The webhooks of an account in its working set: what each sent by the hour, and what may be wrong because of what did
//! not arrive.

use std::collections::BTreeMap;

use crate::{
    codec::DecodeError,
    entity::hook::{Asked, Hook},
    event::{Event, HookReading, Stamp, Told, Touched},
    id::{RepoId, StreamKey},
    key::{EntityKey, NeedKey, RowKey, ViewKey},
    ledger::Ledger,
    row::Row,
    time::Millis,
    version::Version,
    view::{
        freshness::Reason,
        gaps::{GapLedger, HookSums},
    },
};

/// So many webhooks of one account are kept; what others sent is in no ledger.
pub const HOOKS_MAX: usize = 1_000;

/// Whether an event says nothing of the account but of its webhooks.
pub(super) fn is_of_hooks(event: &Event<'_>) -> bool {
    matches!(event, Event::HookLooked(_) | Event::Swept { .. })
}

/// The webhooks, and what of them must be written.
#[derive(Debug, Default)]
pub(super) struct HooksCell {
    hooks: BTreeMap<u64, HookCell>,
    /// Of each hour that is open: when it was opened, and what it touches.
    open: Vec<(Millis, Touched)>,
    /// The first record whose change is not given out yet.
    pub(super) since: Option<Version>,
    /// The last one.
    touched_at: Version,
}

#[derive(Debug, Default)]
struct HookCell {
    hook: Hook,
    version: Version,
    is_dirty: bool,
}

/// What a record changes of what is shown.
pub(super) struct Effect {
    touched: Touched,
    /// It was folded before; what it changed may sit on a minority of replicas.
    is_replayed: bool,
}

impl HooksCell {
    /// Takes the stored form of one.
    pub(super) fn load(&mut self, id: u64, row: &Row) -> Result<(), DecodeError> {
        let hook = Hook::decode(&row.value)?;
        self.open.extend(hook.open_hours().map(|(_, hour)| (hour.raised_ms, hour.touched.clone())));
        self.hooks.insert(id, HookCell { hook, version: row.version, is_dirty: false });
        Ok(())
    }

    /// Folds one record. What is in a row already is only written again.
    pub(super) fn evolve(&mut self, stamp: &Stamp, events: &[Event<'_>]) -> Option<Effect> {
        let readings = events.iter().filter_map(|event| match event {
            Event::HookLooked(reading) => Some(&**reading),
            _ => None,
        });
        let asked = events.iter().find_map(|event| match (event, stamp.told) {
            (Event::Swept { begun_ms }, _) => Some(Asked::Since(*begun_ms)),
            (Event::Checked { about: NeedKey::Everything }, Told::Answer(asked)) => {
                Some(Asked::After(asked.asked_at))
            }
            _ => None,
        });
        let readings: Vec<&HookReading> = readings.collect();
        if readings.is_empty() && (asked.is_none() || self.hooks.is_empty()) {
            return None;
        }
        for reading in &readings {
            if self.hooks.len() < HOOKS_MAX {
                self.hooks.entry(reading.hook).or_default();
            }
        }
        let mut effect = Effect { touched: Touched::default(), is_replayed: false };
        let mut is_changed = false;
        for (id, cell) in &mut self.hooks {
            let reading = readings.iter().find(|reading| reading.hook == *id).copied();
            if reading.is_none() && asked.is_none() {
                continue;
            }
            if cell.version >= stamp.version {
                effect.touched.join(&cell.hook.touched_by(reading, stamp.version));
                effect.is_replayed = true;
                cell.is_dirty = true;
                continue;
            }
            let closed = asked.and_then(|asked| cell.hook.sweep(asked, stamp.version));
            if closed.is_some() || reading.is_some() {
                cell.version = stamp.version;
                cell.is_dirty = true;
                is_changed = true;
            }
            effect.touched.join(&closed.unwrap_or_default());
            if let Some(reading) = reading {
                effect.touched.join(&cell.hook.read(reading, stamp));
            }
        }
        if !is_changed && !effect.is_replayed {
            return None;
        }
        self.since.get_or_insert(stamp.version);
        self.touched_at = self.touched_at.max(stamp.version);
        let hours = self.hooks.values().flat_map(|cell| cell.hook.open_hours());
        self.open = hours.map(|(_, hour)| (hour.raised_ms, hour.touched.clone())).collect();
        Some(effect)
    }

    /// Why a repository's page may be wrong, the oldest part of which was checked then.
    pub(super) fn gap_of(&self, repo: RepoId, checked_ms: Option<Millis>) -> Option<Reason> {
        let is_touched = |(raised_ms, touched): &(Millis, Touched)| {
            touched.has(repo) && checked_ms.is_none_or(|checked| checked < *raised_ms)
        };
        self.open.iter().any(is_touched).then_some(Reason::Undelivered)
    }

    /// Adds why what is shown of the account may be wrong, to what else is open about it.
    pub(super) fn add_gaps(&self, gaps: &mut Vec<(&'static str, Reason)>) {
        let mut add = |field: &'static str| {
            if gaps.iter().all(|(known, _)| *known != field) {
                gaps.push((field, Reason::Undelivered));
            }
        };
        if self.open.iter().any(|(_, touched)| touched.anything || touched.account) {
            add("account");
        }
        if !self.open.is_empty() {
            add("repositories");
        }
    }

    /// Rough size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        /// An hour with its place in the map.
        const HOUR: usize = 160;
        self.hooks.values().map(|cell| cell.hook.hours.len() * HOUR).sum()
    }

    /// The rows to write.
    pub(super) fn drain(&mut self, stream: StreamKey, rows: &mut Vec<Row>) {
        if self.since.take().is_none() {
            return;
        }
        for (id, cell) in self.hooks.iter_mut().filter(|(_, cell)| cell.is_dirty) {
            cell.is_dirty = false;
            let key = RowKey::Entity(stream, EntityKey::Hook(*id));
            rows.push(Row { key, version: cell.version, value: cell.hook.encode().into() });
        }
        let sums = self.hooks.iter().map(|(id, cell)| HookSums::of(*id, &cell.hook)).collect();
        let key = RowKey::View(stream, ViewKey::Gaps);
        rows.push(Row { key, version: self.touched_at, value: GapLedger(sums).encode().into() });
    }
}

impl Ledger {
    /// What may be wrong, or is so no more, is to be shown anew.
    pub(super) fn touch_by_hooks(&mut self, effect: &Effect, version: Version) {
        let Effect { touched, is_replayed } = effect;
        if touched.is_nothing() {
            return;
        }
        if touched.anything {
            self.touch_all(version);
        }
        for repo in &touched.repos {
            if let Some(cell) = self.cells.get_mut(repo) {
                cell.touch(version);
                self.dirty_cells.insert(*repo);
            }
        }
        if *is_replayed {
            self.dirty.replayed = true;
            for repo in &self.dirty_cells {
                if let Some(cell) = self.cells.get_mut(repo).filter(|_| touched.has(*repo)) {
                    cell.dirty.replayed = true;
                }
            }
        }
        self.dirty.touched_at = self.dirty.touched_at.max(Some(version));
        self.dirty.since.get_or_insert(version);
    }
}
