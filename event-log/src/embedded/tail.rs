//! The newest records, kept ready in memory: whoever follows the log reads them from here, without the disk
//! and without inflating what was just compressed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::limit::Allowance;
use crate::record::Record;

/// The newest records of all partitions, bounded by their size together.
pub(super) struct Tail {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

struct Kept {
    partitions: Vec<Newest>,
    /// The partition of each kept record, oldest first: the order of forgetting.
    order: VecDeque<usize>,
    bytes: usize,
}

struct Newest {
    /// The offset after the newest.
    end: u64,
    /// Ends at `end`, without gaps.
    records: VecDeque<Arc<Record>>,
}

impl Newest {
    fn start(&self) -> u64 {
        self.end - self.records.len() as u64
    }
}

impl Tail {
    /// `ends` are the partitions' ends in the file, of which nothing is kept yet.
    pub(super) fn new(ends: &[u64], bytes_max: usize) -> Self {
        let partitions = ends.iter().map(|&end| Newest { end, records: VecDeque::new() }).collect();
        Tail { bytes_max, kept: Mutex::new(Kept { partitions, order: VecDeque::new(), bytes: 0 }) }
    }

    /// Adds records that have just become durable, each the next one of its partition, and forgets the
    /// oldest above the bound.
    pub(super) fn extend(&self, records: impl Iterator<Item = (u32, Arc<Record>)>) {
        let mut kept = self.kept();
        for (partition, record) in records {
            kept.bytes += record.weight();
            kept.order.push_back(partition as usize);
            let newest = &mut kept.partitions[partition as usize];
            newest.end += 1;
            newest.records.push_back(record);
        }
        while kept.bytes > self.bytes_max {
            let Some(partition) = kept.order.pop_front() else { break };
            if let Some(forgotten) = kept.partitions[partition].records.pop_front() {
                kept.bytes -= forgotten.weight();
            }
        }
    }

    /// The records of a partition in `from..end`, as many as are allowed; `None` when they do not all lie
    /// in memory, so that the file must be read.
    pub(super) fn read(
        &self,
        partition: u32,
        from: u64,
        end: u64,
        allowance: &mut Allowance,
    ) -> Option<Vec<Arc<Record>>> {
        if from >= end {
            return Some(Vec::new());
        }
        let kept = self.kept();
        let newest = kept.partitions.get(partition as usize)?;
        let skip = usize::try_from(from.checked_sub(newest.start())?).ok()?;
        let take = usize::try_from(end - from).unwrap_or(usize::MAX);
        let wanted = newest.records.iter().skip(skip).take(take);
        Some(wanted.take_while(|record| allowance.admit(record.body.len())).cloned().collect())
    }

    /// Puts another record in the place of one that is kept.
    pub(super) fn replace(&self, partition: u32, offset: u64, record: Arc<Record>) {
        let mut kept = self.kept();
        let Some(newest) = kept.partitions.get_mut(partition as usize) else { return };
        let place = offset.checked_sub(newest.start()).and_then(|place| usize::try_from(place).ok());
        let Some(slot) = place.and_then(|place| newest.records.get_mut(place)) else { return };
        let now = record.weight();
        let before = std::mem::replace(slot, record).weight();
        kept.bytes = kept.bytes + now - before;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the tail")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{Millis, StreamKey};

    use super::*;
    use crate::port::Limit;

    fn record(id: u64, body_bytes: usize) -> Arc<Record> {
        Arc::new(Record {
            stream: StreamKey::Service,
            id: id.to_string(),
            dedupe: None,
            kind: String::new(),
            received_at: Millis(0),
            headers: Vec::new(),
            body: Bytes::from(vec![0; body_bytes]),
        })
    }

    fn ids(tail: &Tail, partition: u32, from: u64, end: u64) -> Option<Vec<String>> {
        let mut allowance = Allowance::new(Limit { records_max: 100, bytes_max: usize::MAX });
        let records = tail.read(partition, from, end, &mut allowance)?;
        Some(records.iter().map(|record| record.id.clone()).collect())
    }

    #[test]
    fn only_the_newest_stay_and_older_ones_send_the_reader_to_the_file() {
        let tail = Tail::new(&[7, 0], 2500);
        tail.extend([(0, record(7, 900)), (1, record(0, 900)), (0, record(8, 900))].into_iter());
        assert_eq!(ids(&tail, 0, 7, 9), None, "the oldest is forgotten");
        assert_eq!(ids(&tail, 0, 8, 9), Some(vec!["8".to_owned()]));
        assert_eq!(ids(&tail, 1, 0, 1), Some(vec!["0".to_owned()]));
        assert_eq!(ids(&tail, 0, 9, 9), Some(Vec::new()), "nothing is asked for");
        assert_eq!(ids(&tail, 0, 3, 9), None);
    }

    #[test]
    fn a_record_over_the_bound_is_not_kept_and_leaves_no_gap() {
        let tail = Tail::new(&[0], 1000);
        tail.extend([(0, record(0, 5000))].into_iter());
        assert_eq!(ids(&tail, 0, 0, 1), None);
        tail.extend([(0, record(1, 1))].into_iter());
        assert_eq!(ids(&tail, 0, 1, 2), Some(vec!["1".to_owned()]));
    }

    #[test]
    fn the_end_asked_for_is_not_overstepped() {
        let tail = Tail::new(&[0], 1 << 20);
        tail.extend((0..5).map(|id| (0, record(id, 1))));
        assert_eq!(ids(&tail, 0, 1, 3), Some(vec!["1".to_owned(), "2".to_owned()]));
    }
}
