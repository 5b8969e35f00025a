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
    /// Nothing more is committed.
    pub(super) has_left: bool,
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
    No,
    Yes,
    /// The caller came back: it has flushed, committed and forgotten.
    Acknowledged,
}

impl Places {
    /// What the caller hears next, if there is anything. To ask again lets go what was revoked before.
    pub(super) fn next(&mut self, limit: Limit) -> Option<Result<Next, LogError>> {
        if let Some(leaving) = &mut self.leaving
            && leaving.told == Told::Yes
        {
            leaving.told = Told::Acknowledged;
        }
        if let Some(reason) = &self.stopped {
            return Some(Err(LogError::Stop(reason.clone())));
        }
        if let Some(change) = self.changes.pop_front() {
            if let (Next::Revoked(_), Some(leaving)) = (&change, &mut self.leaving) {
                leaving.told = Told::Yes;
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
        self.leaving = Some(Leaving { partitions, told: Told::No });
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
        if leaving.told == Told::No {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{Millis, StreamKey};

    use super::*;

    const ALL: Limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };

    fn at(partition: u32, offset: u64) -> Position {
        Position { partition: Partition(partition), offset }
    }

    fn fetched(places: &mut Places, positions: &[Position]) -> bool {
        let record = Record {
            stream: StreamKey::Service,
            id: String::new(),
            dedupe: None,
            kind: String::new(),
            received_at: Millis(0),
            headers: Vec::new(),
            body: Bytes::from_static(b"12345"),
        };
        let mut records = positions.iter().map(|position| (*position, record.clone())).collect();
        places.fetched(&mut records)
    }

    fn assigned(partitions: &[u32]) -> Places {
        let mut places = Places::default();
        let given = partitions.iter().map(|p| Assignment { partition: Partition(*p), committed: None });
        places.assign(given.collect());
        assert!(matches!(places.next(ALL), Some(Ok(Next::Assigned(_)))));
        for partition in partitions {
            places.seek(at(*partition, 0)).unwrap();
        }
        places.take_seeks();
        places
    }

    fn delivered(places: &mut Places) -> Vec<Position> {
        match places.next(ALL) {
            Some(Ok(Next::Records(records))) => records.into_iter().map(|(position, _)| position).collect(),
            None => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn commit(places: &mut Places, position: Position) -> Option<BTreeMap<Partition, u64>> {
        places.commit(&[position], Wait::No).unwrap();
        let sent = places.offsets.send();
        places.offsets.settle(&super::super::offsets::Outcome::Made);
        sent
    }

    #[test]
    fn what_was_fetched_before_a_seek_is_dropped_until_fetching_begins_anew() {
        let mut places = assigned(&[0]);
        fetched(&mut places, &[at(0, 0), at(0, 1)]);
        places.seek(at(0, 7)).unwrap();
        assert!(!fetched(&mut places, &[at(0, 2)]), "it was fetched for another place");
        assert_eq!(places.take_seeks(), BTreeMap::from([(Partition(0), 7)]));
        fetched(&mut places, &[at(0, 6), at(0, 7), at(0, 7)]);
        assert_eq!(delivered(&mut places), [at(0, 7)]);
    }

    #[test]
    fn what_is_revoked_delivers_nothing_counts_commits_and_goes_with_the_next_call() {
        let mut places = assigned(&[0, 1]);
        fetched(&mut places, &[at(0, 0), at(1, 0)]);
        assert_eq!(delivered(&mut places).len(), 2);
        fetched(&mut places, &[at(0, 1), at(1, 1)]);
        places.revoke(vec![Partition(0)]);
        assert!(places.let_go().is_none(), "its owner was not told");
        assert!(matches!(places.next(ALL), Some(Ok(Next::Revoked(_)))));
        assert!(places.let_go().is_none(), "its owner is flushing");
        fetched(&mut places, &[at(0, 2)]);
        places.commit(&[at(0, 1)], Wait::No).unwrap();
        assert_eq!(delivered(&mut places), [at(1, 1)]);
        assert!(places.let_go().is_none(), "a commit is on its way");
        assert_eq!(places.offsets.send(), Some(BTreeMap::from([(Partition(0), 1)])));
        places.offsets.settle(&super::super::offsets::Outcome::Made);
        assert_eq!(places.let_go(), Some(vec![Partition(0)]));
        assert_eq!(commit(&mut places, at(0, 1)), None, "it is somebody else's");
    }

    #[test]
    fn no_fetching_begins_while_partitions_leave() {
        let mut places = assigned(&[0, 1]);
        places.revoke(vec![Partition(0)]);
        places.seek(at(1, 5)).unwrap();
        assert!(places.take_seeks().is_empty());
        places.next(ALL);
        places.next(ALL);
        assert_eq!(places.let_go(), Some(vec![Partition(0)]));
        assert_eq!(places.take_seeks(), BTreeMap::from([(Partition(1), 5)]));
    }

    #[test]
    fn a_revocation_that_nobody_was_told_of_yet_becomes_a_loss() {
        let mut places = assigned(&[0]);
        places.revoke(vec![Partition(0)]);
        assert_eq!(places.lose_leaving(), [Partition(0)]);
        assert!(matches!(places.next(ALL), Some(Ok(Next::Lost(_)))));
        assert!(places.next(ALL).is_none());
    }

    #[test]
    fn commits_go_forward_except_after_a_seek_back_and_never_beyond_what_was_delivered() {
        let mut places = assigned(&[0]);
        fetched(&mut places, &[at(0, 0), at(0, 1), at(0, 2)]);
        delivered(&mut places);
        assert!(commit(&mut places, at(0, 2)).is_some());
        assert!(commit(&mut places, at(0, 1)).is_none(), "it went back");
        assert!(matches!(places.commit(&[at(0, 4)], Wait::No), Err(LogError::Stop(_))));
        assert!(matches!(places.commit(&[at(9, 0)], Wait::No), Err(LogError::Stop(_))));
        places.seek(at(0, 0)).unwrap();
        assert!(matches!(places.commit(&[at(0, 1)], Wait::No), Err(LogError::Stop(_))), "not delivered anew");
        assert!(commit(&mut places, at(0, 0)).is_some());
    }

    #[test]
    fn it_is_full_by_count_and_has_room_again_once_records_are_taken() {
        let mut places = assigned(&[0]);
        let positions: Vec<Position> = (0..WAITING_RECORDS_MAX as u64).map(|offset| at(0, offset)).collect();
        fetched(&mut places, &positions);
        assert!(places.is_full() && !places.is_half_empty());
        assert_eq!(delivered(&mut places).len(), WAITING_RECORDS_MAX);
        assert!(!places.is_full() && places.is_half_empty());
    }
}
