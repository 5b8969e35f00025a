//! What no answer composed from several accounts may hold: the set of hidden ids, loaded at the start and fed by
//! hints (design invariant 9).
//!
//! An account's own views leave a hidden repository out in the same write; what is copied from elsewhere does not
//! hear of it but by this.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{AccountId, RepoId, RowKey, ScanKey, Version, directory::HiddenRow, key::BUCKETS};
use futures::TryStreamExt;
use view_store::{StoreError, ViewStore};

/// Hidden ids, by account; and how often they changed.
#[derive(Debug, Default)]
pub(crate) struct HiddenIds(RwLock<HashMap<AccountId, OfAccount>>, AtomicU64);

/// The set as it stands, for many looks.
pub(crate) struct Look<'a>(RwLockReadGuard<'a, HashMap<AccountId, OfAccount>>);

#[derive(Debug, Default)]
struct OfAccount {
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

    /// Takes note of a row. One whose value a hint does not bring along hides until it is read.
    pub(crate) fn hear(&self, key: &RowKey, version: Version, value: Option<&[u8]>) {
        let RowKey::Hidden(account, repo) = key else { return };
        let row = value.and_then(|value| HiddenRow::decode(value).ok());
        let is_hidden = row.is_none_or(|row| row.hidden);
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of_account = accounts.entry(*account).or_default();
        let known = of_account.ids.entry(*repo).or_insert((version, is_hidden));
        if known.0 <= version {
            *known = (version, is_hidden);
        }
        self.1.fetch_add(1, Ordering::Release);
    }

    /// A number that rises with every change.
    pub(crate) fn generation(&self) -> u64 {
        self.1.load(Ordering::Acquire)
    }

    /// The set as it stands.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Look<'_> {
    /// Whether a repository of an account, or the account as a whole, is out of every answer.
    pub(crate) fn hides_repository(&self, account: AccountId, repo: RepoId) -> bool {
        let is_hidden =
            |of_account: &OfAccount, id| of_account.ids.get(&id).is_some_and(|(_, hidden)| *hidden);
        self.0
            .get(&account)
            .is_some_and(|of_account| is_hidden(of_account, None) || is_hidden(of_account, Some(repo)))
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
            assert!(!hidden.look().hides_repository(account, repo), "{order:?}");
            let generation = hidden.generation();
            hidden.hear(&itself, version(3), None);
            assert!(hidden.look().hides_repository(account, repo), "what is not known is not shown");
            assert!(hidden.generation() > generation);
        }
    }
}
