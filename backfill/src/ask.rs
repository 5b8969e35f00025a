//! One question on its way: noted before the first request, appended when it is answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{
    AccountId, Asked, Event, Millis, RepoId, Second, StreamKey, Version,
    record::{self, ANSWER, Answer, CursorNote},
};
use event_log::{AppendError, Appended, EventLog, LogError, Position, Record};
use github::client::{AskError, Asking, Client, Spender, WaitWhy};
use tokio_util::sync::CancellationToken;
use view_store::{StoreError, ViewStore};

use crate::{
    deliveries::Deliveries,
    folded::{Folded, Snapshot},
    jobs::{GistPolls, StarProgress},
    latest::Allowance,
    metrics::Metrics,
    rows::{Etag, ReadError, Rows},
};

/// An append that found the queue full is tried again after this.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// What every question uses. Copies share everything.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ViewStore>,
    pub(crate) github: Client,
    pub(crate) bitbucket: bitbucket::client::Client,
    pub(crate) folded: Folded,
    /// When the sweep of an account began that is not finished yet, on our clock.
    pub(crate) sweeps: Arc<Mutex<HashMap<AccountId, Millis>>>,
    /// What the newest public repositories may still cost.
    pub(crate) allowance: Arc<Mutex<Allowance>>,
    /// How gists are polled.
    pub(crate) gists: GistPolls,
    /// The webhooks that send to us.
    pub(crate) deliveries: Arc<Mutex<Deliveries>>,
    pub(crate) metrics: Metrics,
    /// How far questions about stargazers got.
    pub(crate) stars: Arc<StarProgress>,
    pub(crate) shutdown: CancellationToken,
}

/// Why a question came to nothing.
#[derive(Debug)]
pub(crate) enum JobError {
    /// Nothing may be asked for so long.
    Wait(Duration, String),
    /// The same, but for the repair of what readers see.
    Reserved(Duration, String),
    /// The same, because the forge does not answer.
    Away(Duration, String),
    /// Ask again.
    Retry(String),
    /// Asking again does not help until an operator changed something.
    Final(String),
    /// Storage is broken: the process must end.
    Stop(String),
    /// The process is ending.
    Ending,
}

impl From<AskError> for JobError {
    fn from(error: AskError) -> Self {
        let sentence = error.to_string();
        match error {
            AskError::Wait { after, why: WaitWhy::Unavailable } => JobError::Away(after, sentence),
            AskError::Wait { after, why: WaitWhy::Reserved } => JobError::Reserved(after, sentence),
            AskError::Wait { after, .. } => JobError::Wait(after, sentence),
            AskError::Retry(_) => JobError::Retry(sentence),
            AskError::Final(_) => JobError::Final(sentence),
        }
    }
}

impl From<bitbucket::client::AskError> for JobError {
    fn from(error: bitbucket::client::AskError) -> Self {
        use bitbucket::client::{AskError, WaitWhy};

        let sentence = error.to_string();
        match error {
            AskError::Wait { after, why: WaitWhy::Unavailable } => JobError::Away(after, sentence),
            AskError::Wait { after, why: WaitWhy::Limited } => JobError::Wait(after, sentence),
            AskError::Retry(_) => JobError::Retry(sentence),
            AskError::Final(_) => JobError::Final(sentence),
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry(sentence) => JobError::Retry(sentence),
            StoreError::Stop(sentence) => JobError::Stop(sentence),
        }
    }
}

impl From<ReadError> for JobError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Decode(_) => JobError::Stop(error.to_string()),
        }
    }
}

impl From<LogError> for JobError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Retry(sentence) => JobError::Retry(sentence),
            LogError::Stop(sentence) => JobError::Stop(sentence),
            gone @ LogError::Gone { .. } => JobError::Stop(gone.to_string()),
        }
    }
}

/// The moment before the first request of a question.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    folded: Snapshot,
    pub(crate) ms: Millis,
}

/// What became of an append.
#[derive(Debug)]
pub(crate) enum Appending {
    /// The log has it.
    Done(Appended),
    /// It never will; the sentence says why.
    TooLarge(String),
}

/// What an answer says to one stream.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) stream: StreamKey,
    pub(crate) events: Vec<Event<'static>>,
    pub(crate) cursors: Vec<CursorNote<'static>>,
}

impl Told {
    pub(crate) fn to(stream: StreamKey, events: Vec<Event<'static>>) -> Self {
        Told { stream, events, cursors: Vec::new() }
    }

    #[must_use]
    pub(crate) fn cursor(mut self, kind: String, value: String) -> Self {
        self.cursors.push(CursorNote { kind: kind.into(), value: value.into() });
        self
    }

    /// Keeps the answer's `ETag` for the next question.
    #[must_use]
    pub(crate) fn etag(
        self,
        what: &str,
        repo: Option<RepoId>,
        etag: Option<String>,
        asked_at: Version,
    ) -> Self {
        match etag {
            Some(etag) => {
                let value = serde_json::to_string(&Etag { etag, asked_at }).expect("an etag serializes");
                self.cursor(record::etag_cursor(what, repo), value)
            }
            None => self,
        }
    }
}

/// Our own clock.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Moment {
    /// What of a stream was folded then.
    pub(crate) fn version(&self, stream: StreamKey, log: &dyn EventLog) -> Version {
        self.folded.of(stream, log)
    }

    /// A question that takes any answer.
    pub(crate) fn anew(&self) -> Asking<'static> {
        Asking::anew(self.ms.to_second())
    }

    /// A question that need not be answered where nothing changed.
    pub(crate) fn unless_unchanged<'e>(&self, etag: Option<&'e String>) -> Asking<'e> {
        Asking { etag: etag.map(String::as_str), now: self.ms.to_second() }
    }
}

impl Asker {
    /// The same, whose questions to GitHub are asked for this, and belong to this stream.
    pub(crate) fn asking(&self, spender: Spender, stream: StreamKey) -> Self {
        let github = self.github.spending_as(spender).asking_about(stream.account());
        Asker { github, ..self.clone() }
    }

    /// Notes the moment before a question.
    pub(crate) fn moment(&self) -> Moment {
        Moment { folded: self.folded.snapshot(), ms: now() }
    }

    /// An earlier moment, of which the version of one stream is known.
    pub(crate) fn moment_at(&self, stream: StreamKey, version: Version) -> Moment {
        Moment { folded: Snapshot::only(stream, version, &*self.log), ms: now() }
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows(&*self.store)
    }

    /// Appends what was answered, all or nothing; returns where the last record stands.
    pub(crate) async fn append(
        &self,
        moment: &Moment,
        date: Second,
        told: Vec<Told>,
    ) -> Result<Position, JobError> {
        let received_at = now();
        let records: Vec<Record> = told
            .into_iter()
            .map(|told| {
                let asked_at = moment.version(told.stream, &*self.log);
                let asked = Asked { asked_at, asked_ms: moment.ms, date };
                let answer = Answer { asked, events: told.events, cursors: told.cursors };
                Record {
                    stream: told.stream,
                    id: uuid::Uuid::new_v4().to_string(),
                    dedupe: None,
                    kind: ANSWER.to_owned(),
                    received_at,
                    headers: Vec::new(),
                    body: answer.encode().into(),
                }
            })
            .collect();
        match self.append_records(records).await? {
            Appending::Done(Appended::New(positions)) => {
                positions.last().copied().ok_or_else(|| JobError::Retry("nothing was appended".to_owned()))
            }
            Appending::Done(Appended::Duplicate) => {
                Err(JobError::Retry("the log took it for a duplicate".to_owned()))
            }
            Appending::TooLarge(sentence) => Err(JobError::Final(sentence)),
        }
    }

    /// Appends records, all or nothing, however long the log takes.
    pub(crate) async fn append_records(&self, records: Vec<Record>) -> Result<Appending, JobError> {
        loop {
            match self.log.append(records.clone()).await {
                Ok(appended) => return Ok(Appending::Done(appended)),
                Err(AppendError::Full | AppendError::Retry(_)) => {
                    tokio::select! {
                        () = tokio::time::sleep(FULL_PAUSE) => {}
                        () = self.shutdown.cancelled() => return Err(JobError::Ending),
                    }
                }
                Err(error @ AppendError::TooLarge { .. }) => {
                    return Ok(Appending::TooLarge(error.to_string()));
                }
                Err(AppendError::Stop(sentence)) => return Err(JobError::Stop(sentence)),
            }
        }
    }

    /// The webhooks that send to us.
    pub(crate) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the running sweep of an account began: one that was interrupted goes on.
    pub(crate) fn sweep_begun(&self, account: AccountId) -> Millis {
        let mut sweeps = self.sweeps.lock().unwrap_or_else(PoisonError::into_inner);
        *sweeps.entry(account).or_insert_with(now)
    }

    /// The sweep of an account is finished.
    pub(crate) fn sweep_ended(&self, account: AccountId) {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }

    /// Sweeps of other accounts are for other processes to finish.
    pub(crate) fn let_go_of_sweeps(&self, is_held: impl Fn(AccountId) -> bool) {
        let mut sweeps = self.sweeps.lock().unwrap_or_else(PoisonError::into_inner);
        sweeps.retain(|account, _| is_held(*account));
        self.stars.let_go(is_held);
    }

    /// Sleeps, unless the process is ending.
    pub(crate) async fn sleep_until(&self, at: Millis) -> Result<(), JobError> {
        let rest = u64::try_from(at.0 - now().0).unwrap_or(0);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(rest)) => Ok(()),
            () = self.shutdown.cancelled() => Err(JobError::Ending),
        }
    }
}
