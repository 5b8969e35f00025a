//! The loop: hears which accounts have something to send, and works off one after the other, so that the sink is
//! never asked twice at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{Millis, NeedKey, RowKey, ScanKey, StreamKey, key::BUCKETS, need::Need};
use event_log::EventLog;
use futures::TryStreamExt;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use view_store::{Follower, Heard, Hint, Positions, Row, StoreError, ViewStore};

use crate::{
    Sinks, Stopped,
    append::{Appender, StepError, now},
    outbox::{Outbox, Turn},
};

/// A store that does not answer is asked again after this.
const RESCAN_PAUSE: Duration = Duration::from_secs(1);
/// Looked at even if nothing is known to be due, so that a clock that was set right is noticed.
const IDLE: Duration = Duration::from_secs(60);

/// Sends.
pub(crate) struct Loop {
    outbox: Arc<Outbox>,
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    follower: Box<dyn Follower>,
    folded: watch::Sender<Positions>,
    partitions: watch::Receiver<BTreeSet<u32>>,
    held: BTreeSet<u32>,
    /// When something of an account is to be looked at, on our clock.
    due: BTreeMap<StreamKey, Millis>,
    running: JoinSet<(StreamKey, Result<Turn, StepError>)>,
    closed_until: Option<Instant>,
    stop: CancellationToken,
}

impl Loop {
    pub(crate) fn new(sinks: Sinks) -> Self {
        let Sinks { log, store, hints, sink, texts, metrics, settings, partitions } = sinks;
        let follower = hints.follow();
        let folded = watch::Sender::new(Positions::default());
        let stop = CancellationToken::new();
        let appender = Appender { log: Arc::clone(&log), folded: folded.clone(), shutdown: stop.clone() };
        let outbox = Outbox { store: Arc::clone(&store), appender, sink, texts, metrics, settings };
        Loop {
            outbox: Arc::new(outbox),
            log,
            store,
            follower,
            folded,
            partitions,
            held: BTreeSet::new(),
            due: BTreeMap::new(),
            running: JoinSet::new(),
            closed_until: None,
            stop,
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Stopped> {
        self.held = self.partitions.borrow_and_update().clone();
        self.scan_until_done(&shutdown).await?;
        while !shutdown.is_cancelled() {
            self.begin_due();
            let at = self.next_at();
            tokio::select! {
                () = shutdown.cancelled() => break,
                heard = self.follower.next() => match heard {
                    Some(Heard::Hints(hints)) => self.hear(&hints),
                    Some(Heard::Missed) => self.scan_until_done(&shutdown).await?,
                    None => break,
                },
                changed = self.partitions.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.held = self.partitions.borrow_and_update().clone();
                    self.scan_until_done(&shutdown).await?;
                }
                Some(ended) = self.running.join_next() => {
                    let (stream, turn) =
                        ended.map_err(|error| Stopped(format!("the outbox failed: {error}")))?;
                    self.ended(stream, turn)?;
                }
                () = tokio::time::sleep_until(at) => {}
            }
        }
        // A call under way is found by its marker after the next start.
        self.stop.cancel();
        self.running.shutdown().await;
        Ok(())
    }

    fn begin_due(&mut self) {
        if !self.running.is_empty() || self.closed_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.closed_until = None;
        let first = self.due.iter().min_by_key(|(_, at)| **at).map(|(stream, at)| (*stream, *at));
        let Some((stream, at)) = first else { return };
        let Some(account) = stream.account().filter(|_| at <= now()) else { return };
        self.due.remove(&stream);
        let outbox = Arc::clone(&self.outbox);
        self.running.spawn(async move { (stream, outbox.work(account).await) });
    }

    fn next_at(&self) -> Instant {
        let first = self.due.values().min().filter(|_| self.running.is_empty());
        let rest = first.map_or(IDLE, |at| {
            Duration::from_millis(u64::try_from(at.0.saturating_sub(now().0)).unwrap_or(0)).min(IDLE)
        });
        let at = Instant::now() + rest;
        self.closed_until.map_or(at, |until| at.max(until))
    }

    fn ended(&mut self, stream: StreamKey, turn: Result<Turn, StepError>) -> Result<(), Stopped> {
        let pause = self.outbox.settings.retry_pause;
        match turn {
            // Word of the turn's own steps may have put it back earlier: then it is looked at once more.
            Ok(Turn::Done(Some(at))) => {
                let known = self.due.entry(stream).or_insert(at);
                *known = at.min(*known);
            }
            // What came meanwhile has put it back already.
            Ok(Turn::Done(None)) | Err(StepError::Ending) => {}
            Ok(Turn::Closed(wait)) => {
                self.due.insert(stream, now());
                self.closed_until = self.closed_until.max(Some(Instant::now() + wait));
            }
            Ok(Turn::Later(wait)) => {
                self.due.insert(stream, later(wait));
            }
            Err(StepError::Retry(sentence)) => {
                warn!(sentence, "a step of the outbox came to nothing; the rows are looked at again");
                self.due.insert(stream, later(pause));
            }
            Err(StepError::Stop(sentence)) => return Err(Stopped(sentence)),
        }
        Ok(())
    }

    fn hear(&mut self, hints: &[Hint]) {
        for hint in hints {
            match hint {
                Hint::Folded { partition, version } => {
                    self.folded.send_if_modified(|folded| folded.note(*partition, *version));
                }
                Hint::Row { key, value: Some(value), .. } => self.note(key, value),
                Hint::Row { .. } => {}
            }
        }
    }

    fn note(&mut self, key: &RowKey, value: &[u8]) {
        let RowKey::Need(stream, NeedKey::Outbox) = key else { return };
        if !self.held.contains(&self.log.partition_of(*stream).0) {
            return;
        }
        match Need::decode(value) {
            Ok(Need::Open { not_before, .. }) => {
                self.due.insert(*stream, not_before);
            }
            Ok(Need::Met) => {
                self.due.remove(stream);
            }
            Err(_) => {}
        }
    }

    async fn scan_until_done(&mut self, shutdown: &CancellationToken) -> Result<(), Stopped> {
        loop {
            match self.scan().await {
                Ok(()) => return Ok(()),
                Err(StoreError::Stop(sentence)) => return Err(Stopped(sentence)),
                Err(StoreError::Retry(sentence)) => warn!(sentence, "the store did not answer; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(RESCAN_PAUSE) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }

    /// Reads what is to be sent of all that is held, and how far each partition is folded.
    async fn scan(&mut self) -> Result<(), StoreError> {
        self.due.clear();
        let told: Vec<_> = self.follower.folded().into_iter().collect();
        self.folded.send_modify(|folded| {
            for (partition, version) in told {
                folded.note(partition, version);
            }
        });
        let store = Arc::clone(&self.store);
        for bucket in 0..BUCKETS {
            let mut rows = store.scan(&ScanKey::Needs(bucket)).await?;
            while let Some(Row { key, value, .. }) = rows.try_next().await? {
                self.note(&key, &value);
            }
        }
        Ok(())
    }
}

fn later(wait: Duration) -> Millis {
    now().plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
