//! One webhook by the hour: what GitHub sent, what of it we hold, and what is open.
//!
//! An hour is open while something that was sent in it is not held, or while nobody knows what was sent in it. It is
//! closed by the record (the delivery came after all) or by a sweep that asked about everything the delivery may have
//! been about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{HookReading, HourReading, Stamp, Touched},
    id::RepoId,
    time::{Millis, Second},
    version::Version,
};

/// The encoding of the stored entity.
const TAG: u8 = 60;

/// Hours are remembered for thirty days before the newest one; open ones for longer.
const REMEMBERED_S: i64 = 30 * 24 * 60 * 60;

/// So many hours are remembered at most, open ones included: twice those of thirty days.
pub const HOURS_MAX: usize = 2 * 30 * 24;

/// What a webhook sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hook {
    /// The repository that has it; `None`: the organisation.
    pub repo: Option<RepoId>,
    /// When it was looked at, on our clock, by the newest reading.
    pub looked_ms: Millis,
    /// By the first second of each hour, on the forge's clock.
    pub hours: BTreeMap<Second, Hour>,
}

/// What it sent in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hour {
    /// So many deliveries, each GUID once.
    pub sent: u32,
    /// So many came by themselves.
    pub held: u32,
    /// So many were taken out of the record, or came when they were sent again.
    pub repaired: u32,
    /// So many are not held, those included that a sweep made up for.
    pub missed: u32,
    /// What a sweep made up for.
    pub swept: u32,
    /// Whether the record showed the whole hour.
    pub sight: Sight,
    /// What those may have touched that were open at any time.
    pub touched: Touched,
    /// The record that said last that something is open.
    pub raised_at: Version,
    /// When it came, on our clock.
    pub raised_ms: Millis,
    /// The record by which a sweep closed it.
    pub swept_at: Version,
}

/// Whether the record showed an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sight {
    /// All of it.
    #[default]
    Seen,
    /// Not all of it.
    Unseen,
    /// Not all of it, and a sweep made up for that.
    Swept,
}

/// Up to when a sweep, or an answer to a wish, has asked about everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Everything was asked at or after this moment on our clock.
    Since(Millis),
    /// Everything was asked when this was folded, or later.
    After(Version),
}

impl Hour {
    /// So many are open.
    pub fn open(&self) -> u32 {
        self.missed.saturating_sub(self.swept)
    }

    /// Whether something may be wrong because of it.
    pub fn is_open(&self) -> bool {
        self.open() > 0 || self.sight == Sight::Unseen
    }

    fn read(&mut self, reading: &HourReading, stamp: &Stamp) {
        self.sent = reading.sent;
        self.held = reading.held;
        self.repaired = reading.repaired;
        self.missed = reading.open;
        // What a sweep had made up for may have come after all.
        self.swept = self.swept.min(self.missed);
        if reading.is_unseen && self.sight == Sight::Seen {
            self.sight = Sight::Unseen;
        }
        self.touched.join(&reading.touched);
        if self.is_open() {
            (self.raised_at, self.raised_ms) = (stamp.version, stamp.received_at);
        }
    }

    /// Closes it, if everything was asked since it was opened.
    fn sweep(&mut self, asked: Asked, version: Version) -> bool {
        let is_asked = match asked {
            Asked::Since(at) => at >= self.raised_ms,
            Asked::After(asked_at) => asked_at >= self.raised_at,
        };
        if !is_asked || !self.is_open() {
            return false;
        }
        self.swept = self.missed;
        if self.sight == Sight::Unseen {
            self.sight = Sight::Swept;
        }
        self.swept_at = version;
        true
    }
}

impl Hook {
    /// Folds what a look found; returns what is shown otherwise because of it.
    pub fn read(&mut self, reading: &HookReading, stamp: &Stamp) -> Touched {
        self.repo = reading.repo;
        self.looked_ms = self.looked_ms.max(reading.looked_ms);
        let mut changed = Touched::default();
        for told in &reading.hours {
            let hour = self.hours.entry(told.hour).or_default();
            let before = (hour.is_open(), hour.raised_ms, hour.touched.clone());
            hour.read(told, stamp);
            if before != (hour.is_open(), hour.raised_ms, hour.touched.clone()) {
                changed.join(&hour.touched);
            }
        }
        self.forget();
        changed
    }

    /// Everything was asked; returns what is shown otherwise because of it.
    pub fn sweep(&mut self, asked: Asked, version: Version) -> Option<Touched> {
        let mut closed: Option<Touched> = None;
        for hour in self.hours.values_mut() {
            if hour.sweep(asked, version) {
                closed.get_or_insert_default().join(&hour.touched);
            }
        }
        closed
    }

    /// What the record of this version touched when it was folded first.
    pub fn touched_by(&self, reading: Option<&HookReading>, version: Version) -> Touched {
        let mut touched = Touched::default();
        for hour in self.hours.values().filter(|hour| hour.swept_at == version) {
            touched.join(&hour.touched);
        }
        for told in reading.iter().flat_map(|reading| &reading.hours) {
            if let Some(hour) = self.hours.get(&told.hour) {
                touched.join(&hour.touched);
            }
        }
        touched
    }

    /// Hours in which something is open.
    pub fn open_hours(&self) -> impl Iterator<Item = (Second, &Hour)> {
        self.hours.iter().filter(|(_, hour)| hour.is_open()).map(|(at, hour)| (*at, hour))
    }

    fn forget(&mut self) {
        let Some((newest, _)) = self.hours.last_key_value() else { return };
        let oldest = Second(newest.0 - REMEMBERED_S);
        self.hours.retain(|at, hour| *at > oldest || hour.is_open());
        while self.hours.len() > HOURS_MAX {
            self.hours.pop_first();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Told, version::Epoch};

    const HOUR: i64 = 3_600;

    fn stamp(offset: u64) -> Stamp {
        Stamp {
            version: Version::new(Epoch::FIRST, offset),
            received_at: Millis(i64::try_from(offset).unwrap() * 10),
            told: Told::Delivery,
        }
    }

    fn told(hour: i64, held: u32, repaired: u32, open: u32) -> HourReading {
        let mut touched = Touched::default();
        if repaired + open > 0 {
            touched.add(Some(RepoId::github(7)));
        }
        let hour = Second(hour * HOUR);
        HourReading { hour, sent: held + repaired + open, held, repaired, open, is_unseen: false, touched }
    }

    fn reading(hours: Vec<HourReading>) -> HookReading {
        HookReading { hook: 1, repo: None, looked_ms: Millis(0), hours }
    }

    fn open(hook: &Hook) -> Vec<(i64, u32)> {
        hook.open_hours().map(|(at, hour)| (at.0 / HOUR, hour.open())).collect()
    }

    #[test]
    fn an_hour_is_closed_by_what_comes_after_all() {
        let mut hook = Hook::default();
        let changed = hook.read(&reading(vec![told(5, 3, 0, 0)]), &stamp(1));
        assert!(changed.is_nothing() && open(&hook).is_empty());
        let changed = hook.read(&reading(vec![told(5, 3, 0, 2)]), &stamp(2));
        assert_eq!((changed.repos.len(), open(&hook)), (1, vec![(5, 2)]));
        let changed = hook.read(&reading(vec![told(5, 3, 2, 0)]), &stamp(3));
        assert_eq!((changed.repos.len(), open(&hook)), (1, vec![]));
        assert_eq!(hook.hours[&Second(5 * HOUR)].repaired, 2);
    }

    #[test]
    fn what_cannot_be_had_stays_open_until_a_sweep_that_began_later() {
        let mut hook = Hook::default();
        hook.read(&reading(vec![told(5, 1, 0, 2)]), &stamp(2));
        assert_eq!(hook.sweep(Asked::Since(Millis(19)), stamp(3).version), None);
        assert_eq!(hook.sweep(Asked::After(stamp(1).version), stamp(3).version), None);
        let closed = hook.sweep(Asked::Since(Millis(20)), stamp(4).version).unwrap();
        assert_eq!((closed.repos.len(), open(&hook)), (1, vec![]));
        // The same is told again, then one more, then one of them comes.
        hook.read(&reading(vec![told(5, 9, 0, 2)]), &stamp(5));
        assert_eq!(open(&hook), []);
        hook.read(&reading(vec![told(5, 9, 0, 3)]), &stamp(6));
        assert_eq!(open(&hook), [(5, 1)]);
        hook.read(&reading(vec![told(5, 9, 2, 1)]), &stamp(7));
        assert_eq!(open(&hook), []);
        assert!(hook.sweep(Asked::After(stamp(9).version), stamp(9).version).is_none());
    }

    #[test]
    fn an_hour_that_nobody_can_see_is_open_until_it_is_swept_and_not_again() {
        let mut hook = Hook::default();
        let unseen = HourReading { is_unseen: true, touched: Touched::anything(), ..told(5, 0, 0, 0) };
        hook.read(&reading(vec![unseen.clone()]), &stamp(2));
        assert_eq!(open(&hook), [(5, 0)]);
        hook.sweep(Asked::After(stamp(2).version), stamp(3).version).unwrap();
        hook.read(&reading(vec![unseen]), &stamp(4));
        assert_eq!(open(&hook), []);
    }

    #[test]
    fn a_record_that_is_folded_already_touches_what_it_touched() {
        let mut hook = Hook::default();
        let gap = reading(vec![told(5, 1, 0, 2)]);
        hook.read(&gap, &stamp(2));
        hook.sweep(Asked::Since(Millis(20)), stamp(4).version);
        assert_eq!(hook.touched_by(Some(&reading(vec![told(5, 1, 2, 0)])), stamp(3).version).repos.len(), 1);
        assert_eq!(hook.touched_by(None, stamp(4).version).repos.len(), 1);
        assert!(hook.touched_by(None, stamp(5).version).is_nothing());
    }

    #[test]
    fn thirty_days_are_remembered_and_what_is_open_for_longer() {
        let mut hook = Hook::default();
        for hour in 0..2_000 {
            let open = u32::from(hour == 3);
            hook.read(&reading(vec![told(hour, 1, 0, open)]), &stamp(1));
        }
        assert_eq!((hook.hours.len(), open(&hook)), (30 * 24 + 1, vec![(3, 1)]));
        for hour in 0..2_000 {
            hook.read(&reading(vec![told(hour, 0, 0, 1)]), &stamp(2));
        }
        assert_eq!(hook.hours.len(), HOURS_MAX);
    }
}
