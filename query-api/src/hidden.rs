//! What no answer composed from several accounts may hold: the set of hidden ids, loaded at the start and fed by
//! hints (design invariant 9).
//!
//! An account's own views leave a hidden repository out in the same write. Of a large account that write comes in
//! slices, so that its summary may be older than the newest hiding: then it waits. What is copied from elsewhere does
//! not hear of a hiding but by this.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{AccountId, RepoId, RowKey, ScanKey, Version, directory::HiddenRow, key::BUCKETS};
use futures::TryStreamExt;
use view_store::{StoreError, ViewStore};

/// So many rows are read in one go at most, so that other hints do not wait for long.
const READS_MAX: usize = 256;

/// Hidden ids, by account.
#[derive(Debug, Default)]
pub(crate) struct HiddenIds {
    accounts: RwLock<HashMap<AccountId, OfAccount>>,
    /// How often they changed.
    changes: AtomicU64,
    /// Rows of which only the version was heard.
    unread: Mutex<HashMap<RowKey, Version>>,
}

/// The set as it stands, for many looks.
pub(crate) struct Look<'a>(RwLockReadGuard<'a, HashMap<AccountId, OfAccount>>);

#[derive(Debug, Default)]
struct OfAccount {
    /// The newest row that hid anything.
    newest: Version,
    /// What is hidden, with the version of the row that says so, and what was; `None` is the account itself.
    ids: HashMap<Option<RepoId>, (Version, bool)>,
}

impl HiddenIds {
    /// Reads every row. What hints said meanwhile stays where it is newer.
    pub(crate) async fn load(&self, store: &dyn ViewStore) -> Result<(), StoreError> {
        for bucket in 0..BUCKETS {
            let mut rows = store.scan(&ScanKey::Hidden(bucket)).await?;
            while let Some(row) = rows.try_next().await? {
                self.hear(&row.key, row.version, Some(&row.value));
            }
        }
        Ok(())
    }

    /// Reads what was heard of without a value, as hints from other processes are. What cannot be read now hides on
    /// and is read after the next hints.
    pub(crate) async fn read_unread(&self, store: &dyn ViewStore) {
        let unread: Vec<_> =
            self.unread().iter().take(READS_MAX).map(|(key, at)| (key.clone(), *at)).collect();
        for (key, version) in unread {
            match store.get(&key).await {
                Ok(Some(row)) if row.version >= version => {
                    self.hear(&row.key, row.version, Some(&row.value));
                    let mut unread = self.unread();
                    if unread.get(&key).is_some_and(|heard| *heard <= row.version) {
                        unread.remove(&key);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a hidden id could not be read");
                    return;
                }
            }
        }
    }

    fn unread(&self) -> MutexGuard<'_, HashMap<RowKey, Version>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a row. One whose value a hint does not bring along hides until it is read.
    pub(crate) fn hear(&self, key: &RowKey, version: Version, value: Option<&[u8]>) {
        let RowKey::Hidden(account, repo) = key else { return };
        if value.is_none() {
            self.unread().insert(key.clone(), version);
        }
        let row = value.and_then(|value| HiddenRow::decode(value).ok());
        let is_hidden = row.is_none_or(|row| row.hidden);
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let of_account = accounts.entry(*account).or_default();
        let known = of_account.ids.entry(*repo).or_insert((version, is_hidden));
        if known.0 <= version {
            *known = (version, is_hidden);
        }
        if is_hidden {
            of_account.newest = of_account.newest.max(version);
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A number that rises with every change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The set as it stands.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.accounts.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Look<'_> {
    /// Whether an account as a whole is out of every answer.
    pub(crate) fn hides(&self, account: AccountId) -> bool {
        self.0.get(&account).is_some_and(|of_account| of_account.hides(None))
    }

    /// Whether a repository of an account, or the account as a whole, is out of every answer.
    pub(crate) fn hides_repository(&self, account: AccountId, repo: RepoId) -> bool {
        let hides = |of_account: &OfAccount| of_account.hides(None) || of_account.hides(Some(repo));
        self.0.get(&account).is_some_and(hides)
    }

    /// Whether something of an account was hidden after this version of what it adds up to was made.
    pub(crate) fn outdates(&self, account: AccountId, version: Version) -> bool {
        self.0.get(&account).is_some_and(|of_account| of_account.newest > version)
    }
}

impl OfAccount {
    fn hides(&self, id: Option<RepoId>) -> bool {
        self.ids.get(&id).is_some_and(|(_, is_hidden)| *is_hidden)
    }
}

#[cfg(test)]
mod tests {
    use domain::Epoch;

    use super::*;

    fn row(hidden: bool) -> Vec<u8> {
        HiddenRow { hidden }.encode()
    }

    #[test]
    fn the_newest_row_counts_in_whatever_order_rows_are_heard() {
        let account = AccountId::github(1);
        let version = |offset| Version::new(Epoch::FIRST, offset);
        let itself = RowKey::Hidden(account, None);
        for order in [[1, 2], [2, 1]] {
            let hidden = HiddenIds::default();
            for offset in order {
                hidden.hear(&itself, version(offset), Some(&row(offset == 1)));
            }
            let repo = RepoId::github(7);
            assert!(!hidden.look().hides(account), "{order:?}");
            assert!(!hidden.look().hides_repository(account, repo), "{order:?}");
            let changes = hidden.changes();
            hidden.hear(&itself, version(3), None);
            assert!(hidden.look().hides(account), "what is not known is not shown");
            assert!(hidden.look().hides_repository(account, repo));
            assert!(hidden.changes() > changes);
        }
    }

    #[test]
    fn a_sum_that_was_made_before_something_was_hidden_is_out_of_date() {
        let account = AccountId::github(1);
        let version = |offset| Version::new(Epoch::FIRST, offset);
        let hidden = HiddenIds::default();
        hidden.hear(&RowKey::Hidden(account, Some(RepoId::github(7))), version(5), Some(&row(true)));
        let look = hidden.look();
        assert!(look.outdates(account, version(4)));
        assert!(!look.outdates(account, version(5)));
        assert!(!look.outdates(AccountId::github(2), version(1)));
        assert!(!look.hides(account), "its other repositories are shown");
        assert!(look.hides_repository(account, RepoId::github(7)));
        assert!(!look.hides_repository(account, RepoId::github(8)));
    }
}
