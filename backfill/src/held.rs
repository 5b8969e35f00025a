//! Which accounts are this process's to ask about: those of the partitions that its projector holds.

use std::collections::BTreeSet;

use domain::{StreamKey, key::BUCKETS};
use event_log::EventLog;
use github::client::Part;

/// The partitions that this process holds.
#[derive(Debug)]
pub(crate) struct Held {
    partitions: BTreeSet<u32>,
    /// How many the log has.
    of: u32,
}

impl Held {
    pub(crate) fn none(log: &dyn EventLog) -> Self {
        Held { partitions: BTreeSet::new(), of: log.identity().partitions.max(1) }
    }

    /// Takes note of what is held now; whether there is anything new in it.
    pub(crate) fn become_these(&mut self, partitions: BTreeSet<u32>) -> bool {
        let gained = !partitions.is_subset(&self.partitions);
        self.partitions = partitions;
        gained
    }

    /// Whether a stream is this process's.
    pub(crate) fn has(&self, stream: StreamKey, log: &dyn EventLog) -> bool {
        self.partitions.contains(&log.partition_of(stream).0)
    }

    /// Whether rows of a bucket can be this process's: bucket and partition are remainders of one hash, which
    /// agree modulo what divides both counts.
    pub(crate) fn may_be_in(&self, bucket: u8) -> bool {
        let common = greatest_common_divisor(u32::from(BUCKETS), self.of);
        self.partitions.iter().any(|partition| partition % common == u32::from(bucket) % common)
    }

    /// This process's part of what all who ask with one token may spend in an hour.
    pub(crate) fn part(&self) -> Part {
        Part { mine: u32::try_from(self.partitions.len()).unwrap_or(u32::MAX), of: self.of }
    }

    /// This process's part of something that all of them share, at least one while it holds anything.
    pub(crate) fn share_of(&self, whole: usize) -> usize {
        (whole * self.partitions.len()).div_ceil(usize::try_from(self.of).unwrap_or(usize::MAX))
    }
}

fn greatest_common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, key::bucket_of};

    use super::*;

    fn held(partitions: &[u32], of: u32) -> Held {
        Held { partitions: partitions.iter().copied().collect(), of }
    }

    #[test]
    fn no_account_that_is_held_is_in_a_bucket_that_is_left_out() {
        for of in [1, 4, 5, 12, 32, 64, 100] {
            for partition in 0..of {
                let held = held(&[partition], of);
                let streams = (0..500).map(|id| StreamKey::Account(AccountId::github(id)));
                for stream in
                    streams.filter(|stream| stream.stable_hash() % u64::from(of) == u64::from(partition))
                {
                    assert!(held.may_be_in(bucket_of(stream)), "{stream:?} of {partition}/{of}");
                }
            }
        }
        let asked = (0..BUCKETS).filter(|bucket| held(&[3], 12).may_be_in(*bucket)).count();
        assert_eq!(asked, 16, "a quarter of the buckets holds everything of one partition of twelve");
    }

    #[test]
    fn what_is_shared_is_split_by_what_is_held() {
        assert_eq!(held(&[], 12).share_of(8), 0);
        assert_eq!(held(&[1], 12).share_of(8), 1);
        assert_eq!(held(&[1, 2, 3, 4, 5, 6], 12).share_of(8), 4);
        assert_eq!(held(&[0, 1, 2, 3], 4).share_of(8), 8);
        assert_eq!(held(&[7, 8, 9], 12).part(), Part { mine: 3, of: 12 });
    }

    #[test]
    fn only_a_new_partition_is_worth_a_look() {
        let mut held = held(&[1, 2], 4);
        assert!(!held.become_these(BTreeSet::from([2])));
        assert!(held.become_these(BTreeSet::from([1, 2])));
        assert!(!held.become_these(BTreeSet::from([1, 2])));
    }
}
