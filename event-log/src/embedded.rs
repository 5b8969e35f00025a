//! The embedded adapter: one redb file in a data folder, one writing thread, one process.
//!
//! `append` compresses on its caller's side and waits; the writing thread puts whatever waits into one
//! durable transaction (*group commit*), together with the groups' dedupe keys and committed offsets; readers
//! take the newest records from memory and older ones from the file.
//!
//! *Architecture invariant*: nothing is shown to a reader or answered to a caller before the transaction that
//! holds it is on the disk. After a failed write nothing is written any more: the process must stop, because
//! what the disk holds can only be told by opening it again.

mod dedupe;
mod encoding;
mod erase;
mod fault;
mod file;
mod offsets;
mod open;
mod queue;
mod reader;
mod settings;
mod shared;
mod snapshot;
mod subscription;
mod tables;
mod tail;
mod trim;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use async_trait::async_trait;
use redb::{StorageBackend, backends::InMemoryBackend};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use self::{
    dedupe::Known,
    offsets::Offsets,
    open::Opened,
    queue::{Queue, Ready, Reservation, Waiting},
    shared::{Published, Shared},
    subscription::EmbeddedSubscription,
    tail::Tail,
    trim::Trim,
    writer::Writer,
};
pub use self::{
    open::{FILE_NAME, OpenError},
    settings::{CommitStats, EmbeddedLogSettings},
    snapshot::{LogSnapshot, SnapshotError},
    tables::PARTITIONS,
};
use crate::{
    port::{
        AppendError, Appended, Bounds, EventLog, Identity, Limit, LogError, Partition, Position,
        Subscription, Trimmed,
    },
    record::Record,
};

/// The size of one append at most: a delivery may have 25 MiB and concern two accounts, and an answer of
/// a forge that backfill appends may be larger still.
pub const APPEND_BYTES_MAX: usize = 80 << 20;

/// An append up to this size is compressed where it was called, which takes less time (tens of
/// microseconds) than handing it to another thread; a larger one would hold up the executor.
const COMPRESSED_INLINE_BYTES_MAX: usize = 256 << 10;

/// How many KiB of appends above that size are there in both forms at once, as given and as stored: compressing
/// one takes its size once more, and writing it once again. Beyond this they take turns; the largest goes alone.
const LARGE_KIB_MAX: u32 = 32 << 10;

/// A log in one file of this machine.
///
/// Dropping it writes what waits, closes the file, and ends its subscriptions with [`LogError::Stop`]; it
/// takes as long as a sync or two.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    /// Turns of large appends, in KiB.
    large: Arc<Semaphore>,
}

impl EmbeddedLog {
    /// Opens the log in `dir`; makes both where there are none.
    ///
    /// Blocks for as long as the disk takes, and after damage for a check of the whole file.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, settings: EmbeddedLogSettings) -> Result<Self, OpenError> {
        Self::start(open::open_folder(dir, &settings)?, settings)
    }

    /// A new log that lives no longer than this value; for tests and models.
    ///
    /// # Errors
    /// See [`OpenError`]; memory gives no reason for any.
    pub fn in_memory(settings: EmbeddedLogSettings) -> Result<Self, OpenError> {
        Self::with_backend(InMemoryBackend::new(), "the log in memory", settings)
    }

    /// Opens the log that `backend` holds; makes one where it is empty. `place` is what messages call it.
    ///
    /// Unlike in a folder, a crash while the log is made leaves something that is refused as not a log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn with_backend(
        backend: impl StorageBackend,
        place: &str,
        settings: EmbeddedLogSettings,
    ) -> Result<Self, OpenError> {
        Self::start(open::open_backend(backend, place, &settings)?, settings)
    }

    /// Why the log can no longer be used, once it cannot: the process must stop then.
    pub fn broken(&self) -> watch::Receiver<Option<String>> {
        self.shared.broken.subscribe()
    }

    fn start(opened: Opened, settings: EmbeddedLogSettings) -> Result<Self, OpenError> {
        let Opened { file, identity } = opened;
        let loaded = file.read(|transaction| {
            let extents = reader::extents(transaction, identity.partitions)?;
            let (known, next_dedupe_row) = Known::load(transaction)?;
            Ok((extents, known, next_dedupe_row, Offsets::load(transaction)?))
        });
        let (extents, known, next_dedupe_row, offsets) = match loaded {
            Ok(loaded) => loaded,
            Err(fault) => return Err(open::refusal(file.place().to_owned(), &fault)),
        };
        let starts: Vec<u64> = extents.iter().map(|extent| extent.start).collect();
        let ends: Vec<u64> = extents.iter().map(|extent| extent.end).collect();
        let shared = Arc::new(Shared {
            file,
            identity,
            queue: Arc::new(Queue::new(offsets)),
            known,
            tail: Tail::new(&ends, settings.tail_bytes),
            published: watch::Sender::new(Published {
                starts: starts.into(),
                ends: ends.as_slice().into(),
                stopped: None,
            }),
            stored_bytes: AtomicU64::new(extents.iter().map(|extent| extent.bytes).sum()),
            broken: watch::Sender::new(None),
            groups: Mutex::default(),
            on_commit: settings.on_commit,
        });
        let writer = Writer::new(shared.clone(), &extents, next_dedupe_row);
        let thread = thread::Builder::new()
            .name("event-log".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OpenError::Unwritable {
                place: shared.file.place().to_owned(),
                cause: format!("no thread to write it: {error}"),
            })?;
        Ok(EmbeddedLog {
            shared,
            writer: Some(thread),
            large: Arc::new(Semaphore::new(LARGE_KIB_MAX as usize)),
        })
    }

    /// Waits for the turn of an append of this size, which it has until it is written; small ones need none.
    async fn turn(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        if bytes <= COMPRESSED_INLINE_BYTES_MAX {
            return None;
        }
        let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX).min(LARGE_KIB_MAX);
        let turn = Arc::clone(&self.large).acquire_many_owned(kib).await;
        Some(turn.expect("the semaphore is never closed"))
    }

    /// Gives each record its partition and its stored form.
    async fn encode(
        &self,
        records: Vec<Record>,
        bytes: usize,
        room: Reservation,
    ) -> Result<(Vec<Ready>, Reservation), AppendError> {
        let partitions: Vec<u32> = records.iter().map(|record| self.partition_of(record.stream).0).collect();
        let encode = move || {
            let records = partitions.into_iter().zip(records);
            let ready = records.map(|(partition, record)| Ready {
                partition,
                stored: encoding::encode(&record),
                record: Arc::new(record),
            });
            (ready.collect(), room)
        };
        if bytes <= COMPRESSED_INLINE_BYTES_MAX {
            return Ok(encode());
        }
        tokio::task::spawn_blocking(encode)
            .await
            .map_err(|error| AppendError::Retry(format!("compressing was interrupted: {error}")))
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        if records.is_empty() {
            return Ok(Appended::New(Vec::new()));
        }
        let bytes = records.iter().map(Record::weight).sum();
        if bytes > APPEND_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes, bytes_max: APPEND_BYTES_MAX });
        }
        let key = records.iter().find_map(|record| record.dedupe);
        if key.is_some_and(|key| self.shared.known.contains(&key)) {
            return Ok(Appended::Duplicate);
        }
        let since = Instant::now();
        let room = self.shared.queue.reserve(bytes)?;
        let turn = self.turn(bytes).await;
        let (records, room) = self.encode(records, bytes, room).await?;
        let (reply, outcome) = oneshot::channel();
        room.submit(Waiting { records, key, since, reply, _turn: turn })?;
        outcome.await.unwrap_or_else(|_| {
            Err(AppendError::Stop("the log's writing thread ended by a fault of its own".to_owned()))
        })
    }

    async fn subscribe(&self, group: &str) -> Result<Box<dyn Subscription>, LogError> {
        Ok(Box::new(EmbeddedSubscription::join(self.shared.clone(), group)?))
    }

    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        self.shared.check_partition(from.partition)?;
        self.shared.check_start(from)?;
        let end = self.shared.published.borrow().ends[from.partition.0 as usize];
        self.shared.read(from, end, limit).await
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        let Published { starts, ends, .. } = self.shared.published.borrow().clone();
        let bounds = (0..).zip(starts.iter().zip(ends.iter()));
        Ok(bounds
            .map(|(partition, (&start, &end))| Bounds { partition: Partition(partition), start, end })
            .collect())
    }

    async fn trim(&self, before: Position, kept: &[&str]) -> Result<Option<Trimmed>, LogError> {
        self.shared.check_partition(before.partition)?;
        let mut trimmed = Trimmed::default();
        loop {
            let (reply, outcome) = oneshot::channel();
            let kept = kept.iter().map(|kind| (*kind).to_owned()).collect();
            self.shared.queue.trim(Trim { before, kept, reply })?;
            let step = outcome.await.unwrap_or_else(|_| {
                Err(LogError::Stop("the log's writing thread ended by a fault of its own".to_owned()))
            })?;
            trimmed.records += step.trimmed.records;
            trimmed.bytes += step.trimmed.bytes;
            if step.is_last {
                return Ok(Some(trimmed));
            }
        }
    }

    async fn kept(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        self.shared.check_partition(from.partition)?;
        self.shared.read_kept(from, limit).await
    }

    fn stored_bytes(&self) -> Option<u64> {
        Some(self.shared.stored_bytes.load(Ordering::Relaxed))
    }

    fn identity(&self) -> Identity {
        self.shared.identity
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(writer) = self.writer.take() {
            // It tells of its own faults through `broken`.
            let _ = writer.join();
        }
        self.shared.stop_followers("the log was closed");
        self.shared.file.close();
    }
}
