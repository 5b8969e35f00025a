//! Accounts on their way into the working set: most at once, those that take long beside the fold.

use std::{collections::BTreeSet, sync::Arc};

use domain::{AccountId, StreamKey, record::BASE};
use event_log::{Position, Record};
use tokio_util::task::AbortOnDropHandle;

use super::Loop;
use crate::{
    Stopped,
    loads::{self, PATIENCE},
    working_set,
};

impl Loop {
    /// Loads the accounts of a batch. Returns its records without those of accounts that are still being read.
    pub(super) async fn load(
        &mut self,
        records: Vec<(Position, Record)>,
    ) -> Result<Vec<(Position, Record)>, Stopped> {
        // A base's records change no account.
        let changing = records.iter().filter(|(_, record)| record.kind != BASE);
        let accounts: BTreeSet<AccountId> =
            changing.filter_map(|(_, record)| record.stream.account()).collect();
        for account in accounts {
            if !self.working_set.has(account) && !self.loads.has(account) {
                self.load_account(account).await?;
            }
        }
        Ok(self.loads.set_aside(records))
    }

    async fn load_account(&mut self, account: AccountId) -> Result<(), Stopped> {
        if !self.loads.has_room() {
            return self.working_set.load(account, &*self.store, &self.shutdown).await;
        }
        let (store, shutdown) = (Arc::clone(&self.store), self.shutdown.clone());
        let reading = async move { working_set::read(account, &*store, &shutdown).await };
        let mut reading = AbortOnDropHandle::new(tokio::spawn(reading));
        match tokio::time::timeout(PATIENCE, &mut reading).await {
            Ok(read) => self.working_set.insert(account, loads::ledger_of(read)?),
            Err(_) => {
                let partition = self.log.partition_of(StreamKey::Account(account));
                self.loads.begin(account, partition, reading);
            }
        }
        Ok(())
    }
}
