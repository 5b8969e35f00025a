//! What lets the log forget: looks now and then what of it is past its age or size, makes a base where none replaces
//! that yet, and has the records before it forgotten.
//!
//! Nothing is forgotten that is not folded, durable in the store, and in a whole base that is durable in the log; a
//! base is made only when something can be forgotten behind it. Commands stay. Only a log that forgets at our word
//! ([`EventLog::trim`]) has use for this.
//!
//! *Architecture invariant*: this is a source like any other. It reads rows, and appends.

mod base;
mod metrics;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use domain::{
    base::{Finder, Found},
    record::{BASE, COMMAND, ERASED_CHECKSUM},
};
use event_log::{AppendError, Bounds, EventLog, Limit, LogError, Partition, Position};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use view_store::{RowStream, StoreError, ViewStore};

use self::base::Maker;
pub use self::metrics::RetentionMetrics;
use crate::{Stopped, ask::now};

/// What is read of the log at a time.
const READ: Limit = Limit { records_max: 1_000, bytes_max: 4 * 1024 * 1024 };
/// One record, whatever its size.
const ONE: Limit = Limit { records_max: 1, bytes_max: 0 };
/// A base's end is folded within moments; this long means that the projector is behind, and the next look comes soon
/// enough.
const FOLDED_WAIT_MAX: Duration = Duration::from_secs(60);
const FOLDED_PAUSE: Duration = Duration::from_millis(20);
/// What bodies of a base become in the log, about: rows are compressed a little less than deliveries.
const BASE_SHRINKS: u64 = 3;

/// All rows that say which account a login means: they belong to no stream, and a store that can list them does.
pub type Aliases = Arc<dyn Fn() -> Result<RowStream, StoreError> + Send + Sync>;

/// What is kept of the log, and how often it is looked at.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// Records that were received longer ago are forgotten; `None`: never for their age.
    pub age: Option<Duration>,
    /// Of a log that is larger the oldest records are forgotten; `None`: never for its size.
    pub bytes: Option<u64>,
    /// How often it is looked at.
    pub every: Duration,
    /// How long it is waited after each record of a base, so that whoever serves readers has its turn.
    pub pace: Duration,
}

/// What lets the log forget.
pub struct Retention {
    /// What forgets, and is appended to.
    pub log: Arc<dyn EventLog>,
    /// What bases are read from.
    pub store: Arc<dyn ViewStore>,
    /// What they are read from besides.
    pub aliases: Aliases,
    /// The partitions that are this process's: held, and caught up.
    pub partitions: watch::Receiver<BTreeSet<u32>>,
    /// Where it is told.
    pub metrics: RetentionMetrics,
    /// What is kept.
    pub settings: RetentionSettings,
}

/// Why a look came to nothing.
enum Trouble {
    /// The next one may come to more.
    Later(String),
    /// Log or store can no longer be used.
    Stop(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Later(sentence) | Trouble::Stop(sentence) => f.write_str(sentence),
        }
    }
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Stop(sentence) => Trouble::Stop(sentence),
            error @ (LogError::Retry(_) | LogError::Gone { .. }) => Trouble::Later(error.to_string()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stop(sentence) => Trouble::Stop(sentence),
            StoreError::Retry(sentence) => Trouble::Later(sentence),
        }
    }
}

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Stop(sentence) => Trouble::Stop(sentence),
            error => Trouble::Later(error.to_string()),
        }
    }
}

/// What a look would have forgotten of a partition: everything before these offsets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wanted {
    by_age: u64,
    by_size: u64,
}

impl Retention {
    /// Looks at the log until `shutdown`.
    ///
    /// # Errors
    /// When log or store can no longer be used.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Stopped> {
        let mut bases = BTreeMap::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.settings.every) => {}
            }
            let looked = tokio::select! {
                // What was begun of a base is left without an end, and is not one.
                () = shutdown.cancelled() => return Ok(()),
                looked = self.look(&mut bases) => looked,
            };
            match looked {
                Ok(()) => {}
                Err(Trouble::Stop(sentence)) => return Err(Stopped(sentence)),
                Err(Trouble::Later(cause)) => warn!(cause, "the log could not forget; trying again later"),
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// Why it came to nothing.
    pub async fn look_once(&self) -> Result<(), Stopped> {
        self.look(&mut BTreeMap::new()).await.map_err(|trouble| Stopped(trouble.to_string()))
    }

    /// Looks once at every partition, one after the other.
    async fn look(&self, bases: &mut BTreeMap<Partition, Found>) -> Result<(), Trouble> {
        let mut oldest_ms = None;
        for bounds in self.log.bounds().await? {
            if !self.partitions.borrow().contains(&bounds.partition.0) {
                continue;
            }
            self.look_at(&bounds, bases).await?;
            let first =
                Position { partition: bounds.partition, offset: self.start_of(bounds.partition).await? };
            let first = self.log.read(first, ONE).await?;
            let received = first.first().map(|(_, record)| record.received_at.0);
            oldest_ms = [oldest_ms, received].into_iter().flatten().min();
        }
        self.metrics.looked(self.log.stored_bytes(), oldest_ms.map(|oldest| now().0 - oldest));
        Ok(())
    }

    async fn start_of(&self, partition: Partition) -> Result<u64, Trouble> {
        let bounds = self.log.bounds().await?;
        Ok(bounds.iter().find(|bounds| bounds.partition == partition).map_or(0, |bounds| bounds.start))
    }

    async fn look_at(&self, bounds: &Bounds, bases: &mut BTreeMap<Partition, Found>) -> Result<(), Trouble> {
        let partition = bounds.partition;
        let wanted = self.wanted(bounds).await?;
        let cut = wanted.by_age.max(wanted.by_size);
        if cut <= bounds.start {
            return Ok(());
        }
        if !bases.contains_key(&partition) {
            bases.extend(find(&*self.log, bounds).await?.map(|found| (partition, found)));
        }
        let base = bases.get(&partition).copied();
        if cut > reach(base) && self.is_worth_a_base(base, &wanted, bounds) {
            let maker = Maker {
                log: &*self.log,
                store: &*self.store,
                aliases: &self.aliases,
                pace: self.settings.pace,
                is_needed: bounds.start > 0,
            };
            if let Some(made) = maker.make(partition).await? {
                self.metrics.base_made(now());
                info!(
                    partition = partition.0,
                    from = made.begin.from.offset(),
                    bytes = made.bytes,
                    "made a base of the rows, behind which the log may forget"
                );
                bases.insert(partition, made);
            }
        }
        let Some(base) = bases.get(&partition) else { return Ok(()) };
        let before = cut.min(reach(Some(*base)));
        if before <= bounds.start || !self.is_durable(partition, base.last).await? {
            return Ok(());
        }
        let before = Position { partition, offset: before };
        if let Some(trimmed) = self.log.trim(before, &[COMMAND]).await? {
            self.metrics.trimmed(&trimmed);
            let (records, bytes) = (trimmed.records, trimmed.bytes);
            info!(position = %before, records, bytes, "the log forgot what is past its retention");
        }
        Ok(())
    }

    /// The offsets before which everything is too much.
    async fn wanted(&self, bounds: &Bounds) -> Result<Wanted, Trouble> {
        let mut wanted = Wanted::default();
        if let Some(age) = self.settings.age {
            let since = now().0 - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            wanted.by_age = self.first_since(bounds, since).await?;
        }
        if let (Some(bytes_max), Some(bytes)) = (self.settings.bytes, self.log.stored_bytes())
            && bytes > bytes_max
        {
            // As much of each partition as of the whole; what records weigh evens out over some looks.
            let records = u128::from(bounds.end - bounds.start);
            let excess = u128::from(bytes - bytes_max);
            let part = (records * excess).div_ceil(u128::from(bytes));
            wanted.by_size = bounds.start + u64::try_from(part).unwrap_or(0);
        }
        Ok(wanted)
    }

    /// The first record of a partition that was received at this time or later, found by halving; its end if none was.
    async fn first_since(&self, bounds: &Bounds, since_ms: i64) -> Result<u64, Trouble> {
        let (mut low, mut high) = (bounds.start, bounds.end);
        while low < high {
            // The first is looked at first: mostly it is young enough.
            let middle = if low == bounds.start { low } else { low + (high - low) / 2 };
            let at = Position { partition: bounds.partition, offset: middle };
            let read = self.log.read(at, ONE).await?;
            let Some((_, record)) = read.first() else { break };
            if record.received_at.0 < since_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Whether another base is to be made. For a size alone only once the log has grown by what the last one took: one
    /// that is larger than the log may be would be made again and again.
    fn is_worth_a_base(&self, base: Option<Found>, wanted: &Wanted, bounds: &Bounds) -> bool {
        let Some(base) = base else { return true };
        if wanted.by_age > reach(Some(base)) {
            return true;
        }
        let bytes = self.log.stored_bytes().unwrap_or(0);
        let grown = bounds.end.saturating_sub(base.last + 1);
        // Partitions hold about equally heavy records.
        let records =
            bounds.end.saturating_sub(bounds.start).max(1) * u64::from(self.log.identity().partitions);
        grown.saturating_mul(bytes / records) > base.bytes / BASE_SHRINKS
    }

    /// Whether the rows of a partition are durable up to a record, which is waited for.
    async fn is_durable(&self, partition: Partition, offset: u64) -> Result<bool, Trouble> {
        let until = tokio::time::Instant::now() + FOLDED_WAIT_MAX;
        loop {
            if base::folded(&*self.store, partition).await?.is_some_and(|folded| folded.offset() >= offset) {
                self.store.flush().await?;
                return Ok(true);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(FOLDED_PAUSE).await;
        }
    }
}

/// Makes a base of a partition of a log that does not hold everything from its beginning on. Nothing is folded
/// meanwhile.
///
/// # Errors
/// When log or store do not answer, or can no longer be used.
pub async fn make_base(
    log: &dyn EventLog,
    store: &dyn ViewStore,
    aliases: &Aliases,
    partition: Partition,
) -> Result<(), Stopped> {
    let maker = Maker { log, store, aliases, pace: Duration::ZERO, is_needed: true };
    maker.make(partition).await.map(|_| ()).map_err(|trouble| Stopped(trouble.to_string()))
}

/// The newest base of a partition, if there is a whole one.
async fn find(log: &dyn EventLog, bounds: &Bounds) -> Result<Option<Found>, Trouble> {
    let mut finder = Finder::default();
    let mut next = Position { partition: bounds.partition, offset: bounds.start };
    while next.offset < bounds.end {
        let read = log.read(next, READ).await?;
        let Some((last, _)) = read.last() else { break };
        next.offset = last.offset + 1;
        for (at, record) in read.iter().filter(|(_, it)| it.kind == BASE || it.body.is_empty()) {
            finder.take(at.offset, &record.body, record.header(ERASED_CHECKSUM).is_some());
        }
    }
    Ok(finder.newest())
}

/// Up to where a base replaces records. The last one before it stays: by it the log is recognised if the store goes
/// back to where it was durable when the base was begun.
fn reach(base: Option<Found>) -> u64 {
    base.map_or(0, |base| base.begin.from.offset().saturating_sub(1))
}
