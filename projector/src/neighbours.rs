//! When large neighbours (S3) are rendered: in slices with pauses, so that other accounts have their turn, and the less
//! often the longer they take.

use std::{collections::BTreeMap, time::Duration};

use domain::{AccountId, Version};
use event_log::Partition;
use tokio::time::Instant;

/// Large neighbours rest for so many times as long as rendering them took (design §6).
const REST: u32 = 50;
/// But not for longer: until then the log is not committed past what they lack, and a crash folds it again.
const REST_MAX: Duration = Duration::from_secs(60);
/// After a slice others have this many times as long as it took.
const PAUSE: u32 = 3;

/// Accounts whose large neighbours wait, or are being rendered.
#[derive(Default)]
pub(crate) struct LargeNeighbours {
    waiting: BTreeMap<AccountId, Waiting>,
    /// When those of an account were rendered last, and how long that took.
    rendered: BTreeMap<AccountId, (Instant, Duration)>,
}

struct Waiting {
    partition: Partition,
    /// The first offset that they do not show.
    since: u64,
    due: Instant,
    /// How long the slices took so far.
    took: Duration,
    /// How far the partition was folded when the first slice began.
    begun: Option<Folded>,
}

/// How far a partition is folded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded {
    /// The offset to fold next.
    pub(crate) next: u64,
    /// The last record.
    pub(crate) version: Version,
}

impl LargeNeighbours {
    /// An account has large neighbours to render, which do not show what was folded from this offset on.
    pub(crate) fn wait(&mut self, account: AccountId, partition: Partition, since: u64, now: Instant) {
        let due = self.rested_at(account).map_or(now, |rested| rested.max(now));
        let waiting = Waiting { partition, since, due, took: Duration::ZERO, begun: None };
        self.waiting.entry(account).or_insert(waiting);
    }

    /// When to look again.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    /// The account whose slice has been due for longest, with its partition.
    pub(crate) fn due(&self, now: Instant) -> Option<(AccountId, Partition)> {
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.due <= now);
        due.min_by_key(|(_, waiting)| waiting.due).map(|(account, waiting)| (*account, waiting.partition))
    }

    /// A slice of an account is rendered next; its partition is folded so far.
    pub(crate) fn begin(&mut self, account: AccountId, folded: Folded) {
        if let Some(waiting) = self.waiting.get_mut(&account) {
            waiting.begun.get_or_insert(folded);
        }
    }

    /// A slice was rendered; what is left to render was first touched by the record at `unwritten_since`.
    pub(crate) fn rendered(
        &mut self,
        account: AccountId,
        took: Duration,
        unwritten_since: Option<Version>,
        now: Instant,
    ) {
        let Some(waiting) = self.waiting.get_mut(&account) else { return };
        waiting.took += took;
        waiting.due = now + took * PAUSE;
        let Some(begun) = waiting.begun else { return };
        if unwritten_since.is_some_and(|since| since <= begun.version) {
            return;
        }
        // All that was folded when the first slice began is shown.
        self.rendered.insert(account, (now, waiting.took));
        let partition = waiting.partition;
        self.waiting.remove(&account);
        if unwritten_since.is_some() {
            self.wait(account, partition, begun.next, now);
        }
    }

    /// The account has nothing left to render.
    pub(crate) fn end(&mut self, account: AccountId) {
        self.waiting.remove(&account);
    }

    /// Everything of these partitions is due at once.
    pub(crate) fn hurry(&mut self, now: Instant, is_leaving: impl Fn(Partition) -> bool) {
        for waiting in self.waiting.values_mut().filter(|waiting| is_leaving(waiting.partition)) {
            waiting.due = now;
        }
    }

    /// The first offset of a partition that must not be committed yet.
    pub(crate) fn held(&self, partition: Partition) -> Option<u64> {
        let of_partition = self.waiting.values().filter(|waiting| waiting.partition == partition);
        of_partition.map(|waiting| waiting.since).min()
    }

    /// Forgets accounts.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(AccountId) -> bool) {
        self.waiting.retain(|account, _| !is_gone(*account));
        self.rendered.retain(|account, _| !is_gone(*account));
    }

    fn rested_at(&self, account: AccountId) -> Option<Instant> {
        let (at, took) = self.rendered.get(&account)?;
        Some(*at + (*took * REST).min(REST_MAX))
    }
}

#[cfg(test)]
mod tests {
    use domain::Epoch;

    use super::*;

    const PARTITION: Partition = Partition(1);

    fn folded(next: u64) -> Folded {
        Folded { next, version: Version::new(Epoch::FIRST, next - 1) }
    }

    fn since(offset: u64) -> Option<Version> {
        Some(Version::new(Epoch::FIRST, offset))
    }

    #[test]
    fn others_have_their_turn_between_slices_and_the_commit_waits_for_the_last() {
        let mut large = LargeNeighbours::default();
        let (account, begun) = (AccountId::github(1), Instant::now());
        let second = Duration::from_secs(1);
        large.wait(account, PARTITION, 5, begun);
        assert_eq!(large.due(begun), Some((account, PARTITION)));
        large.begin(account, folded(9));
        large.rendered(account, second, since(5), begun + second);
        assert_eq!(large.due(begun + 2 * second), None, "others have their turn");
        assert_eq!(large.next_at(), Some(begun + 4 * second));
        assert_eq!(large.held(PARTITION), Some(5));
        assert_eq!(large.held(Partition(2)), None);

        // Something was folded meanwhile: it waits until they have rested.
        large.begin(account, folded(20));
        large.rendered(account, second, since(12), begun + 5 * second);
        assert_eq!(large.held(PARTITION), Some(9), "what was folded before they began is shown");
        assert_eq!(large.next_at(), Some(begun + 5 * second + REST_MAX));

        large.hurry(begun, |partition| partition == PARTITION);
        large.begin(account, folded(20));
        large.rendered(account, second, None, begun + 9 * second);
        assert_eq!((large.held(PARTITION), large.next_at()), (None, None));
    }

    #[test]
    fn what_is_quickly_rendered_rests_shortly() {
        let mut large = LargeNeighbours::default();
        let (account, now) = (AccountId::github(1), Instant::now());
        large.wait(account, PARTITION, 5, now);
        large.begin(account, folded(6));
        large.rendered(account, Duration::from_millis(4), None, now);
        large.wait(account, PARTITION, 7, now);
        assert_eq!(large.next_at(), Some(now + Duration::from_millis(200)));
        large.forget(|gone| gone == account);
        assert_eq!(large.held(PARTITION), None);
    }
}
