//! The loop: next, fold, write, hint; and on a timer flush, then commit.

mod anew;
mod loads;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{
    AccountId, Active, Epoch, Family, GENERATION, Row, RowKey, StreamKey, Version, ViewKey,
    ledger::LargeViews,
    need::Need,
    record::{ATTEMPT_CURSOR, BASE},
};
use event_log::{Assignment, EventLog, Next, Partition, Position, Record, Subscription, Wait};
use futures::future::OptionFuture;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use view_store::{Hint, Hints, StoreError, ViewStore};

use crate::{
    Projector, ProjectorSettings, Stopped,
    batch::{Folded, Folder},
    dead_letters::{self, DeadLetters},
    deliveries::{self, Applied},
    loads::Loads,
    metrics::Metrics,
    neighbours::LargeNeighbours,
    progress::Progress,
    retry::until_done,
    seen::{self, Recogniser, Seen},
    working_set::{Bounds, WorkingSet},
};

/// So many rows are handed to the store at once; a record that touches thousands of views comes in slices.
const WRITE_ROWS_MAX: usize = 4_096;
/// At the end large neighbours are rendered for so long at most: a shutdown has ten seconds.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// A partition that is being folded.
struct Tail {
    /// The offset to fold next.
    next: u64,
    /// The last folded record.
    version: Version,
    /// Offsets and checksums of records that are folded and not committed yet.
    uncommitted: VecDeque<Seen>,
    /// The end of the log when the partition was assigned.
    target: u64,
    /// Whether everything up to there is folded.
    caught_up: bool,
}

/// An account whose large views wait to be rendered.
struct Deferred {
    partition: Partition,
    /// The first offset that the views do not show.
    since: u64,
    due: Instant,
    /// Deliveries that they do not show, by offset; no more than are remembered of a partition.
    unseen: BTreeMap<u64, Applied>,
}

/// Offsets that may be committed once what was written before is durable.
type Commit = Vec<Position>;

pub(crate) struct Loop {
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    hints: Arc<dyn Hints>,
    subscription: Box<dyn Subscription>,
    settings: ProjectorSettings,
    metrics: Metrics,
    progress: Progress,
    shutdown: CancellationToken,
    epoch: Epoch,
    tails: BTreeMap<Partition, Tail>,
    working_set: WorkingSet,
    loads: Loads,
    dead_letters: DeadLetters,
    deferred: BTreeMap<AccountId, Deferred>,
    neighbours: LargeNeighbours,
    /// When each large account's views were rendered last, and how long it took.
    rendered: BTreeMap<AccountId, (Instant, Duration)>,
    has_unflushed: bool,
    flush_due: Instant,
    flushing: Option<JoinHandle<Result<Commit, StoreError>>>,
    caught_up: bool,
}

impl Loop {
    pub(crate) async fn start(projector: Projector, shutdown: CancellationToken) -> Result<Self, Stopped> {
        let Projector { log, store, hints, progress, metrics, settings } = projector;
        let epoch = until_done("reading the epoch", &shutdown, || seen::epoch_of(&*store)).await?;
        let group = Projector::group();
        let subscription = until_done("joining the group", &shutdown, || log.subscribe(&group)).await?;
        let now = Instant::now();
        Ok(Loop {
            working_set: WorkingSet::new(Bounds::new(settings.working_set_bytes_max)),
            loads: Loads::default(),
            log,
            store,
            hints,
            subscription,
            settings,
            dead_letters: DeadLetters::new(metrics.dead_letters.clone()),
            metrics,
            progress,
            shutdown,
            epoch,
            tails: BTreeMap::new(),
            deferred: BTreeMap::new(),
            neighbours: LargeNeighbours::default(),
            rendered: BTreeMap::new(),
            has_unflushed: false,
            flush_due: now,
            flushing: None,
            caught_up: false,
        })
    }

    pub(crate) async fn run(mut self) -> Result<(), Stopped> {
        loop {
            let due = self.due();
            let limit = self.settings.batch;
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Some(flushed) = OptionFuture::from(self.flushing.as_mut()) => {
                    self.flushing = None;
                    self.commit(flushed_or_stop(flushed)?, Wait::No).await?;
                }
                Some(()) = OptionFuture::from(due.map(tokio::time::sleep_until)) => self.tick().await?,
                (account, ledger, records) = self.loads.read() => {
                    self.working_set.insert(account, ledger?);
                    self.fold(records).await?;
                }
                next = self.subscription.next(limit), if !self.loads.is_full() => match next {
                    Ok(next) => self.take(next).await?,
                    Err(event_log::LogError::Stop(sentence)) => return Err(Stopped(sentence)),
                    Err(error) => {
                        warn!(%error, "the log did not answer; trying again");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
        self.finish(None).await
    }

    fn due(&self) -> Option<Instant> {
        let flush = (self.has_unflushed && self.flushing.is_none()).then_some(self.flush_due);
        let render = self.deferred.values().map(|deferred| deferred.due).min();
        [flush, render, self.neighbours.next_at()].into_iter().flatten().min()
    }

    async fn tick(&mut self) -> Result<(), Stopped> {
        let now = Instant::now();
        if self.deferred.values().any(|deferred| deferred.due <= now) {
            self.render_deferred(now).await?;
        }
        if let Some((account, partition)) = self.neighbours.due(now) {
            self.render_neighbours(account, partition).await?;
        }
        if self.has_unflushed && self.flushing.is_none() && self.flush_due <= now {
            self.start_flush().await?;
        }
        Ok(())
    }

    async fn take(&mut self, next: Next) -> Result<(), Stopped> {
        match next {
            Next::Records(records) => {
                self.note_taken(&records);
                let records = self.load(records).await?;
                self.fold(records).await
            }
            Next::Assigned(assignments) => self.assigned(&assignments).await,
            Next::Revoked(partitions) => {
                self.finish(Some(&partitions)).await?;
                self.forget(&partitions);
                Ok(())
            }
            Next::Lost(partitions) => {
                self.forget(&partitions);
                Ok(())
            }
        }
    }

    async fn assigned(&mut self, assignments: &[Assignment]) -> Result<(), Stopped> {
        self.count_dead_letters(assignments).await?;
        let bounds = until_done("reading the log's bounds", &self.shutdown, || self.log.bounds()).await?;
        for assignment in assignments {
            let Some(bounds) = bounds.iter().find(|bounds| bounds.partition == assignment.partition) else {
                return Err(Stopped(format!("the log has no partition {}", assignment.partition.0)));
            };
            let start = match self.recogniser().start_of(assignment, bounds).await? {
                Some(start) => start,
                None => self.begin_anew(bounds).await?,
            };
            let at = Position { partition: assignment.partition, offset: start };
            if let Err(error) = self.subscription.seek(at).await {
                return Err(Stopped(error.to_string()));
            }
            let tail = Tail {
                next: start,
                version: Version::NONE,
                uncommitted: VecDeque::new(),
                target: bounds.end,
                caught_up: false,
            };
            self.tails.insert(assignment.partition, tail);
            if start > 0 {
                self.tell_folded(at.partition, Version::new(self.epoch, start - 1), start);
            }
            info!(position = %at, end = bounds.end, "folding a partition");
        }
        self.tell_current();
        self.note_caught_up().await
    }

    async fn count_dead_letters(&mut self, assignments: &[Assignment]) -> Result<(), Stopped> {
        let taken: Vec<Partition> = assignments.iter().map(|assignment| assignment.partition).collect();
        let is_ours = |stream: StreamKey| taken.contains(&self.log.partition_of(stream));
        let found = until_done("counting dead letters", &self.shutdown, || {
            dead_letters::stored(&*self.store, is_ours)
        });
        let found = found.await?;
        self.dead_letters.take(found);
        Ok(())
    }

    fn recogniser(&self) -> Recogniser<'_> {
        Recogniser {
            log: &*self.log,
            store: &*self.store,
            epoch: self.epoch,
            remedy: self.settings.remedy,
            shutdown: &self.shutdown,
        }
    }

    fn note_taken(&mut self, records: &[(Position, Record)]) {
        for (position, record) in records {
            if let Some(tail) = self.tails.get_mut(&position.partition) {
                tail.next = position.offset + 1;
                tail.uncommitted
                    .push_back(Seen { offset: position.offset, checksum: seen::checksum(record) });
            }
        }
    }

    async fn fold(&mut self, records: Vec<(Position, Record)>) -> Result<(), Stopped> {
        let mut folder = Folder {
            store: &*self.store,
            working_set: &mut self.working_set,
            dead_letters: &mut self.dead_letters,
            metrics: &self.metrics,
            epoch: self.epoch,
            shutdown: &self.shutdown,
        };
        let folded = folder.fold(&records).await?;
        let first: BTreeMap<Partition, u64> =
            records.iter().rev().map(|(position, _)| (position.partition, position.offset)).collect();
        let applied = self.applied(&records, &folded);
        self.write_folded(folded, applied, &first).await?;
        if records.iter().any(|(_, record)| record.kind == BASE) {
            // They change no row, but whoever made them waits until they are folded and all before them is durable.
            self.flush_soon();
        }
        self.measure_freshness(&records);
        self.working_set.shrink();
        self.note_caught_up().await
    }

    /// Writes everything that a batch changed, large views aside that were rendered a moment ago.
    async fn write_folded(
        &mut self,
        folded: Folded,
        applied: Vec<(StreamKey, Applied)>,
        first: &BTreeMap<Partition, u64>,
    ) -> Result<(), Stopped> {
        let Folded { accounts, mut rows, last, deliveries: _ } = folded;
        let now = Instant::now();
        for account in accounts {
            let partition = self.log.partition_of(StreamKey::Account(account));
            let rest = self.rest_of(account, now);
            let large = if rest.is_none() { LargeViews::Render } else { LargeViews::Later };
            self.drain(account, large, &mut rows).await?;
            let since = first.get(&partition).copied().unwrap_or(0);
            let ledger = self.working_set.get(account);
            let (is_deferred, has_neighbours) =
                ledger.map_or((false, false), |it| (it.has_deferred_views(), it.has_large_neighbours()));
            if has_neighbours {
                self.neighbours.wait(account, partition, since, now);
            } else {
                self.neighbours.end(account);
            }
            match rest {
                Some(due) if is_deferred => {
                    let unseen = BTreeMap::new();
                    self.deferred.entry(account).or_insert(Deferred { partition, since, due, unseen });
                }
                _ => {
                    if let Some(shown) = self.deferred.remove(&account) {
                        rows.extend(self.visible(shown.unseen));
                    }
                }
            }
        }
        self.tell_of_deliveries(applied, &mut rows);
        self.write(rows).await?;
        for (partition, version) in last {
            let partition = Partition(partition);
            let Some(tail) = self.tails.get_mut(&partition) else { continue };
            // What waited for its account is older than what was folded meanwhile.
            tail.version = tail.version.max(version);
            let (version, next) = (tail.version, tail.next);
            if self.loads.held(partition).is_none() {
                self.tell_folded(partition, version, next);
            }
        }
        Ok(())
    }

    /// The deliveries of a batch that are new enough to be remembered.
    fn applied(&self, records: &[(Position, Record)], folded: &Folded) -> Vec<(StreamKey, Applied)> {
        let partitions = self.log.identity().partitions;
        let is_remembered = |position: &Position| {
            let tail = self.tails.get(&position.partition);
            tail.is_some_and(|tail| !deliveries::is_past(position.offset, tail.target, partitions))
        };
        let deliveries = folded.deliveries.iter().filter_map(|(place, version, outcome)| {
            let (position, record) = records.get(*place)?;
            let applied = || Applied::new(*position, record, *version, *outcome);
            is_remembered(position).then(|| (record.stream, applied()))
        });
        deliveries.collect()
    }

    /// Adds the rows of deliveries. Those of an account whose large views are put off are told of again when they are
    /// rendered.
    fn tell_of_deliveries(&mut self, applied: Vec<(StreamKey, Applied)>, rows: &mut Vec<Row>) {
        let partitions = self.log.identity().partitions;
        for (stream, applied) in applied {
            let deferred = stream.account().and_then(|account| self.deferred.get_mut(&account));
            let Some(deferred) = deferred else {
                rows.push(applied.visible(partitions));
                continue;
            };
            rows.push(applied.waiting(partitions));
            deferred.unseen.insert(applied.position.offset, applied);
            // What is overwritten by then need not be told of.
            if deferred.unseen.len() > domain::delivery::slots(partitions) as usize {
                deferred.unseen.pop_first();
            }
        }
    }

    /// The rows of deliveries whose account's views show them now.
    fn visible(&self, unseen: BTreeMap<u64, Applied>) -> impl Iterator<Item = Row> + use<> {
        let partitions = self.log.identity().partitions;
        unseen.into_values().map(move |applied| applied.visible(partitions))
    }

    fn tell_folded(&self, partition: Partition, version: Version, next: u64) {
        self.progress.folded(partition, version, next);
        self.hints.publish(vec![Hint::Folded { partition: partition.0, version }]);
    }

    async fn write(&mut self, rows: Vec<Row>) -> Result<(), Stopped> {
        if rows.is_empty() {
            return Ok(());
        }
        let hints: Vec<Hint> = rows.iter().filter(|row| is_followed(&row.key)).map(hint_of).collect();
        until_done("writing rows", &self.shutdown, || self.store.write(rows.clone())).await?;
        self.metrics.rows.inc_by(rows.len() as u64);
        self.metrics.row_bytes.inc_by(rows.iter().map(|row| row.value.len() as u64).sum());
        if !hints.is_empty() {
            self.hints.publish(hints);
        }
        self.flush_soon();
        Ok(())
    }

    fn flush_soon(&mut self) {
        if !self.has_unflushed {
            self.has_unflushed = true;
            self.flush_due = Instant::now() + self.settings.flush_every;
        }
    }

    /// Notes what may be committed, then makes it durable beside the fold.
    async fn start_flush(&mut self) -> Result<(), Stopped> {
        let commit = self.note_seen().await?;
        self.has_unflushed = false;
        let store = Arc::clone(&self.store);
        self.flushing = Some(tokio::spawn(async move { store.flush().await.map(|()| commit) }));
        Ok(())
    }

    /// Writes the row of the last record of each partition whose rows are all written; returns the offsets
    /// after them.
    async fn note_seen(&mut self) -> Result<Commit, Stopped> {
        let mut commit = Commit::new();
        let mut rows = Vec::new();
        for (partition, tail) in &mut self.tails {
            let held = self.deferred.values().filter(|deferred| deferred.partition == *partition);
            let held = held.map(|deferred| deferred.since).chain(self.neighbours.held(*partition));
            let held = held.chain(self.loads.held(*partition)).min();
            let safe = held.unwrap_or(tail.next).min(tail.next);
            let mut last = None;
            while tail.uncommitted.front().is_some_and(|seen| seen.offset < safe) {
                last = tail.uncommitted.pop_front();
            }
            if let Some(seen) = last {
                rows.push(seen.row(partition.0, self.epoch));
                commit.push(Position { partition: *partition, offset: safe });
            }
        }
        until_done("writing rows", &self.shutdown, || self.store.write(rows.clone())).await?;
        Ok(commit)
    }

    async fn commit(&mut self, commit: Commit, wait: Wait) -> Result<(), Stopped> {
        if commit.is_empty() && wait == Wait::No {
            return Ok(());
        }
        match self.subscription.commit(&commit, wait).await {
            Ok(()) => Ok(()),
            Err(event_log::LogError::Stop(sentence)) => Err(Stopped(sentence)),
            // The next commit says the same and more.
            Err(error) => {
                warn!(%error, "offsets were not committed; a crash now would fold a little more again");
                Ok(())
            }
        }
    }

    /// Renders, writes, flushes and commits everything that is folded; all partitions, or those that go.
    async fn finish(&mut self, partitions: Option<&[Partition]>) -> Result<(), Stopped> {
        let leaving = |partition: &Partition| partitions.is_none_or(|going| going.contains(partition));
        if let Some(flushing) = self.flushing.take() {
            let commit = flushed_or_stop(flushing.await)?;
            self.commit(commit, Wait::No).await?;
        }
        // Storage that is away must not hold up a shutdown: what is not written is folded again.
        let patience = CancellationToken::new();
        let shutdown = std::mem::replace(&mut self.shutdown, patience);
        for deferred in self.deferred.values_mut().filter(|deferred| leaving(&deferred.partition)) {
            deferred.due = Instant::now();
        }
        let begun = Instant::now();
        self.neighbours.hurry(begun, |partition| leaving(&partition));
        let finished: Pin<Box<dyn Future<Output = Result<(), Stopped>> + Send + '_>> = Box::pin(async {
            self.render_deferred(Instant::now()).await?;
            // What takes too long is rendered by whoever folds it again.
            while let Some((account, partition)) = self.neighbours.due(Instant::now())
                && begun.elapsed() < FINISH_MAX
            {
                self.render_neighbours(account, partition).await?;
                self.neighbours.hurry(begun, |partition| leaving(&partition));
            }
            let commit = self.note_seen().await?;
            self.store.flush().await.map_err(|error| Stopped(error.to_string()))?;
            self.commit(commit, Wait::Durable).await
        });
        let result = finished.await;
        self.shutdown = shutdown;
        result
    }

    fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.tails.remove(partition);
        }
        self.tell_current();
        let log = Arc::clone(&self.log);
        let is_gone =
            |account: AccountId| partitions.contains(&log.partition_of(StreamKey::Account(account)));
        self.dead_letters.forget(|stream| partitions.contains(&log.partition_of(stream)));
        self.working_set.forget_all(is_gone);
        self.loads.forget(is_gone);
        self.deferred.retain(|account, _| !is_gone(*account));
        self.neighbours.forget(is_gone);
        self.rendered.retain(|account, _| !is_gone(*account));
    }

    /// Effects of a partition begin, and its rows are served, once what its log held at the assignment is folded.
    async fn note_caught_up(&mut self) -> Result<(), Stopped> {
        let mut rows = Vec::new();
        for (partition, tail) in &mut self.tails {
            let is_folded = tail.next >= tail.target && self.loads.held(*partition).is_none();
            if !tail.caught_up && is_folded {
                tail.caught_up = true;
                rows.push(Active { generation: GENERATION }.row(partition.0, self.epoch));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.write(rows).await?;
        self.tell_current();
        if !self.caught_up && self.tails.values().all(|tail| tail.caught_up) {
            self.caught_up = true;
            self.progress.caught_up(true);
            info!("caught up with the log");
        }
        Ok(())
    }

    fn tell_current(&self) {
        self.progress.held(self.tails.keys().copied().collect());
        let current: BTreeSet<u32> =
            self.tails.iter().filter(|(_, tail)| tail.caught_up).map(|(partition, _)| partition.0).collect();
        self.progress.current(current);
    }

    fn measure_freshness(&self, records: &[(Position, Record)]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for (_, record) in records {
            let received = Duration::from_millis(u64::try_from(record.received_at.0).unwrap_or_default());
            let age = now.saturating_sub(received).as_secs_f64();
            if self.caught_up && record.kind == domain::record::GITHUB_DELIVERY {
                self.metrics.freshness.observe(age);
            }
            self.metrics.lag_seconds.set(age);
        }
    }
}

fn flushed_or_stop(
    flushed: Result<Result<Commit, StoreError>, tokio::task::JoinError>,
) -> Result<Commit, Stopped> {
    match flushed {
        Ok(Ok(commit)) => Ok(commit),
        Ok(Err(error)) => Err(Stopped(error.to_string())),
        Err(error) => Err(Stopped(format!("flushing the store: {error}"))),
    }
}

/// Rows of which copies are kept elsewhere, or that somebody waits for.
fn is_followed(key: &RowKey) -> bool {
    match key.family() {
        // Of a delivery those learn who wait for it, by the position that is folded.
        Family::Member | Family::Seen | Family::Epoch | Family::Active | Family::Delivery | Family::Trail => {
            false
        }
        // Of how far jobs got only those who asked need know; whether they get anywhere readers are told.
        Family::Cursor => matches!(key, RowKey::Cursor(_, kind) if kind.starts_with(ATTEMPT_CURSOR)),
        Family::Entity => matches!(key, RowKey::Entity(StreamKey::Service, _)),
        // Chunks are many, and are read with their head only.
        Family::View => {
            !matches!(key, RowKey::View(_, ViewKey::NeighboursChunk(..) | ViewKey::NeighboursMark(_)))
        }
        Family::RepoName
        | Family::Directory
        | Family::Need
        | Family::Hidden
        | Family::DeadLetter
        | Family::Alias => true,
    }
}

fn hint_of(row: &Row) -> Hint {
    // Whoever works off needs knows one that is met.
    let is_need = row.is_erased() && row.key.family() == Family::Need;
    let value = if is_need { Need::Met.encode().into() } else { row.value.clone() };
    Hint::Row { key: row.key.clone(), version: row.version, value: Some(value) }
}
