//! The accounts that are being folded, in memory, bounded in bytes.

use std::collections::{BTreeMap, HashMap};

use domain::{AccountId, Ledger, codec::DecodeError, ledger::Loading};
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;
use view_store::{StoreError, ViewStore};

use crate::{Stopped, retry::until_done};

/// A ledger from this on is large: to read it again takes a second of the processor and more, for which the account's
/// readers wait.
const LARGE_BYTES: usize = 64 << 20;
/// Large ledgers are bounded by themselves, so that neither their neighbours in time nor they push the others out. The
/// stars of one repository with 40 000 stargazers take some 550 MB.
const LARGE_BYTES_MAX: usize = 640 << 20;

/// Ledgers by account; the one used longest ago is forgotten first.
pub(crate) struct WorkingSet {
    ledgers: HashMap<AccountId, Entry, foldhash::fast::RandomState>,
    by_use: BTreeMap<u64, AccountId>,
    clock: u64,
    bytes: usize,
    bytes_max: usize,
    /// Of large ledgers.
    large_bytes: usize,
}

struct Entry {
    ledger: Ledger,
    used: u64,
    bytes: usize,
}

impl WorkingSet {
    pub(crate) fn new(bytes_max: usize) -> Self {
        WorkingSet {
            ledgers: HashMap::default(),
            by_use: BTreeMap::new(),
            clock: 0,
            bytes: 0,
            bytes_max,
            large_bytes: 0,
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
        if bytes < LARGE_BYTES { &mut self.bytes } else { &mut self.large_bytes }
    }

    /// Forgets ledgers that have nothing to write, those used longest ago first, down to the bounds.
    pub(crate) fn shrink(&mut self) {
        let mut after = 0;
        while self.bytes > self.bytes_max || self.large_bytes > LARGE_BYTES_MAX {
            let Some((&used, &account)) = self.by_use.range(after..).next() else { return };
            after = used + 1;
            let Some(entry) = self.ledgers.get(&account) else { continue };
            let is_large = entry.bytes >= LARGE_BYTES;
            let is_too_much = if is_large {
                // The last of them stays, however large: whoever used it is likely to use it again.
                self.large_bytes > LARGE_BYTES_MAX && self.large_bytes > entry.bytes
            } else {
                self.bytes > self.bytes_max
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
