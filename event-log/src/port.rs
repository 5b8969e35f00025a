//! The port: what the rest of Tallyhook asks of a log, whichever technology keeps it.

use std::fmt;

use async_trait::async_trait;

use crate::record::Record;

/// A partition of the log, counted from 0. All records of one stream are in one partition, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub u32);

/// Where a record stands. Offsets rise by one within a partition and start at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// The offset within it.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition.0, self.offset)
    }
}

/// The records that a partition holds: `start <= offset < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The partition.
    pub partition: Partition,
    /// The first offset that is still there.
    pub start: u64,
    /// The offset that the next record will get.
    pub end: u64,
}

/// How much one read may return. At least one record is returned when there is one, however large, also
/// where a bound is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most so many records.
    pub records_max: usize,
    /// Stop after so many bytes of bodies.
    pub bytes_max: usize,
}

/// Which log this is. A recreated log has another incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Chosen at random when the log was created.
    pub incarnation: u128,
    /// How many partitions it has; never changes.
    pub partitions: u32,
}

/// What an append came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Every record is durable, at these positions, in the order given.
    New(Vec<Position>),
    /// An append with the same dedupe key is durable already; nothing was written.
    Duplicate,
}

/// Why an append may not have happened. A retry is always safe.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// More waits to be written than the log's bound allows: refuse the sender for a moment.
    #[error("the log's queue is full")]
    Full,
    /// The records will never fit: refuse them for good.
    #[error("the records are too large for the log: {bytes} bytes, at most {bytes_max}")]
    TooLarge {
        /// Size of the append.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// It may have landed or not; try again later (a leader moved, the network failed).
    #[error("the log did not answer: {0}")]
    Retry(String),
    /// The log can no longer be written by this process: stop it.
    #[error("the log is broken: {0}")]
    Stop(String),
}

/// Why a read, subscription or commit failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Try again later.
    #[error("the log did not answer: {0}")]
    Retry(String),
    /// What was asked for is past the log's retention: go on from its start, or do without.
    #[error("record {at} is past the log's retention: its partition begins at {start} now")]
    Gone {
        /// What was asked for.
        at: Position,
        /// The first offset that is still there.
        start: u64,
    },
    /// The log cannot be used by this process; the sentence names the cause and the remedy.
    #[error("{0}")]
    Stop(String),
}

/// What was forgotten of a partition, see [`EventLog::trim`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many records.
    pub records: u64,
    /// Their size as stored, in bytes.
    pub bytes: u64,
}

/// A partition that a subscription has been given, and where its group stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: Partition,
    /// The offset that the group committed last, read at assignment; `None` for an unknown group.
    pub committed: Option<u64>,
}

/// What a subscription says next.
#[derive(Debug)]
pub enum Next {
    /// These partitions are yours. Nothing of them is delivered until [`Subscription::seek`] has said
    /// from where.
    Assigned(Vec<Assignment>),
    /// Records, in order within each partition; never empty.
    Records(Vec<(Position, Record)>),
    /// These partitions go to another owner: flush, commit, forget. The following call of
    /// [`Subscription::next`] lets them go.
    Revoked(Vec<Partition>),
    /// These partitions already have another owner: forget them and commit nothing.
    Lost(Vec<Partition>),
}

/// A log of records, partitioned by stream.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends all records or none, as seen by the caller.
    ///
    /// `Ok` once every record is durable (fsynced, or acknowledged by all in-sync replicas), or is a
    /// duplicate by [`Record::dedupe`]. All records of one append carry the same key, or none. On `Err`
    /// they may have landed, and a retry is safe. Of several equal appends at once exactly one is
    /// [`Appended::New`], where the adapter remembers keys; the others wait for its outcome. Who stops
    /// waiting may not assume anything: the records land or they do not, all of them.
    ///
    /// # Errors
    /// See [`AppendError`].
    async fn append(&self, records: Vec<Record>) -> Result<Appended, AppendError>;

    /// Joins `group` and shares the partitions with its other members.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn subscribe(&self, group: &str) -> Result<Box<dyn Subscription>, LogError>;

    /// Reads records of one partition, from `from` on; empty at the end and beyond it. What was appended
    /// before is seen.
    ///
    /// # Errors
    /// See [`LogError`]; [`LogError::Gone`] for an offset before the start.
    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError>;

    /// Start and end of each partition, in partition order.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn bounds(&self) -> Result<Vec<Bounds>, LogError>;

    /// Forgets the records of a partition before `before`, but for those whose kind is one of `kept` (see
    /// [`Self::kept`]); the partition starts there from then on. The last record always stays. Durable when it
    /// returns; a crash on the way leaves the partition starting at some offset in between. `None` where this log
    /// forgets nothing at our word.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn trim(&self, before: Position, kept: &[&str]) -> Result<Option<Trimmed>, LogError> {
        let _ = (before, kept);
        Ok(None)
    }

    /// Records before the start of a partition that [`Self::trim`] kept, from an offset on; empty where there are no
    /// more.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn kept(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        let _ = (from, limit);
        Ok(Vec::new())
    }

    /// What all records take as stored, in bytes; `None` where it is not known here.
    fn stored_bytes(&self) -> Option<u64> {
        None
    }

    /// Which log this is.
    fn identity(&self) -> Identity;

    /// The partition of a stream; never changes within a log.
    fn partition_of(&self, stream: domain::StreamKey) -> Partition {
        let partitions = u64::from(self.identity().partitions);
        Partition(u32::try_from(stream.stable_hash() % partitions).expect("a partition count fits u32"))
    }
}

/// A member of a consumer group.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for what comes next. Safe to drop before it is ready: nothing is lost.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn next(&mut self, limit: Limit) -> Result<Next, LogError>;

    /// Says from where an assigned partition is to be delivered. Commits count from there too, so that a
    /// rebuild that starts over resumes itself (see [`Self::commit`]).
    ///
    /// # Errors
    /// See [`LogError`].
    async fn seek(&mut self, from: Position) -> Result<(), LogError>;

    /// Commits the offsets to continue from, one per partition. Order within a partition is kept; with
    /// [`Wait::Durable`] it returns once they are durable, with [`Wait::No`] they are soon after (at most
    /// about a second).
    ///
    /// A commit never takes a group back: one below an earlier commit is ignored. Only after a seek back
    /// do commits count from where it went. Offsets beyond what was delivered must not be committed.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn commit(&mut self, next_offsets: &[Position], wait: Wait) -> Result<(), LogError>;
}

/// Whether a commit returns at once or when it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Return at once; a crash may replay from an earlier commit.
    No,
    /// Return when durable: on revocation and at shutdown.
    Durable,
}
