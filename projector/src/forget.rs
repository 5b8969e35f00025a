//! The record that forgets an account: its rows are read, and others are written in their place.

use std::collections::HashMap;

use domain::{
    AccountId, EntityKey, Row, RowKey, ScanKey, Stamp, StreamKey, Version, directory::HiddenRow,
    event::LoginsForgotten, need::Need, service::Traces,
};
use futures::TryStreamExt;
use view_store::{StoreError, account::Held};

use crate::{
    Stopped,
    batch::{Folded, Folder, unreadable},
    retry::until_done,
};

impl Folder<'_> {
    /// Forgets an account: what the store holds of it, and what earlier records of this batch would have written.
    pub(crate) async fn forget(
        &mut self,
        account: AccountId,
        stamp: &Stamp,
        folded: &mut Folded,
    ) -> Result<(), Stopped> {
        let stream = StreamKey::Account(account);
        self.working_set.load(account, self.store, self.shutdown).await?;
        let held = until_done("reading an account's rows", self.shutdown, || {
            view_store::account::rows_of(self.store, account)
        });
        let held = held.await?;
        let (pending, others) =
            std::mem::take(&mut folded.rows).into_iter().partition(|row| row.key.stream() == Some(stream));
        folded.rows = others;
        let pending: Vec<Row> = pending;
        let pending = pending.into_iter().map(|row| Held { key: row.key, version: row.version, bytes: 0 });
        for Held { key, version, .. } in held.into_iter().chain(pending) {
            // What is newer was said since, and this record is folded once more.
            if version <= stamp.version {
                folded.rows.extend(self.end_of(key, stamp.version));
            }
        }
        if let Some(ledger) = self.working_set.get(account) {
            folded.rows.extend(ledger.forget(stamp));
        }
        folded.accounts.insert(account);
        Ok(())
    }

    /// What is written in the place of a row; `None`: its ledger writes it.
    fn end_of(&mut self, key: RowKey, version: Version) -> Option<Row> {
        Some(match key {
            RowKey::Entity(_, EntityKey::Account) | RowKey::Directory(_) | RowKey::Hidden(_, None) => {
                return None;
            }
            // Their keys name nothing, and these have ends of their own, which whoever keeps copies knows.
            RowKey::Hidden(..) => Row { key, version, value: HiddenRow { hidden: false }.encode().into() },
            RowKey::Need(..) => Row { key, version, value: Need::Met.encode().into() },
            RowKey::Cursor(..) => Row { key, version, value: Vec::new().into() },
            RowKey::DeadLetter(stream, letter) => self.dead_letters.end(stream, letter, version),
            key => Row::erased(key, version),
        })
    }

    /// Erases what the service keeps of an account; `known` are rows that this batch has changed.
    pub(crate) async fn forget_logins(
        &mut self,
        forgotten: &LoginsForgotten,
        stamp: &Stamp,
        known: &mut HashMap<RowKey, Row>,
        folded: &mut Folded,
    ) -> Result<(), Stopped> {
        let stored = until_done("reading the service's rows", self.shutdown, || self.service_rows()).await?;
        let mut traces = Traces::of(forgotten, stamp);
        let unchanged = stored.iter().filter(|row| !known.contains_key(&row.key));
        for row in unchanged.chain(known.values()) {
            traces.look(row).map_err(|error| unreadable(&error))?;
        }
        for row in traces.rows() {
            if matches!(row.key, RowKey::Entity(..)) {
                known.insert(row.key.clone(), row.clone());
            }
            folded.rows.push(row);
        }
        Ok(())
    }

    /// Entities of the service that may be somebody's.
    async fn service_rows(&self) -> Result<Vec<Row>, StoreError> {
        let rows = self.store.scan(&ScanKey::Entities(StreamKey::Service)).await?;
        let is_wanted = |row: &Row| {
            let RowKey::Entity(_, key) = &row.key else { return false };
            matches!(key, EntityKey::Login(..) | EntityKey::GistUsers | EntityKey::GistVisit(_))
        };
        rows.try_filter(|row| std::future::ready(is_wanted(row))).try_collect().await
    }
}
