//! Accounts whose rows take long to read: they are read beside the fold, and only their own records wait.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use domain::{AccountId, Ledger};
use event_log::{Limit, Partition, Position, Record};
use tokio_util::task::AbortOnDropHandle;

use crate::Stopped;

/// Other accounts wait so long for one that is read. Most are read in a millisecond.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// So many are read beside the fold; one more holds it up. Each may be large.
const READ_MAX: usize = 2;
/// With more records than these waiting, of all accounts together, the log is read no further.
const WAITING_MAX: Limit = Limit { records_max: 2_000, bytes_max: 16 * 1024 * 1024 };

/// A ledger on its way from the store.
pub(crate) type Reading = AbortOnDropHandle<Result<Ledger, Stopped>>;

/// Accounts that are being read beside the fold.
#[derive(Default)]
pub(crate) struct Loads {
    waiting: BTreeMap<AccountId, Waiting>,
}

struct Waiting {
    partition: Partition,
    /// In order; the first is the one that needed the account.
    records: Vec<(Position, Record)>,
    reading: Reading,
}

impl Loads {
    /// Whether another account may be read beside the fold.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < READ_MAX
    }

    /// Whether an account is being read.
    pub(crate) fn has(&self, account: AccountId) -> bool {
        self.waiting.contains_key(&account)
    }

    /// From now on an account's records wait until it is read.
    pub(crate) fn begin(&mut self, account: AccountId, partition: Partition, reading: Reading) {
        self.waiting.insert(account, Waiting { partition, records: Vec::new(), reading });
    }

    /// Sets the records of accounts that are being read aside; the others come back.
    pub(crate) fn set_aside(&mut self, records: Vec<(Position, Record)>) -> Vec<(Position, Record)> {
        let mut others = Vec::with_capacity(records.len());
        for (position, record) in records {
            let account = record.stream.account();
            let waiting = account.and_then(|account| self.waiting.get_mut(&account));
            waiting.map_or(&mut others, |waiting| &mut waiting.records).push((position, record));
        }
        others
    }

    /// Waits until an account is read: its ledger, and the records that waited for it. Nothing is lost when the
    /// caller stops waiting.
    pub(crate) async fn read(&mut self) -> (AccountId, Result<Ledger, Stopped>, Vec<(Position, Record)>) {
        let (account, ledger) = poll_fn(|context| self.poll_read(context)).await;
        let waited = self.waiting.remove(&account).map_or_else(Vec::new, |waiting| waiting.records);
        (account, ledger, waited)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<(AccountId, Result<Ledger, Stopped>)> {
        for (account, waiting) in &mut self.waiting {
            if let Poll::Ready(read) = Pin::new(&mut waiting.reading).poll(context) {
                return Poll::Ready((*account, ledger_of(read)));
            }
        }
        Poll::Pending
    }

    /// Whether so much waits that the log is read no further.
    pub(crate) fn is_full(&self) -> bool {
        let records = || self.waiting.values().flat_map(|waiting| &waiting.records);
        records().count() >= WAITING_MAX.records_max
            || records().map(|(_, record)| record.body.len()).sum::<usize>() >= WAITING_MAX.bytes_max
    }

    /// The first offset of a partition that waits, and must not be committed or told of as folded.
    pub(crate) fn held(&self, partition: Partition) -> Option<u64> {
        let of_partition = self.waiting.values().filter(|waiting| waiting.partition == partition);
        of_partition.filter_map(|waiting| waiting.records.first()).map(|(position, _)| position.offset).min()
    }

    /// Forgets accounts; whoever folds them next reads their records again.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(AccountId) -> bool) {
        self.waiting.retain(|account, _| !is_gone(*account));
    }
}

/// What came of reading a ledger.
pub(crate) fn ledger_of(
    read: Result<Result<Ledger, Stopped>, tokio::task::JoinError>,
) -> Result<Ledger, Stopped> {
    read.unwrap_or_else(|error| Err(Stopped(format!("reading an account's rows: {error}"))))
}

#[cfg(test)]
mod tests {
    use domain::{Millis, StreamKey};

    use super::*;

    const PARTITION: Partition = Partition(1);

    fn record(account: AccountId, body: usize) -> Record {
        Record {
            stream: StreamKey::Account(account),
            id: String::new(),
            dedupe: None,
            kind: String::new(),
            received_at: Millis(0),
            headers: Vec::new(),
            body: vec![0; body].into(),
        }
    }

    fn never() -> Reading {
        AbortOnDropHandle::new(tokio::spawn(std::future::pending()))
    }

    fn at(offset: u64) -> Position {
        Position { partition: PARTITION, offset }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_accounts_records_and_bytes() {
        let mut loads = Loads::default();
        let (first, second) = (AccountId::github(1), AccountId::github(2));
        loads.begin(first, PARTITION, never());
        assert!(loads.has_room());
        loads.begin(second, PARTITION, never());
        assert!(!loads.has_room());

        let all_but_one = (1..WAITING_MAX.records_max as u64).map(|offset| (at(offset), record(first, 0)));
        assert_eq!(loads.set_aside(all_but_one.collect()), []);
        assert!(!loads.is_full());
        assert_eq!(loads.set_aside(vec![(at(0), record(second, 0))]), []);
        assert!(loads.is_full());
        assert_eq!(loads.held(PARTITION), Some(0), "the first of all that wait");

        loads.forget(|account| account == first);
        assert!(!loads.is_full());
        assert_eq!(loads.set_aside(vec![(at(9_999), record(second, WAITING_MAX.bytes_max))]), []);
        assert!(loads.is_full());
        let others = vec![(at(10_000), record(first, 0))];
        assert_eq!(loads.set_aside(others.clone()), others, "nobody reads it any more");
        assert_eq!(loads.held(Partition(2)), None);
    }
}
