//! What no answer composed from several accounts may hold: the set of hidden ids, loaded at the start and fed by
//! hints (design invariant 9).
//!
//! An account's own views leave a hidden repository out in the same write. Of a large account that write comes in
//! slices, so that its summary may be older than the newest hiding: then it waits.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use domain::{AccountId, RepoId, RowKey, ScanKey, Version, directory::HiddenRow, key::BUCKETS};
use futures::TryStreamExt;
use view_store::{StoreError, ViewStore};

/// Hidden ids, by account.
#[derive(Debug, Default)]
pub(crate) struct HiddenIds(RwLock<HashMap<AccountId, OfAccount>>);

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
        if is_hidden {
            of_account.newest = of_account.newest.max(version);
        }
    }

    /// Whether an account as a whole is out of every answer.
    pub(crate) fn hides(&self, account: AccountId) -> bool {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.get(&account).and_then(|of_account| of_account.ids.get(&None));
        known.is_some_and(|(_, is_hidden)| *is_hidden)
    }

    /// Whether something of an account was hidden after this version of what it adds up to was made.
    pub(crate) fn outdates(&self, account: AccountId, version: Version) -> bool {
        let accounts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).is_some_and(|of_account| of_account.newest > version)
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
            assert!(!hidden.hides(account), "{order:?}");
            hidden.hear(&itself, version(3), None);
            assert!(hidden.hides(account), "what is not known is not shown");
        }
    }

    #[test]
    fn a_sum_that_was_made_before_something_was_hidden_is_out_of_date() {
        let account = AccountId::github(1);
        let version = |offset| Version::new(Epoch::FIRST, offset);
        let hidden = HiddenIds::default();
        hidden.hear(&RowKey::Hidden(account, Some(RepoId::github(7))), version(5), Some(&row(true)));
        assert!(hidden.outdates(account, version(4)));
        assert!(!hidden.outdates(account, version(5)));
        assert!(!hidden.outdates(AccountId::github(2), version(1)));
        assert!(!hidden.hides(account), "its other repositories are shown");
    }
}
