//! The last folded record of each partition, by which a log is recognised.
//!
//! A log that lost its tail, was recreated or restored would give old offsets to new records, and their rows
//! would lose against older ones without a word. So before anything is folded the log must still hold the
//! last folded record (design §4).

use domain::{Epoch, Row, RowKey, Version, record::ERASED_CHECKSUM};
use event_log::{Assignment, Bounds, EventLog, Limit, LogError, Partition, Position, Record};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use view_store::{StoreError, ViewStore};

use crate::{ProjectorSettings, Stopped, retry::until_done};

/// The encoding of a stored row.
const TAG: u8 = 1;

/// The last folded record of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) offset: u64,
    pub(crate) checksum: u32,
}

impl Seen {
    pub(crate) fn row(self, partition: u32, epoch: Epoch) -> Row {
        Row {
            key: RowKey::Seen(partition),
            version: Version::new(epoch, self.offset),
            value: domain::codec::encode(TAG, &self).into(),
        }
    }
}

/// The row that says that a partition is folded up to this record, the last that was copied into it.
pub fn seen_row(position: Position, record: &Record, epoch: Epoch) -> Row {
    let seen = Seen { offset: position.offset, checksum: checksum(record) };
    seen.row(position.partition.0, epoch)
}

/// What a record is recognised by.
pub(crate) fn checksum(record: &Record) -> u32 {
    // What was erased of a record counts on.
    if let Some(kept) = record.header(ERASED_CHECKSUM).and_then(|checksum| checksum.parse().ok()) {
        return kept;
    }
    let head = crc32c::crc32c(&record.stream.to_bytes());
    let head = crc32c::crc32c_append(head, record.id.as_bytes());
    let head = crc32c::crc32c_append(head, &record.received_at.0.to_be_bytes());
    crc32c::crc32c_append(head, &record.body)
}

/// What recognises a log.
pub(crate) struct Recogniser<'a> {
    pub(crate) log: &'a dyn EventLog,
    pub(crate) store: &'a dyn ViewStore,
    pub(crate) epoch: Epoch,
    /// What an operator does when the log was replaced for good.
    pub(crate) remedy: &'a str,
    pub(crate) shutdown: &'a CancellationToken,
}

/// Checks for every partition that the log is the one that the store was folded from. A process that also takes
/// deliveries in asks this first: what it acknowledged into another log would be gone with that log.
///
/// # Errors
/// When it is not, or one of them can no longer be used.
pub async fn recognise(
    log: &dyn EventLog,
    store: &dyn ViewStore,
    settings: &ProjectorSettings,
) -> Result<(), Stopped> {
    // Who starts may be ended at any moment: there is nothing to finish.
    let shutdown = CancellationToken::new();
    let epoch = until_done("reading the epoch", &shutdown, || epoch_of(store)).await?;
    let recogniser = Recogniser { log, store, epoch, remedy: settings.remedy, shutdown: &shutdown };
    for bounds in until_done("reading the log's bounds", &shutdown, || log.bounds()).await? {
        recogniser.last_seen(bounds.partition).await?;
    }
    Ok(())
}

/// The epoch in which the log's offsets count.
pub(crate) async fn epoch_of(store: &dyn ViewStore) -> Result<Epoch, StoreError> {
    let row = store.get(&RowKey::Epoch).await?;
    let epoch = row.and_then(|row| Epoch::decode(&row.value).ok());
    epoch
        .ok_or_else(|| StoreError::Stop("the store has no epoch: it was not created by tallyhook".to_owned()))
}

impl Recogniser<'_> {
    /// Checks that the log is the one that the store was folded from, and says where to go on; `None` for a new store,
    /// one that was moved away, or a new epoch: all of the log, whatever was committed.
    pub(crate) async fn start_of(
        &self,
        assignment: &Assignment,
        bounds: &Bounds,
    ) -> Result<Option<u64>, Stopped> {
        let Some(seen) = self.last_seen(assignment.partition).await? else { return Ok(None) };
        // A store older than the group's commit was restored: what is between was never folded into it.
        Ok(Some(assignment.committed.unwrap_or(bounds.start).clamp(bounds.start, seen.offset + 1)))
    }

    /// The last folded record of a partition, which the log still holds; none in a new store or epoch.
    async fn last_seen(&self, partition: Partition) -> Result<Option<Seen>, Stopped> {
        let key = RowKey::Seen(partition.0);
        let what = "reading the last folded record";
        let row = until_done(what, self.shutdown, || self.store.get(&key)).await?;
        // What was folded in an earlier life of the log says nothing about this one.
        let Some(row) = row.filter(|row| row.version.epoch() >= self.epoch) else { return Ok(None) };
        let seen: Seen = domain::codec::decode(TAG, &row.value).map_err(|error| {
            Stopped(format!("the store's row of partition {} cannot be read: {error}", partition.0))
        })?;
        let at = Position { partition, offset: seen.offset };
        let limit = Limit { records_max: 1, bytes_max: 1 };
        let read = || async {
            match self.log.read(at, limit).await {
                Err(LogError::Gone { .. }) => Ok(Vec::new()),
                read => read,
            }
        };
        let found = until_done("reading the log", self.shutdown, read).await?;
        let is_same = found.first().is_some_and(|(position, record)| {
            position.offset == seen.offset && checksum(record) == seen.checksum
        });
        if is_same {
            return Ok(Some(seen));
        }
        Err(Stopped(format!(
            "the log is not the one that the store was folded from: record {at} is {}. {}",
            if found.is_empty() { "missing" } else { "another one" },
            self.remedy,
        )))
    }
}
