//! The records of one log, appended to another in their order, each with its version in a header.
//!
//! The copy itself says how far it is. Partitions of the source are copied one after the other, so within each
//! partition of the target records rise by source partition and offset; its last record tells which of the
//! source's are there. Who begins again, after a kill or an answer that never came, looks there first.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail, ensure};
use domain::{
    Epoch, Version,
    record::{BASE, COPIED_VERSION},
};
use event_log::{AppendError, EventLog, Limit, Partition, Position, Record};
use tracing::{info, warn};

use super::bases::is_mark;

/// What is read and appended at a time: enough for the network, little in memory.
const BATCH: Limit = Limit { records_max: 2_000, bytes_max: 8 * 1024 * 1024 };
/// One record, whatever its size.
const ONE: Limit = Limit { records_max: 1, bytes_max: 0 };
/// A target that takes nothing for so many attempts, a second apart, is not coming back soon; the copy can be
/// begun again at any time.
const ATTEMPTS_MAX: u32 = 120;
const PAUSE: Duration = Duration::from_secs(1);

/// A log that is copied, and the one that it is copied to.
#[derive(Clone, Copy)]
pub(crate) struct Logs<'a> {
    pub(crate) from: &'a dyn EventLog,
    /// The epoch of the source's offsets.
    pub(crate) epoch: Epoch,
    pub(crate) to: &'a dyn EventLog,
}

/// The last record of each partition of the target that holds any, by where it came from.
type Reached = BTreeMap<Partition, Position>;

impl Logs<'_> {
    /// Copies what is not there yet; returns how many records that were.
    ///
    /// # Errors
    /// When the target holds anything but a copy of this source, or cannot be read or written for minutes.
    pub(crate) async fn copy(self) -> anyhow::Result<u64> {
        let (mut copied, mut failures) = (0, 0);
        loop {
            let reached = self.reached().await?;
            let before = copied;
            match self.copy_after(&reached, &mut copied).await {
                Ok(()) => return Ok(copied),
                Err(CopyError::Final(error)) => return Err(error),
                Err(CopyError::Passing(cause)) => {
                    failures = if copied > before { 0 } else { failures + 1 };
                    ensure!(failures < ATTEMPTS_MAX, "the target log does not take records: {cause}");
                    warn!(
                        cause,
                        "the target log did not take records; looking how far they are, and going on"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Where the copy stands, after making sure that it is one of this source.
    async fn reached(self) -> anyhow::Result<Reached> {
        let mut reached = Reached::new();
        for bounds in self.to.bounds().await? {
            if bounds.end == bounds.start {
                ensure!(bounds.end == 0, "the target log was used before: copy into a new topic");
                continue;
            }
            let last = Position { partition: bounds.partition, offset: bounds.end - 1 };
            let Some((_, copy)) = self.to.read(last, ONE).await?.pop() else {
                bail!("the target log does not give its record {last}");
            };
            if last.offset == 0 && is_mark(&copy) {
                // Said before anything was copied.
                continue;
            }
            if copy.kind == BASE && copied_version(&copy).is_none() {
                // A base was begun here, and before that all was copied.
                reached
                    .insert(bounds.partition, Position { partition: Partition(u32::MAX), offset: u64::MAX });
                continue;
            }
            let origin = self.origin(&copy).with_context(|| {
                format!("record {last} of the target log is its own: copy into a new topic")
            })?;
            let original = self.from.read(origin, ONE).await?.pop();
            let is_copy = original.is_some_and(|(at, original)| at == origin && is_same(&original, &copy));
            ensure!(is_copy, "the target log holds a copy of another folder: copy into a new topic");
            reached.insert(bounds.partition, origin);
        }
        Ok(reached)
    }

    /// Where in the source a copied record stands. A record that had been copied before keeps its older version,
    /// which says nothing of that.
    fn origin(self, copy: &Record) -> Option<Position> {
        let version = copied_version(copy)?;
        let partition = self.from.partition_of(copy.stream);
        (version.epoch() == self.epoch).then_some(Position { partition, offset: version.offset() })
    }

    async fn copy_after(self, reached: &Reached, copied: &mut u64) -> Result<(), CopyError> {
        for bounds in self.from.bounds().await? {
            let mut next = Position { partition: bounds.partition, offset: bounds.start };
            while next.offset < bounds.end {
                let batch = self.from.read(next, BATCH).await?;
                let Some((last, _)) = batch.last() else { break };
                let after = last.offset + 1;
                let missing: Vec<Record> = batch
                    .into_iter()
                    .filter(|(_, record)| !is_mark(record))
                    .filter(|(at, record)| {
                        reached.get(&self.to.partition_of(record.stream)).is_none_or(|reached| at > reached)
                    })
                    .map(|(at, record)| self.copy_of(at, record))
                    .collect::<Result<_, _>>()?;
                *copied += self.append(missing).await?;
                next.offset = after;
            }
            info!(partition = bounds.partition.0, end = bounds.end, "copied a partition of the log");
        }
        Ok(())
    }

    /// The record as the target keeps it. Its dedupe key stays behind: keys of one append are of one delivery.
    fn copy_of(self, at: Position, record: Record) -> Result<Record, CopyError> {
        if copied_version(&record).is_some() {
            return Err(CopyError::Final(anyhow::anyhow!(
                "record {at} was itself copied from another log, and such a log cannot be copied again"
            )));
        }
        let mut headers = record.headers;
        headers.push((COPIED_VERSION.to_owned(), Version::new(self.epoch, at.offset).as_raw().to_string()));
        Ok(Record { headers, dedupe: None, ..record })
    }

    async fn append(self, records: Vec<Record>) -> Result<u64, CopyError> {
        if records.is_empty() {
            return Ok(0);
        }
        let count = records.len() as u64;
        match self.to.append(records).await {
            Ok(_) => Ok(count),
            Err(error @ (AppendError::Full | AppendError::Retry(_))) => {
                Err(CopyError::Passing(error.to_string()))
            }
            Err(error) => Err(CopyError::Final(error.into())),
        }
    }

    /// The last record of each partition of the target that holds any.
    pub(crate) async fn last_records(self) -> anyhow::Result<Vec<(Position, Record)>> {
        let mut last = Vec::new();
        for bounds in self.to.bounds().await?.into_iter().filter(|bounds| bounds.end > bounds.start) {
            let at = Position { partition: bounds.partition, offset: bounds.end - 1 };
            last.extend(self.to.read(at, ONE).await?);
        }
        Ok(last)
    }

    /// Where the copy of a record stands.
    pub(crate) async fn position_of(
        self,
        stream: domain::StreamKey,
        version: Version,
    ) -> anyhow::Result<Option<Position>> {
        let from = self.from.bounds().await?;
        let partition = self.from.partition_of(stream);
        if from.iter().any(|bounds| bounds.partition == partition && version.offset() < bounds.start) {
            return Ok(None);
        }
        let mut next = Position { partition: self.to.partition_of(stream), offset: 0 };
        loop {
            let batch = self.to.read(next, BATCH).await?;
            let Some((last, _)) = batch.last() else { return Ok(None) };
            next.offset = last.offset + 1;
            let found = batch
                .iter()
                .find(|(_, record)| record.stream == stream && copied_version(record) == Some(version));
            if let Some((position, _)) = found {
                return Ok(Some(*position));
            }
        }
    }
}

enum CopyError {
    /// The target may take it later.
    Passing(String),
    Final(anyhow::Error),
}

impl From<event_log::LogError> for CopyError {
    fn from(error: event_log::LogError) -> Self {
        match error {
            event_log::LogError::Retry(cause) => CopyError::Passing(cause),
            error @ (event_log::LogError::Stop(_) | event_log::LogError::Gone { .. }) => {
                CopyError::Final(error.into())
            }
        }
    }
}

fn copied_version(record: &Record) -> Option<Version> {
    record.header(COPIED_VERSION)?.parse().ok().map(Version::from_raw)
}

fn is_same(original: &Record, copy: &Record) -> bool {
    original.stream == copy.stream
        && original.id == copy.id
        && original.kind == copy.kind
        && original.received_at == copy.received_at
        && original.body == copy.body
}
