//! The loop: hears of needs, takes what is due, and runs so many questions at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    AccountId, EntityKey, Event, Forge, Millis, NeedKey, RowKey, ScanKey, StreamKey,
    directory::Directory,
    entity::door::Door,
    key::BUCKETS,
    need::Need,
    record::{COMMAND, Command},
};
use event_log::Record;
use futures::TryStreamExt;
use tokio::{
    sync::watch,
    task::{AbortHandle, Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use view_store::{Follower, Heard, Hint, Row, StoreError};

use crate::{
    Backfill, Metrics, Stopped,
    ask::{Asker, JobError, now},
    deliveries::{self, Deliveries},
    folded::Folded,
    held::Held,
    jobs::GistPolls,
    lanes::{Lanes, Urgency},
    latest::Poll,
    schedule::{Ended, Task, What},
    sweep::{Due, Sweep},
};

/// A mistake that only an operator can mend is tried again after this: a profile of which nothing is known at
/// least every 30 s (contract, S1).
const FINAL_PAUSE: Duration = Duration::from_secs(25);
/// What was refused with one token may be asked with another, or something else may: what is still shut says so at
/// once, and nothing is sent for it.
const SEVERAL_PAUSE: Duration = Duration::from_secs(5);
/// A store that does not answer at the start is asked again after this.
const RESCAN_PAUSE: Duration = Duration::from_secs(1);

/// Asks one forge.
pub(crate) struct Loop {
    forge: Forge,
    asker: Arc<Asker>,
    follower: Box<dyn Follower>,
    concurrency: usize,
    metrics: Metrics,
    lanes: Lanes,
    sweep: Sweep,
    /// Whether what a delivery left in doubt is asked for.
    recounts: bool,
    latest: Poll,
    running: JoinSet<Result<Ended, JobError>>,
    tasks: HashMap<Id, (Task, Urgency, AbortHandle)>,
    partitions: watch::Receiver<BTreeSet<u32>>,
    held: Held,
    /// How many tasks the metric was told of.
    pending_told: i64,
}

impl Loop {
    pub(crate) fn new(backfill: &Backfill, forge: Forge) -> Self {
        let Backfill { log, store, hints, github, bitbucket, metrics, settings, partitions } = backfill;
        let follower = hints.follow();
        let held = Held::none(&**log);
        Loop {
            forge,
            asker: Arc::new(Asker {
                log: Arc::clone(log),
                store: Arc::clone(store),
                github: github.clone(),
                bitbucket: bitbucket.clone(),
                folded: Folded::default(),
                sweeps: Arc::default(),
                allowance: Arc::default(),
                gists: GistPolls::new(settings.gist_poll, settings.gists_since),
                deliveries: Arc::new(Mutex::new(Deliveries::new(
                    // Without a token nobody's webhooks are shown.
                    settings.deliveries_poll.filter(|_| forge == Forge::GitHub && github.has_token()),
                    settings.pull,
                    settings.hook_url.clone(),
                ))),
                metrics: metrics.clone(),
                stars: Arc::default(),
                shutdown: CancellationToken::new(),
            }),
            follower,
            lanes: Lanes::default(),
            sweep: Sweep::new(settings.reconcile, settings.unread_max),
            recounts: settings.recount,
            latest: Poll::new(settings.latest_poll.filter(|_| forge == Forge::GitHub)),
            concurrency: match forge {
                Forge::GitHub => settings.concurrency,
                Forge::Bitbucket => settings.bitbucket_concurrency,
            },
            metrics: metrics.clone(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            partitions: partitions.clone(),
            held,
            pending_told: 0,
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), Stopped> {
        let stop = self.asker.shutdown.clone();
        let held = self.partitions.borrow_and_update().clone();
        self.hold(held, &shutdown).await?;
        while !shutdown.is_cancelled() {
            self.begin_due().await?;
            self.tell_pending();
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
                    let held = self.partitions.borrow_and_update().clone();
                    self.hold(held, &shutdown).await?;
                }
                Some(ended) = self.running.join_next_with_id() => {
                    let id = match &ended {
                        Ok((id, _)) => *id,
                        Err(error) => error.id(),
                    };
                    self.ended(id, ended.map(|(_, ended)| ended))?;
                }
                () = tokio::time::sleep_until(at) => {}
            }
        }
        // What is being asked is asked again at the next start; nothing is lost.
        stop.cancel();
        self.running.shutdown().await;
        Ok(())
    }

    /// Takes over the accounts of partitions that came, lets go of those of partitions that went.
    async fn hold(&mut self, partitions: BTreeSet<u32>, shutdown: &CancellationToken) -> Result<(), Stopped> {
        let gained = self.held.become_these(partitions);
        self.asker.github.take_part(self.held.part());
        let (held, log) = (&self.held, &*self.asker.log);
        let is_held = |stream: StreamKey| held.has(stream, log);
        for (task, _, question) in self.tasks.values().filter(|(task, ..)| !is_held(task.stream)) {
            // Whoever holds it now asks for itself.
            tracing::debug!(what = ?task.what, "a question is left to another process");
            question.abort();
        }
        self.lanes.let_go(is_held);
        self.sweep.let_go(|account| is_held(StreamKey::Account(account)));
        self.asker.let_go_of_sweeps(|account| is_held(StreamKey::Account(account)));
        self.asker.deliveries().let_go(is_held);
        let looks_at_app = self.asker.github.is_app() && self.follows_latest();
        self.asker.deliveries().look_at_app(looks_at_app && self.forge == Forge::GitHub);
        if gained {
            // A larger part may be spent than the one that was used up; whatever else shuts the forge says so again.
            self.lanes.open();
            self.scan_until_done(shutdown).await?;
            info!(forge = self.forge.as_str(), pending = self.lanes.len(), "asking a forge");
        }
        Ok(())
    }

    /// How many questions of each lane may run at once: this process's share.
    fn at_once_max(&self) -> usize {
        self.held.share_of(self.concurrency)
    }

    /// Whether the newest public repositories are this process's to ask for.
    fn follows_latest(&self) -> bool {
        self.held.has(StreamKey::Service, &*self.asker.log)
    }

    /// The loops of all forges share one gauge.
    fn tell_pending(&mut self) {
        let pending = i64::try_from(self.lanes.len()).unwrap_or(i64::MAX);
        self.metrics.pending.add(pending - self.pending_told);
        self.pending_told = pending;
    }

    /// When something may be begun next.
    fn next_at(&self) -> Instant {
        /// Looked at even if nothing is known to be due, so that a clock that was set right is noticed.
        const IDLE: Duration = Duration::from_secs(60);
        let now_ms = now();
        let poll = self.latest.next_at().filter(|_| self.follows_latest());
        let hooks = self.asker.deliveries().next_at();
        let added = self.sweep.next_at().into_iter().chain(poll).chain(hooks).min();
        let added = added.map_or(IDLE, |at| {
            Duration::from_millis(u64::try_from(at.0.saturating_sub(now_ms.0)).unwrap_or(0)).min(IDLE)
        });
        let added = Instant::now() + added;
        self.lanes.next_at(now_ms, self.at_once_max()).map_or(added, |task| task.min(added))
    }

    async fn begin_due(&mut self) -> Result<(), Stopped> {
        let now_ms = now();
        while let Some(due) = self.sweep.next(now_ms) {
            match due {
                Due::Sweep(account) => {
                    self.lanes.add(StreamKey::Account(account), What::Sweep, now_ms, now_ms);
                    if account.forge() == Forge::GitHub {
                        self.lanes.add(StreamKey::Account(account), What::Stars, now_ms, now_ms);
                    }
                }
                Due::Drop(account) => self.drop_account(account).await?,
            }
        }
        self.plan_deliveries(now_ms);
        if self.follows_latest() && self.latest.next(now_ms) {
            self.lanes.add(StreamKey::Service, What::Latest, now_ms, now_ms);
        }
        let places = self.at_once_max();
        while let Some((urgency, task)) = self.lanes.next(now_ms, places) {
            let asker = self.asker.asking(urgency.spender(&task.what), task.stream);
            let asked = task.clone();
            let question = self.running.spawn(async move { asker.run(&asked).await });
            self.tasks.insert(question.id(), (task, urgency, question));
        }
        Ok(())
    }

    fn plan_deliveries(&mut self, now_ms: Millis) {
        let mut deliveries = self.asker.deliveries();
        while let Some(due) = deliveries.next(now_ms) {
            let (stream, what) = match due {
                deliveries::Due::Find => (StreamKey::Service, What::Hooks),
                deliveries::Due::Check(_) if !self.sweep.is_on() => continue,
                deliveries::Due::Check(account) => (StreamKey::Account(account), What::Sweep),
                deliveries::Due::Look(stream, hook) => (stream, What::Deliveries(hook)),
            };
            self.lanes.add(stream, what, now_ms, now_ms);
        }
    }

    fn ended(
        &mut self,
        id: Id,
        ended: Result<Result<Ended, JobError>, tokio::task::JoinError>,
    ) -> Result<(), Stopped> {
        let Some((task, urgency, _)) = self.tasks.remove(&id) else { return Ok(()) };
        self.lanes.left(urgency);
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return Ok(()),
            Err(error) => return Err(Stopped(format!("a question to a forge failed: {error}"))),
        };
        let now_ms = now();
        let ended = match ended {
            Ok(ended) => ended,
            Err(JobError::Wait(after, sentence) | JobError::Away(after, sentence)) => {
                info!(wait_s = after.as_secs(), sentence, "the forge is not to be asked for a while");
                self.close(after);
                Ended::Part
            }
            Err(JobError::Reserved(after, sentence)) => {
                info!(wait_s = after.as_secs(), sentence, "only what repairs is asked for a while");
                self.lanes.close_rest(Instant::now() + after);
                Ended::Part
            }
            Err(JobError::Retry(sentence)) => {
                warn!(sentence, "a question came to nothing; it is asked again");
                Ended::Failed
            }
            Err(JobError::Final(sentence)) => {
                error!(sentence, "a question cannot be asked until this is mended");
                self.close(FINAL_PAUSE);
                Ended::Failed
            }
            Err(JobError::Stop(sentence)) => return Err(Stopped(sentence)),
            Err(JobError::Ending) => Ended::Failed,
        };
        self.lanes.ended(urgency, &task, ended, now_ms);
        Ok(())
    }

    fn close(&mut self, after: Duration) {
        let several = self.asker.github.has_several_askers() && self.forge == Forge::GitHub;
        let after = if several { after.min(SEVERAL_PAUSE) } else { after };
        self.lanes.close(Instant::now() + after);
    }

    fn hear(&mut self, hints: &[Hint]) {
        for hint in hints {
            match hint {
                Hint::Folded { partition, version } => self.asker.folded.note(*partition, *version),
                Hint::Row { key, version, value: Some(value) } => {
                    // A question that begins at once must know that its need is folded: word of that comes
                    // after the rows, and an answer that seems older than its need would be asked again.
                    if let RowKey::Need(stream, _) = key {
                        self.asker.folded.note(self.asker.log.partition_of(*stream).0, *version);
                    }
                    self.note(key, value);
                }
                Hint::Row { .. } => {}
            }
        }
    }

    fn note(&mut self, key: &RowKey, value: &[u8]) {
        match key {
            RowKey::Need(stream, need)
                if forge_of(*stream, need) == self.forge && self.held.has(*stream, &*self.asker.log) =>
            {
                if let Ok(state) = Need::decode(value) {
                    self.note_need(*stream, need, state);
                }
            }
            RowKey::Directory(account)
                if account.forge() == self.forge
                    && self.held.has(StreamKey::Account(*account), &*self.asker.log) =>
            {
                if let Ok(directory) = Directory::decode(value) {
                    self.sweep.note(*account, &directory);
                    self.asker.deliveries().note(*account, &directory, now());
                }
            }
            RowKey::Entity(StreamKey::Service, EntityKey::Door) => {
                if let Ok(door) = Door::decode(value) {
                    self.sweep.door_opened(door.opened_ms);
                }
            }
            _ => {}
        }
    }

    fn note_need(&mut self, stream: StreamKey, need: &NeedKey, state: Need) {
        let now_ms = now();
        let state = match (need, state) {
            // Another loop sends.
            (NeedKey::Outbox, _) => return,
            (_, Need::Open { is_doubt: true, .. }) if !self.recounts => Need::Met,
            (NeedKey::Gists, _) if !self.asker.gists.are_on() => return,
            (NeedKey::Gists, Need::Open { is_doubt, raised_at, not_before }) => {
                let not_before = self.asker.gists.latest(not_before, now_ms);
                Need::Open { is_doubt, raised_at, not_before }
            }
            (_, state) => state,
        };
        self.lanes.note(stream, need.clone(), &state, now_ms);
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

    /// Reads every need and every kept account of what is held, and how far each partition is folded.
    async fn scan(&mut self) -> Result<(), StoreError> {
        self.lanes.forget_needs(now());
        let store = Arc::clone(&self.asker.store);
        for (partition, version) in self.follower.folded() {
            self.asker.folded.note(partition, version);
        }
        let door = RowKey::Entity(StreamKey::Service, EntityKey::Door);
        if let Some(row) = store.get(&door).await? {
            self.note(&row.key, &row.value);
        }
        let buckets: Vec<u8> = (0..BUCKETS).filter(|bucket| self.held.may_be_in(*bucket)).collect();
        for bucket in buckets {
            for range in [ScanKey::Needs(bucket), ScanKey::Directory(bucket)] {
                let mut rows = store.scan(&range).await?;
                while let Some(Row { key, value, .. }) = rows.try_next().await? {
                    self.note(&key, &value);
                }
            }
        }
        Ok(())
    }

    async fn drop_account(&mut self, account: AccountId) -> Result<(), Stopped> {
        let stream = StreamKey::Account(account);
        let record = Record {
            stream,
            id: uuid::Uuid::new_v4().to_string(),
            dedupe: None,
            kind: COMMAND.to_owned(),
            received_at: now(),
            headers: Vec::new(),
            body: Command { events: vec![Event::Dropped] }.encode().into(),
        };
        match self.asker.log.append(vec![record]).await {
            Ok(_) => Ok(()),
            Err(event_log::AppendError::Stop(sentence)) => Err(Stopped(sentence)),
            // It is due again after the next interval.
            Err(error) => {
                warn!(%error, "an account that nobody reads was not let go");
                Ok(())
            }
        }
    }
}

/// Whom a need is asked of.
fn forge_of(stream: StreamKey, need: &NeedKey) -> Forge {
    match (stream, need) {
        (StreamKey::Account(account), _) => account.forge(),
        (StreamKey::Service, NeedKey::Login(forge, _)) => *forge,
        (StreamKey::Service, _) => Forge::GitHub,
    }
}
