//! The rows of one store, written to another at their versions, and compared afterwards.

use std::{future::Future, time::Duration};

use anyhow::{bail, ensure};
use domain::{Epoch, Family, Row, RowKey, Version, directory::DeadLetter};
use futures::TryStreamExt;
use tracing::warn;
use view_store::{EmbeddedStore, StoreError, ViewStore};

use super::records::Logs;

/// Written at a time; the store bounds what is on its way.
const ROWS_MAX: usize = 1_000;
/// A store that is away for so many attempts, a second apart, is not coming back soon.
const ATTEMPTS_MAX: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);
/// Rows that are compared at a time.
const COMPARED_AT_ONCE: usize = 64;

/// A store that is copied, and the one that it is copied to.
#[derive(Clone, Copy)]
pub(crate) struct Stores<'a> {
    pub(crate) from: &'a EmbeddedStore,
    pub(crate) to: &'a dyn ViewStore,
}

/// What the comparison went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compared {
    /// All rows that were copied.
    pub(crate) rows: u64,
    /// Those of them that are views.
    pub(crate) views: u64,
}

/// Families whose rows belong to the streams and not to a log's partitions, which are others in the target.
fn copied_families() -> impl Iterator<Item = Family> {
    let of_partitions = [Family::Epoch, Family::Seen, Family::Active, Family::Delivery];
    Family::ALL.into_iter().filter(move |family| !of_partitions.contains(family))
}

impl Stores<'_> {
    /// The source's epoch.
    pub(crate) async fn epoch(self) -> anyhow::Result<Epoch> {
        let Some(row) = self.from.get(&RowKey::Epoch).await? else { bail!("the folder has no epoch") };
        Ok(Epoch::decode(&row.value)?)
    }

    /// Begins an epoch in the target above the source's, unless a copy before this one did.
    pub(crate) async fn begin_epoch(self, above: Epoch) -> anyhow::Result<Epoch> {
        let next = Epoch(above.0 + 1);
        let Some(row) = until_done(|| self.to.get(&RowKey::Epoch)).await? else {
            bail!("the target store has no epoch: run `tallyhook migrate`");
        };
        let current = Epoch::decode(&row.value)?;
        ensure!(current <= next, "the target store is in epoch {}: copy into a new keyspace", current.0);
        if current < next {
            let version = Version::new(next, 0);
            let row = Row { key: RowKey::Epoch, version, value: next.encode().into() };
            self.write(vec![row]).await?;
        }
        Ok(next)
    }

    /// Writes every row; returns how many.
    pub(crate) async fn copy(self, logs: Logs<'_>) -> anyhow::Result<u64> {
        let mut copied = 0;
        for family in copied_families() {
            let mut rows = self.from.rows_of(family)?.try_chunks(ROWS_MAX);
            while let Some(rows) = rows.try_next().await? {
                copied += rows.len() as u64;
                let mut moved = Vec::with_capacity(rows.len());
                for row in rows {
                    moved.push(moved_row(row, logs).await?);
                }
                self.write(moved).await?;
            }
        }
        Ok(copied)
    }

    pub(crate) async fn write(self, rows: Vec<Row>) -> anyhow::Result<()> {
        until_done(|| self.to.write(rows.clone())).await
    }

    /// Reads every row of both and makes sure that they are the same, byte for byte.
    pub(crate) async fn compare(self, logs: Logs<'_>) -> anyhow::Result<Compared> {
        let mut compared = Compared { rows: 0, views: 0 };
        for family in copied_families() {
            let rows = self.from.rows_of(family)?.map_err(anyhow::Error::from);
            let same = rows.map_ok(|row| async move {
                let wanted = moved_row(row, logs).await?;
                let found = until_done(|| self.to.get(&wanted.key)).await?;
                ensure!(found.as_ref() == Some(&wanted), "the copy of {:?} differs", wanted.key);
                Ok(())
            });
            let count = same
                .try_buffer_unordered(COMPARED_AT_ONCE)
                .try_fold(0, |count, ()| async move { Ok(count + 1) })
                .await?;
            compared.rows += count;
            if family == Family::View {
                compared.views = count;
            }
        }
        Ok(compared)
    }
}

/// A row as it stands in the target: a dead letter says where its record is, and that is elsewhere there.
async fn moved_row(row: Row, logs: Logs<'_>) -> anyhow::Result<Row> {
    let RowKey::DeadLetter(stream, version) = row.key else { return Ok(row) };
    let DeadLetter::Dead { id, kind, received_ms, reason, .. } = DeadLetter::decode(&row.value)? else {
        return Ok(row);
    };
    let (partition, offset) = match logs.position_of(stream, version).await? {
        Some(at) => (at.partition.0, at.offset),
        // The folder's log has forgotten it: it is nowhere.
        None if super::bases::are_needed(logs.from).await? => (logs.to.partition_of(stream).0, u64::MAX),
        None => bail!("the record of dead letter {id} is not in the target log"),
    };
    let letter = DeadLetter::Dead { id, kind, partition, offset, received_ms, reason };
    Ok(Row { value: letter.encode().into(), ..row })
}

/// Asks a store again until it answers.
async fn until_done<T, F: Future<Output = Result<T, StoreError>>>(
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let mut attempts = 0;
    loop {
        match ask().await {
            Ok(done) => return Ok(done),
            Err(StoreError::Retry(cause)) if attempts < ATTEMPTS_MAX => {
                warn!(cause, "the target store did not answer; trying again");
                attempts += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
