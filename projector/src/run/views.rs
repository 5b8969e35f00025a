//! Views on their way out of the working set: small ones at once, large ones not more often than they are worth.

use std::time::Duration;

use domain::{AccountId, Row, ledger::LargeViews};
use event_log::Partition;
use tokio::time::Instant;

use super::{Loop, WRITE_ROWS_MAX};
use crate::{Stopped, neighbours};

/// A large view is rendered at most every so many times its own rendering time (design §6).
const LARGE_VIEW_REST: u32 = 50;
/// A large view is never older than this, however long it takes to render.
const LARGE_VIEW_AGE_MAX: Duration = Duration::from_secs(5);

impl Loop {
    /// When an account's large views may be rendered again; `None`: now.
    pub(super) fn rest_of(&self, account: AccountId, now: Instant) -> Option<Instant> {
        let (at, took) = self.rendered.get(&account)?;
        let due = *at + (*took * LARGE_VIEW_REST).min(LARGE_VIEW_AGE_MAX);
        (due > now).then_some(due)
    }

    /// Takes an account's rows, slice by slice, and writes full hands of them.
    pub(super) async fn drain(
        &mut self,
        account: AccountId,
        large: LargeViews,
        rows: &mut Vec<Row>,
    ) -> Result<(), Stopped> {
        loop {
            let started = Instant::now();
            let Some(ledger) = self.working_set.get(account) else { return Ok(()) };
            let drained = ledger.drain(large);
            let is_large = ledger.has_large_views();
            rows.extend(drained.rows);
            if rows.len() >= WRITE_ROWS_MAX {
                self.write(std::mem::take(rows)).await?;
            }
            if !drained.has_more {
                if is_large && large == LargeViews::Render {
                    self.rendered.insert(account, (Instant::now(), started.elapsed()));
                } else if !is_large {
                    self.rendered.remove(&account);
                }
                self.working_set.used(account);
                return Ok(());
            }
        }
    }

    pub(super) async fn render_deferred(&mut self, now: Instant) -> Result<(), Stopped> {
        let due: Vec<AccountId> =
            self.deferred.iter().filter(|(_, deferred)| deferred.due <= now).map(|(id, _)| *id).collect();
        let mut rows = Vec::new();
        for account in due {
            self.drain(account, LargeViews::Render, &mut rows).await?;
            if let Some(shown) = self.deferred.get_mut(&account) {
                let unseen = std::mem::take(&mut shown.unseen);
                rows.extend(self.visible(unseen));
            }
            self.write(rows.split_off(0)).await?;
            self.deferred.remove(&account);
        }
        Ok(())
    }

    /// Renders a slice of an account's large neighbours.
    pub(super) async fn render_neighbours(
        &mut self,
        account: AccountId,
        partition: Partition,
    ) -> Result<(), Stopped> {
        let started = Instant::now();
        let Some(ledger) = self.working_set.get(account) else {
            self.neighbours.end(account);
            return Ok(());
        };
        if let Some(tail) = self.tails.get(&partition) {
            let folded = neighbours::Folded { next: tail.next, version: tail.version };
            self.neighbours.begin(account, folded);
        }
        let drained = ledger.render_neighbours();
        let unwritten_since = ledger.unwritten_since().filter(|_| drained.has_more);
        let took = started.elapsed();
        self.write(drained.rows).await?;
        self.neighbours.rendered(account, took, unwritten_since, Instant::now());
        self.working_set.used(account);
        Ok(())
    }
}
