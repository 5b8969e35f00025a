//! The accounts that are being folded, in memory, bounded in bytes.

use std::collections::{BTreeMap, HashMap};

use domain::{AccountId, Ledger, Row};
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;
use view_store::{StoreError, ViewStore};

use crate::{Stopped, retry::until_done};

/// Ledgers by account; the one used longest ago is forgotten first.
pub(crate) struct WorkingSet {
    ledgers: HashMap<AccountId, Entry, foldhash::fast::RandomState>,
    by_use: BTreeMap<u64, AccountId>,
    clock: u64,
    bytes: usize,
    bytes_max: usize,
}

struct Entry {
    ledger: Ledger,
    used: u64,
    bytes: usize,
}

impl WorkingSet {
    pub(crate) fn new(bytes_max: usize) -> Self {
        WorkingSet { ledgers: HashMap::default(), by_use: BTreeMap::new(), clock: 0, bytes: 0, bytes_max }
    }

    /// Makes sure that an account's ledger is loaded.
    pub(crate) async fn load(
        &mut self,
        account: AccountId,
        store: &dyn ViewStore,
        shutdown: &CancellationToken,
    ) -> Result<(), Stopped> {
        if self.ledgers.contains_key(&account) {
            return Ok(());
        }
        let rows = until_done("reading an account's rows", shutdown, || rows_of(account, store)).await?;
        let ledger = Ledger::load(account, rows).map_err(|error| {
            Stopped(format!(
                "a row of account {account} cannot be read ({error}): the store was written by a newer release. \
                 Start that release, or move state.redb away; it is rebuilt from the log at the next start"
            ))
        })?;
        self.ledgers.insert(account, Entry { ledger, used: 0, bytes: 0 });
        self.used(account);
        Ok(())
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
        self.bytes -= entry.bytes;
        entry.bytes = entry.ledger.weight();
        self.bytes += entry.bytes;
    }

    /// Forgets ledgers that have nothing to write, those used longest ago first, down to the bound.
    pub(crate) fn shrink(&mut self) {
        let mut after = 0;
        while self.bytes > self.bytes_max {
            let Some((&used, &account)) = self.by_use.range(after..).next() else { return };
            after = used + 1;
            if self.ledgers.get(&account).is_some_and(|entry| !entry.ledger.is_dirty()) {
                self.forget(account);
            }
        }
    }

    /// Forgets a ledger whatever it has to write.
    pub(crate) fn forget(&mut self, account: AccountId) {
        if let Some(entry) = self.ledgers.remove(&account) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
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

async fn rows_of(account: AccountId, store: &dyn ViewStore) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for range in Ledger::ranges(account) {
        let found: Vec<Row> = store.scan(&range).await?.try_collect().await?;
        rows.extend(found);
    }
    Ok(rows)
}
