//! Where a partition is folded from that no rows are there of: its log's beginning, or a base where that is gone.

use std::collections::BTreeSet;

use domain::{
    AccountId, Version,
    base::{Finder, Found, Part},
    ledger::LargeViews,
    record::{BASE, ERASED_CHECKSUM},
    service,
};
use event_log::{Bounds, Limit, Partition, Position};
use tracing::info;

use super::{Loop, WRITE_ROWS_MAX};
use crate::{Stopped, retry::until_done};

/// What is read at a time while a base is looked for and loaded.
const READ: Limit = Limit { records_max: 2_000, bytes_max: 8 * 1024 * 1024 };

impl Loop {
    /// The offset from which to fold, after the rows of a base are written where one is needed.
    pub(super) async fn begin_anew(&mut self, bounds: &Bounds) -> Result<u64, Stopped> {
        let partition = bounds.partition;
        if bounds.start == 0 && !self.begins_with_a_needed_base(bounds).await? {
            return Ok(0);
        }
        let begun = Position { partition, offset: bounds.start };
        info!(position = %begun, end = bounds.end, "the log's beginning is gone; looking for a base");
        let Some(base) = self.find_base(bounds).await? else {
            return Err(Stopped(format!(
                "partition {} of the log begins at {}, and no base that is whole replaces what was before: rows cannot \
                 be built anew from it. Restore the data folder from a backup",
                partition.0, bounds.start
            )));
        };
        let epoch = base.begin.from.epoch();
        if epoch > self.epoch {
            return Err(Stopped(format!(
                "the log's base is of epoch {}, and the store is in epoch {}: `tallyhook epoch open` until it is as far",
                epoch.0, self.epoch.0
            )));
        }
        let accounts = self.load_base(partition, &base).await?;
        let count = accounts.len();
        let version = Version::new(self.epoch, base.begin.from.offset().saturating_sub(1));
        for account in accounts {
            self.render_anew(account, version).await?;
        }
        let from = base.begin.from.offset();
        info!(partition = partition.0, accounts = count, from, "rows are built anew from a base");
        Ok(from)
    }

    /// Whether the log says by its first record that it does not hold everything: one that was copied from a folder
    /// that did not either.
    async fn begins_with_a_needed_base(&mut self, bounds: &Bounds) -> Result<bool, Stopped> {
        let at = Position { partition: bounds.partition, offset: bounds.start };
        let one = Limit { records_max: 1, bytes_max: 0 };
        let first = until_done("reading the log", &self.shutdown, || self.log.read(at, one)).await?;
        Ok(first.first().is_some_and(|(_, record)| {
            record.kind == BASE
                && matches!(Part::decode(&record.body), Ok(Part::Begin(begin)) if begin.is_needed)
        }))
    }

    /// The newest whole base after which everything that must be folded is there.
    async fn find_base(&mut self, bounds: &Bounds) -> Result<Option<Found>, Stopped> {
        let mut finder = Finder::default();
        let mut next = Position { partition: bounds.partition, offset: bounds.start };
        while next.offset < bounds.end {
            let read = until_done("reading the log", &self.shutdown, || self.log.read(next, READ)).await?;
            let Some((last, _)) = read.last() else { break };
            next.offset = last.offset + 1;
            for (at, record) in read.iter().filter(|(_, it)| it.kind == BASE || it.body.is_empty()) {
                finder.take(at.offset, &record.body, record.header(ERASED_CHECKSUM).is_some());
            }
        }
        Ok(finder.newest().filter(|base| base.begin.from.offset() >= bounds.start))
    }

    /// Writes the rows of a base; returns whose they are.
    async fn load_base(
        &mut self,
        partition: Partition,
        base: &Found,
    ) -> Result<BTreeSet<AccountId>, Stopped> {
        let mut accounts = BTreeSet::new();
        let mut rows = Vec::new();
        let mut next = Position { partition, offset: base.first };
        while next.offset <= base.last {
            let read = until_done("reading the log", &self.shutdown, || self.log.read(next, READ)).await?;
            let Some((last, _)) = read.last() else { break };
            next.offset = last.offset + 1;
            for (_, record) in read.iter().filter(|(_, record)| record.kind == BASE) {
                let Ok(Part::Rows(part)) = Part::decode(&record.body) else { continue };
                if part.id != base.begin.id {
                    continue;
                }
                accounts.extend(record.stream.account());
                rows.extend(part.rows.iter().filter_map(service::derived));
                rows.extend(part.rows);
                if rows.len() >= WRITE_ROWS_MAX {
                    self.write(std::mem::take(&mut rows)).await?;
                }
            }
        }
        self.write(rows).await?;
        Ok(accounts)
    }

    /// Writes what is derived from an account's rows.
    async fn render_anew(&mut self, account: AccountId, version: Version) -> Result<(), Stopped> {
        self.working_set.load(account, &*self.store, &self.shutdown).await?;
        if let Some(ledger) = self.working_set.get(account) {
            ledger.found(version);
        }
        let mut rows = Vec::new();
        self.drain(account, LargeViews::Render, &mut rows).await?;
        self.write(rows).await?;
        while let Some(ledger) = self.working_set.get(account)
            && ledger.has_large_neighbours()
        {
            let drained = ledger.render_neighbours();
            self.write(drained.rows).await?;
        }
        // Folding begins with nothing in memory, as it would after a start.
        self.working_set.forget(account);
        self.rendered.remove(&account);
        Ok(())
    }
}
