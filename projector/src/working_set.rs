//! The accounts that are being folded, in memory, bounded in bytes.

use std::collections::{BTreeMap, HashMap};

use domain::{AccountId, Ledger, codec::DecodeError, ledger::Loading};
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;
use view_store::{StoreError, ViewStore};

use crate::{Stopped, retry::until_done};

/// How much memory ledgers may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// All that are not large, together.
    all_bytes_max: usize,
    /// From this on a ledger is large: to read it again takes a second of the processor and more, for which the
    /// account's readers wait.
    large_bytes: usize,
    /// Large ledgers are bounded by themselves, so that neither their neighbours in time nor they push the others out.
    large_bytes_max: usize,
}

impl Bounds {
    /// As measured: the stars of one repository with 40 000 stargazers take some 550 MB.
    pub(crate) fn new(all_bytes_max: usize) -> Self {
        Bounds { all_bytes_max, large_bytes: 64 << 20, large_bytes_max: 640 << 20 }
    }
}

/// Ledgers by account; the one used longest ago is forgotten first.
pub(crate) struct WorkingSet {
    ledgers: HashMap<AccountId, Entry, foldhash::fast::RandomState>,
    by_use: BTreeMap<u64, AccountId>,
    clock: u64,
    bytes: usize,
    /// Of large ledgers.
    large_bytes: usize,
    bounds: Bounds,
}

struct Entry {
    ledger: Ledger,
    used: u64,
    bytes: usize,
}

impl WorkingSet {
    pub(crate) fn new(bounds: Bounds) -> Self {
        WorkingSet {
            ledgers: HashMap::default(),
            by_use: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            large_bytes: 0,
            bounds,
        }
    }

    /// Makes sure that an account's ledger is loaded.
    pub(crate) async fn load(
        &mut self,
        account: AccountId,
        store: &dyn ViewStore,
        shutdown: &CancellationToken,
    ) -> Result<(), Stopped> {
        if !self.has(account) {
            let ledger = read(account, store, shutdown).await?;
            self.insert(account, ledger);
        }
        Ok(())
    }

    /// Whether an account's ledger is loaded.
    pub(crate) fn has(&self, account: AccountId) -> bool {
        self.ledgers.contains_key(&account)
    }

    /// Takes in a ledger that was [`read`].
    pub(crate) fn insert(&mut self, account: AccountId, ledger: Ledger) {
        self.ledgers.insert(account, Entry { ledger, used: 0, bytes: 0 });
        self.used(account);
    }

    /// A loaded ledger.
    pub(crate) fn get(&mut self, account: AccountId) -> Option<&mut Ledger> {
        self.ledgers.get_mut(&account).map(|entry| &mut entry.ledger)
    }

    /// Notes that a ledger was used, and how large it is now.
    pub(crate) fn used(&mut self, account: AccountId) {
        self.clock += 1;
        let Some(entry) = self.ledgers.get_mut(&account) else { return };
        self.by_use.remove(&entry.used);
        entry.used = self.clock;
        self.by_use.insert(entry.used, account);
        let before = std::mem::replace(&mut entry.bytes, entry.ledger.weight());
        let now = entry.bytes;
        *self.sum_of(before) -= before;
        *self.sum_of(now) += now;
    }

    /// The sum in which a ledger of this size counts.
    fn sum_of(&mut self, bytes: usize) -> &mut usize {
        if bytes < self.bounds.large_bytes { &mut self.bytes } else { &mut self.large_bytes }
    }

    /// Forgets ledgers that have nothing to write, those used longest ago first, down to the bounds.
    pub(crate) fn shrink(&mut self) {
        let Bounds { all_bytes_max, large_bytes, large_bytes_max } = self.bounds;
        let mut after = 0;
        while self.bytes > all_bytes_max || self.large_bytes > large_bytes_max {
            let Some((&used, &account)) = self.by_use.range(after..).next() else { return };
            after = used + 1;
            let Some(entry) = self.ledgers.get(&account) else { continue };
            let is_too_much = if entry.bytes >= large_bytes {
                // The last of them stays, however large: whoever used it is likely to use it again.
                self.large_bytes > large_bytes_max && self.large_bytes > entry.bytes
            } else {
                self.bytes > all_bytes_max
            };
            if is_too_much && !entry.ledger.is_dirty() {
                self.forget(account);
            }
        }
    }

    /// Forgets a ledger whatever it has to write.
    pub(crate) fn forget(&mut self, account: AccountId) {
        if let Some(entry) = self.ledgers.remove(&account) {
            self.by_use.remove(&entry.used);
            *self.sum_of(entry.bytes) -= entry.bytes;
        }
    }

    /// Forgets the ledgers for which `is_gone` holds.
    pub(crate) fn forget_all(&mut self, is_gone: impl Fn(AccountId) -> bool) {
        let gone: Vec<AccountId> = self.ledgers.keys().copied().filter(|account| is_gone(*account)).collect();
        for account in gone {
            self.forget(account);
        }
    }
}

/// Reads an account's ledger, until that is done.
pub(crate) async fn read(
    account: AccountId,
    store: &dyn ViewStore,
    shutdown: &CancellationToken,
) -> Result<Ledger, Stopped> {
    let read = until_done("reading an account's rows", shutdown, || read_rows(account, store)).await?;
    let loading = read.map_err(|error| {
        Stopped(format!(
            "a row of account {account} cannot be read ({error}): the store was written by a newer release. \
             Start that release, or move state.redb away; it is rebuilt from the log at the next start"
        ))
    })?;
    // For a large account this takes seconds of the processor.
    let finished = tokio::task::spawn_blocking(|| loading.finish()).await;
    finished.map_err(|error| Stopped(format!("deriving what account {account} shows: {error}")))
}

/// Reads an account row by row: what a large one stores is never all in memory.
async fn read_rows(
    account: AccountId,
    store: &dyn ViewStore,
) -> Result<Result<Loading, DecodeError>, StoreError> {
    let mut loading = Loading::of(account);
    for range in Ledger::ranges(account) {
        let mut rows = store.scan(&range).await?;
        while let Some(row) = rows.try_next().await? {
            if let Err(error) = loading.take(&row) {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(loading))
}

#[cfg(test)]
mod tests {
    use domain::{Event, Millis, RepoId, Stamp, Told, event::RepositoryReading, ledger::LargeViews};

    use super::*;

    /// A ledger of so many repositories, all given out.
    fn ledger(account: u64, repositories: u64) -> (AccountId, Ledger) {
        let account = AccountId::github(account);
        let mut ledger = Loading::of(account).finish();
        let version = domain::Version::LEAST;
        let stamp = Stamp { version, received_at: Millis(1), told: Told::Delivery };
        let reading = |id| Event::Repository(Box::new(RepositoryReading::of(RepoId::github(id))));
        ledger.evolve(&stamp, &(0..repositories).map(reading).collect::<Vec<_>>());
        while ledger.drain(LargeViews::Render).has_more {}
        (account, ledger)
    }

    /// Room for two small ledgers, and for one large one.
    fn full() -> WorkingSet {
        let weight = |repositories| ledger(1, repositories).1.weight();
        let bounds = Bounds {
            all_bytes_max: 2 * weight(1),
            large_bytes: weight(50),
            large_bytes_max: weight(50) + weight(50) / 2,
        };
        let mut set = WorkingSet::new(bounds);
        for (account, repositories) in [(1, 1), (2, 50), (3, 1)] {
            let (account, ledger) = ledger(account, repositories);
            set.insert(account, ledger);
        }
        set.shrink();
        set
    }

    fn held(set: &WorkingSet) -> Vec<u64> {
        (0..10).filter(|account| set.has(AccountId::github(*account))).collect()
    }

    #[test]
    fn large_ledgers_and_others_do_not_push_each_other_out() {
        let mut set = full();
        assert_eq!(held(&set), [1, 2, 3]);
        let (account, small) = ledger(4, 1);
        set.insert(account, small);
        set.shrink();
        assert_eq!(held(&set), [2, 3, 4], "the small one that was used longest ago");

        let (account, large) = ledger(5, 50);
        set.insert(account, large);
        set.shrink();
        assert_eq!(held(&set), [3, 4, 5], "the large one that was used longest ago");
        let (account, larger) = ledger(6, 500);
        set.insert(account, larger);
        set.shrink();
        assert_eq!(held(&set), [3, 4, 6], "the last large one stays, however large");
    }

    #[test]
    fn what_is_not_written_yet_is_not_forgotten() {
        let mut set = full();
        let (account, mut changed) = ledger(7, 1);
        let version = domain::Version::new(domain::Epoch::FIRST, 9);
        let stamp = Stamp { version, received_at: Millis(1), told: Told::Delivery };
        changed.evolve(&stamp, &[Event::Repository(Box::new(RepositoryReading::of(RepoId::github(9))))]);
        assert!(changed.is_dirty());
        set.insert(account, changed);
        for newer in [8, 9] {
            let (account, ledger) = ledger(newer, 1);
            set.insert(account, ledger);
            set.shrink();
        }
        assert!(held(&set).contains(&7), "{:?}", held(&set));
    }
}
