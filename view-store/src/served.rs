//! The store as readers see it while a new generation is built beside an older one: each partition of the log shows
//! the newest generation that has caught up there.
//!
//! Which one that is, is a row of each partition ([`domain::Active`]), written by whoever folds it. It only ever
//! rises, so that this looks at those rows until its own generation is shown everywhere, and never again.

mod hints;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{Active, RowKey, ScanKey, StreamKey};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;
use tracing::{debug, info};

use self::hints::ServedHints;
use crate::{Hints, Row, RowStream, StoreError, ViewStore};

/// How often it is looked whether partitions have caught up: a dozen small reads, only while some have not.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The rows of one generation, and word of their changes.
#[derive(Clone)]
pub struct Generation {
    /// Its number.
    pub number: u32,
    /// Its rows.
    pub store: Arc<dyn ViewStore>,
    /// Word from those who fold it; silent where nobody does any more.
    pub hints: Arc<dyn Hints>,
}

/// How streams are divided among the partitions of the log.
pub struct Partitions {
    /// How many there are.
    pub count: u32,
    /// The partition of a stream.
    pub of: Box<dyn Fn(StreamKey) -> u32 + Send + Sync>,
}

/// Several generations as one store to read from. Clones are the same store.
#[derive(Clone)]
pub struct Served {
    shared: Arc<Shared>,
}

struct Shared {
    own: Generation,
    older: Vec<Generation>,
    partitions: Partitions,
    /// By partition; `None` where no generation has caught up yet, and our own is shown as far as it is.
    shown: watch::Sender<Vec<Option<u32>>>,
    shows_older: Arc<AtomicBool>,
}

/// The generation that has caught up with each of so many partitions, as their rows say.
///
/// # Errors
/// See [`StoreError`].
pub async fn active(store: &dyn ViewStore, partitions: u32) -> Result<Vec<Option<u32>>, StoreError> {
    let mut active = Vec::new();
    for partition in 0..partitions {
        active.push(active_of(store, partition).await?);
    }
    Ok(active)
}

async fn active_of(store: &dyn ViewStore, partition: u32) -> Result<Option<u32>, StoreError> {
    let row = store.get(&RowKey::Active(partition)).await?;
    // One that cannot be read is a newer release's.
    Ok(row.map(|row| Active::decode(&row.value).map_or(u32::MAX, |active| active.generation)))
}

impl Served {
    /// `older`: those whose rows are there. Looks at once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(
        own: Generation,
        older: Vec<Generation>,
        partitions: Partitions,
    ) -> Result<Served, StoreError> {
        let active = active(&*own.store, partitions.count).await?;
        let mut shared = Shared {
            own,
            older,
            partitions,
            shown: watch::Sender::new(Vec::new()),
            shows_older: Arc::default(),
        };
        shared.shown = watch::Sender::new(active.into_iter().map(|active| shared.choose(active)).collect());
        shared.shows_older.store(!shared.is_own(), Ordering::Relaxed);
        Ok(Served { shared: Arc::new(shared) })
    }

    /// The rows that readers see.
    pub fn store(&self) -> Arc<dyn ViewStore> {
        Arc::new(self.clone())
    }

    /// Word of changes of what readers see. When a partition shows another generation than before, everything
    /// counts as missed.
    pub fn hints(&self) -> Arc<dyn Hints> {
        Arc::new(ServedHints::new(Arc::clone(&self.shared)))
    }

    /// Whether nothing of an older generation is shown any more.
    pub fn is_own(&self) -> bool {
        self.shared.is_own()
    }

    /// The same, for whoever keeps copies and is asked often: true until a follower of [`Self::hints`] has taken in
    /// that the last partition changed over.
    pub fn shows_older(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.shows_older)
    }

    /// Whether there is a generation of every partition that has caught up, this or an older one.
    pub fn has_views(&self) -> bool {
        self.shared.shown.borrow().iter().all(Option::is_some)
    }

    /// Whether a partition shows an older generation.
    pub fn is_older(&self, partition: u32) -> bool {
        let shown = self.shared.shown.borrow();
        let number = usize::try_from(partition).ok().and_then(|partition| shown.get(partition).copied());
        number.flatten().is_some_and(|number| number != self.shared.own.number)
    }

    /// Changes partitions over as they catch up; returns when none shows an older generation.
    pub async fn change_over(&self) {
        while !self.is_own() {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.look().await {
                debug!(%error, "it is not known whether partitions have caught up; looking again");
            }
        }
        info!(generation = self.shared.own.number, "no older generation is shown any more");
    }

    /// Waits until [`Self::change_over`] is done.
    pub async fn changed_over(&self) {
        let mut shown = self.shared.shown.subscribe();
        let own = self.shared.own.number;
        let _ = shown.wait_for(|shown| shown.iter().flatten().all(|number| *number == own)).await;
    }

    /// Looks once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn look(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        for partition in 0..shared.partitions.count {
            let place = usize::try_from(partition).expect("a number of partitions fits");
            if shared.shown.borrow()[place] == Some(shared.own.number) {
                continue;
            }
            let chosen = shared.choose(active_of(&*shared.own.store, partition).await?);
            shared.shown.send_if_modified(|shown| {
                // Never back: readers would see numbers return that were replaced.
                let is_newer = shown[place] < chosen;
                if is_newer {
                    shown[place] = chosen;
                }
                is_newer
            });
        }
        Ok(())
    }
}

impl Shared {
    /// What is shown of a partition where this generation has caught up; ours, as far as it is, where we have not
    /// the rows of that one.
    fn choose(&self, active: Option<u32>) -> Option<u32> {
        let active = active?;
        let is_there = |number| self.older.iter().any(|older| older.number == number);
        if active >= self.own.number { Some(self.own.number) } else { is_there(active).then_some(active) }
    }

    fn is_own(&self) -> bool {
        self.shown.borrow().iter().flatten().all(|number| *number == self.own.number)
    }

    /// The number of the generation that a partition shows.
    fn number_of(&self, partition: u32) -> u32 {
        let shown = self.shown.borrow();
        let number = usize::try_from(partition).ok().and_then(|partition| shown.get(partition).copied());
        number.flatten().unwrap_or(self.own.number)
    }

    fn generation(&self, number: u32) -> &Generation {
        self.older.iter().find(|older| older.number == number).unwrap_or(&self.own)
    }

    fn of_stream(&self, stream: StreamKey) -> &Generation {
        self.generation(self.number_of((self.partitions.of)(stream)))
    }

    /// Those of which anything is shown.
    fn numbers(&self) -> BTreeSet<u32> {
        (0..self.partitions.count).map(|partition| self.number_of(partition)).collect()
    }

    fn shows(&self, row: &Row, number: u32) -> bool {
        row.key.stream().is_none_or(|stream| self.number_of((self.partitions.of)(stream)) == number)
    }
}

#[async_trait]
impl ViewStore for Served {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        let generation = match key.stream() {
            Some(stream) => self.shared.of_stream(stream),
            None => &self.shared.own,
        };
        generation.store.get(key).await
    }

    /// A range of several partitions that show different generations is read whole before its first row is given.
    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        let stream = match range {
            ScanKey::Entities(stream)
            | ScanKey::Members(stream)
            | ScanKey::NeedsOf(stream)
            | ScanKey::Cursors(stream) => Some(*stream),
            ScanKey::RepoNames(account) | ScanKey::Trail(account, _) => Some(StreamKey::Account(*account)),
            // Of this process's own folding, whatever is shown.
            ScanKey::Deliveries(_) => return self.shared.own.store.scan(range).await,
            ScanKey::Directory(_) | ScanKey::Needs(_) | ScanKey::Hidden(_) | ScanKey::DeadLetters(_) => None,
        };
        if let Some(stream) = stream {
            return self.shared.of_stream(stream).store.scan(range).await;
        }
        let mut rows = Vec::new();
        for number in self.shared.numbers() {
            let mut found = self.shared.generation(number).store.scan(range).await?;
            while let Some(row) = found.try_next().await? {
                if self.shared.shows(&row, number) {
                    rows.push(row);
                }
            }
        }
        rows.sort_by_cached_key(|row| row.key.encode());
        Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
    }

    /// Into our own generation, as always: what readers see of an older one is not ours to change.
    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.shared.own.store.write(rows).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.shared.own.store.flush().await
    }
}
