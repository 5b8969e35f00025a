//! What a member holds: its partitions, what waits to be delivered, and what was said and not done yet.
//!
//! Both sides of a subscription work on it under one lock: the caller's, which takes and asks, and the thread's,
//! which fetches and joins. No Kafka here, so every rule of [`Subscription`](crate::Subscription) can be read (and
//! tested) alone.

use std::collections::{BTreeMap, VecDeque};

use super::offsets::Offsets;
use crate::{
    limit::Allowance,
    port::{Assignment, Limit, LogError, Next, Partition, Position, Wait},
    record::Record,
};

/// Records that wait to be taken; beyond it nothing more is taken from the client. A batch of the projector is
/// smaller, so that one is ready while another is folded.
const WAITING_RECORDS_MAX: usize = 8_192;
/// The same in bytes of bodies; one more record than fits may be there.
const WAITING_BYTES_MAX: usize = 24 << 20;

/// What a member holds.
#[derive(Default)]
pub(super) struct Places {
    places: BTreeMap<Partition, Place>,
    /// What changed hands and was not told yet.
    changes: VecDeque<Next>,
    records: VecDeque<(Position, Record)>,
    waiting_bytes: usize,
    /// Where fetching is to start, not begun yet.
    seeks: BTreeMap<Partition, u64>,
    /// Partitions that go, once the caller lets them.
    leaving: Option<Leaving>,
    pub(super) offsets: Offsets,
    stopped: Option<String>,
    pub(super) is_closing: bool,
}

/// A partition that was given out at least once.
struct Place {
    held: Held,
    /// The offset that is delivered next; `None` until `seek` has said from where.
    next: Option<u64>,
    /// The offset that is fetched next.
    fetched: u64,
    /// Commits below it are out of date and ignored: the last commit, or where the last seek went.
    floor: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Ours,
    /// Revoked and not let go yet: commits count, nothing is delivered.
    Leaving,
    Gone,
}

struct Leaving {
    partitions: Vec<Partition>,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    NotYet,
    Told,
    /// The caller came back: it has flushed, committed and forgotten.
    Acknowledged,
}

impl Places {
    /// What the caller hears next, if there is anything. To ask again lets go what was revoked before.
    pub(super) fn next(&mut self, limit: Limit) -> Option<Result<Next, LogError>> {
        if let Some(leaving) = &mut self.leaving
            && leaving.told == Told::Told
        {
            leaving.told = Told::Acknowledged;
        }
        if let Some(reason) = &self.stopped {
            return Some(Err(LogError::Stop(reason.clone())));
        }
        if let Some(change) = self.changes.pop_front() {
            if let (Next::Revoked(_), Some(leaving)) = (&change, &mut self.leaving) {
                leaving.told = Told::Told;
            }
            return Some(Ok(change));
        }
        let records = self.take(limit);
        (!records.is_empty()).then_some(Ok(Next::Records(records)))
    }

    fn take(&mut self, limit: Limit) -> Vec<(Position, Record)> {
        let mut allowance = Allowance::new(limit);
        let fitting =
            self.records.iter().take_while(|(_, record)| allowance.admit(record.body.len())).count();
        let records: Vec<_> = self.records.drain(..fitting).collect();
        for (position, record) in &records {
            self.waiting_bytes -= record.body.len();
            if let Some(place) = self.places.get_mut(&position.partition) {
                place.next = Some(position.offset + 1);
            }
        }
        records
    }

    /// Says from where a partition is to be delivered.
    pub(super) fn seek(&mut self, from: Position) -> Result<(), LogError> {
        self.check_running()?;
        let Some(place) = self.places.get_mut(&from.partition) else {
            return Err(LogError::Stop(format!("{from} was sought before that partition was given out")));
        };
        // It went meanwhile, as the caller is about to hear.
        if place.held != Held::Ours {
            return Ok(());
        }
        place.next = Some(from.offset);
        place.floor = from.offset;
        self.seeks.insert(from.partition, from.offset);
        self.purge(&[from.partition]);
        Ok(())
    }

    /// Takes the offsets that are ours to commit and go forward. Returns what to wait for.
    pub(super) fn commit(
        &mut self,
        next_offsets: &[Position],
        wait: Wait,
    ) -> Result<Option<super::offsets::Confirmation>, LogError> {
        self.check_running()?;
        let mut accepted = BTreeMap::new();
        for position in next_offsets {
            let Some(place) = self.places.get_mut(&position.partition) else {
                return Err(LogError::Stop(format!(
                    "{position} was committed without having been given that partition"
                )));
            };
            // Another member commits there now, and from where this one had committed.
            if place.held == Held::Gone {
                continue;
            }
            match place.next {
                Some(next) if position.offset <= next => {}
                next => {
                    return Err(LogError::Stop(format!(
                        "{position} was committed, but records were delivered only up to {}",
                        next.unwrap_or(0)
                    )));
                }
            }
            if position.offset >= place.floor {
                place.floor = position.offset;
                accepted.insert(position.partition, position.offset);
            }
        }
        Ok(self.offsets.add(accepted, wait))
    }

    /// What the group gave, and where it stands in each.
    pub(super) fn assign(&mut self, assignments: Vec<Assignment>) {
        for assignment in &assignments {
            let place = Place { held: Held::Ours, next: None, fetched: 0, floor: 0 };
            self.places.insert(assignment.partition, place);
        }
        if !assignments.is_empty() {
            self.changes.push_back(Next::Assigned(assignments));
        }
    }

    /// The group wants these back: nothing more of them is delivered, and the caller is told.
    pub(super) fn revoke(&mut self, partitions: Vec<Partition>) {
        self.hold(&partitions, Held::Leaving);
        self.changes.push_back(Next::Revoked(partitions.clone()));
        self.leaving = Some(Leaving { partitions, told: Told::NotYet });
    }

    /// These are somebody else's already: their commits are not ours to make any more.
    pub(super) fn lose(&mut self, partitions: Vec<Partition>) {
        self.hold(&partitions, Held::Gone);
        self.offsets.forget(&partitions);
        if !partitions.is_empty() {
            self.changes.push_back(Next::Lost(partitions));
        }
    }

    /// What was revoked is lost instead, because the caller did not let it go in time.
    pub(super) fn lose_leaving(&mut self) -> Vec<Partition> {
        let Some(leaving) = self.leaving.take() else { return Vec::new() };
        if leaving.told == Told::NotYet {
            self.changes.retain(|change| !matches!(change, Next::Revoked(_)));
        }
        self.lose(leaving.partitions.clone());
        leaving.partitions
    }

    /// What the caller has let go, once its commits are made.
    pub(super) fn let_go(&mut self) -> Option<Vec<Partition>> {
        let is_due = self.leaving.as_ref().is_some_and(|leaving| leaving.told == Told::Acknowledged);
        if !is_due || !self.offsets.is_idle() {
            return None;
        }
        let leaving = self.leaving.take()?;
        self.hold(&leaving.partitions, Held::Gone);
        Some(leaving.partitions)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Where fetching is to start now. Nothing while partitions leave: starting would count as letting them go.
    pub(super) fn take_seeks(&mut self) -> BTreeMap<Partition, u64> {
        if self.is_leaving() {
            return BTreeMap::new();
        }
        let seeks = std::mem::take(&mut self.seeks);
        for (partition, offset) in &seeks {
            if let Some(place) = self.places.get_mut(partition) {
                place.fetched = *offset;
            }
        }
        seeks
    }

    /// Takes in what was fetched, except what was revoked or sought away meanwhile. Returns whether the caller
    /// has something to take now.
    pub(super) fn fetched(&mut self, records: &mut Vec<(Position, Record)>) -> bool {
        for (position, record) in records.drain(..) {
            let Some(place) = self.places.get_mut(&position.partition) else { continue };
            let is_due = place.held == Held::Ours
                && !self.seeks.contains_key(&position.partition)
                && position.offset >= place.fetched;
            if is_due {
                place.fetched = position.offset + 1;
                self.waiting_bytes += record.body.len();
                self.records.push_back((position, record));
            }
        }
        !self.records.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= WAITING_RECORDS_MAX || self.waiting_bytes >= WAITING_BYTES_MAX
    }

    /// Whether so little waits that fetching is worth starting again.
    pub(super) fn is_half_empty(&self) -> bool {
        self.records.len() < WAITING_RECORDS_MAX / 2 && self.waiting_bytes < WAITING_BYTES_MAX / 2
    }

    /// Ends the subscription; what waits is not delivered.
    pub(super) fn stop(&mut self, reason: String) {
        self.offsets.fail(&reason);
        self.stopped.get_or_insert(reason);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    fn hold(&mut self, partitions: &[Partition], held: Held) {
        for partition in partitions {
            self.seeks.remove(partition);
            if let Some(place) = self.places.get_mut(partition) {
                place.held = held;
            }
        }
        self.purge(partitions);
    }

    fn purge(&mut self, partitions: &[Partition]) {
        self.records.retain(|(position, _)| !partitions.contains(&position.partition));
        self.waiting_bytes = self.records.iter().map(|(_, record)| record.body.len()).sum();
    }

    fn check_running(&self) -> Result<(), LogError> {
        self.stopped.as_ref().map_or(Ok(()), |reason| Err(LogError::Stop(reason.clone())))
    }
}
