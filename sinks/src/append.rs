//! How a step reaches the log, and how its fold is waited for.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{
    Epoch, Event, Millis, RowKey, StreamKey, Version,
    event::SendingNote,
    record::{COMMAND, Command},
};
use event_log::{AppendError, Appended, EventLog, Position, Record};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use view_store::{Positions, StoreError, ViewStore};

/// An append that found the queue full is tried again after this.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// A step is folded within milliseconds; this long means that the projector is busy or away. Then nothing is done,
/// and the rows are looked at again.
const FOLD_WAIT_MAX: Duration = Duration::from_secs(10);

/// Why a step was not made.
#[derive(Debug)]
pub(crate) enum StepError {
    /// Look again in a moment.
    Retry(String),
    /// Storage is broken: the process must end.
    Stop(String),
    /// The process is ending.
    Ending,
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry(sentence) => StepError::Retry(sentence),
            StoreError::Stop(sentence) => StepError::Stop(sentence),
        }
    }
}

/// Appends steps.
#[derive(Clone)]
pub(crate) struct Appender {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) folded: watch::Sender<Positions>,
    pub(crate) shutdown: CancellationToken,
}

/// A step in the log.
pub(crate) struct Step {
    /// What it is called in rows.
    pub(crate) version: Version,
    /// When it was said, on our clock.
    pub(crate) said: Millis,
}

/// Our own clock.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The epoch in which positions count.
pub(crate) async fn epoch(store: &dyn ViewStore) -> Result<Epoch, StepError> {
    let row = store.get(&RowKey::Epoch).await?;
    let epoch = row.and_then(|row| Epoch::decode(&row.value).ok());
    epoch.ok_or_else(|| StepError::Stop("the store has no epoch that this release can read".to_owned()))
}

impl Appender {
    /// Appends a step and waits until it is folded.
    pub(crate) async fn step(
        &self,
        stream: StreamKey,
        note: SendingNote,
        epoch: Epoch,
    ) -> Result<Step, StepError> {
        let said = now();
        let record = Record {
            stream,
            id: uuid::Uuid::new_v4().to_string(),
            dedupe: None,
            kind: COMMAND.to_owned(),
            received_at: said,
            headers: Vec::new(),
            body: Command { events: vec![Event::GistSending(note)] }.encode().into(),
        };
        let position = self.append(record).await?;
        self.wait(position).await?;
        Ok(Step { version: Version::new(epoch, position.offset), said })
    }

    async fn append(&self, record: Record) -> Result<Position, StepError> {
        loop {
            match self.log.append(vec![record.clone()]).await {
                Ok(Appended::New(positions)) => {
                    return positions
                        .last()
                        .copied()
                        .ok_or_else(|| StepError::Retry("nothing was appended".to_owned()));
                }
                Ok(Appended::Duplicate) => {
                    return Err(StepError::Retry("the log took it for a duplicate".to_owned()));
                }
                Err(AppendError::Full) => {
                    tokio::select! {
                        () = tokio::time::sleep(FULL_PAUSE) => {}
                        () = self.shutdown.cancelled() => return Err(StepError::Ending),
                    }
                }
                // It may be in the log: what is folded then says so.
                Err(AppendError::Retry(sentence)) => return Err(StepError::Retry(sentence)),
                Err(error @ AppendError::TooLarge { .. }) => return Err(StepError::Retry(error.to_string())),
                Err(AppendError::Stop(sentence)) => return Err(StepError::Stop(sentence)),
            }
        }
    }

    async fn wait(&self, position: Position) -> Result<(), StepError> {
        let mut folded = self.folded.subscribe();
        let is_folded = |folded: &Positions| {
            folded.get(position.partition.0).is_some_and(|version| version.offset() >= position.offset)
        };
        let waited = tokio::time::timeout(FOLD_WAIT_MAX, folded.wait_for(is_folded)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(StepError::Ending),
            Err(_) => Err(StepError::Retry("a step was not folded in time".to_owned())),
        }
    }
}
