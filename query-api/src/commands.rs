//! How wishes reach the log: records of our own, appended to the stream that they concern.

use std::sync::Arc;

use domain::{
    Epoch, Event, StreamKey, Version,
    record::{COMMAND, Command},
};
use event_log::{AppendError, Appended, EventLog, Partition, Position, Record};
use tokio::time::Instant;

use crate::{Clock, protocol::problem::Problem};

/// Appends commands.
#[derive(Clone)]
pub(crate) struct Commands {
    log: Arc<dyn EventLog>,
    clock: Clock,
    epoch: Epoch,
}

/// Why it is not known that a command is in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAppended {
    /// It is not; try again in a moment.
    #[error("not appended: {0}")]
    Refused(AppendError),
    /// It may be, or become so.
    #[error("the log did not answer in time")]
    Unknown,
}

impl Commands {
    pub(crate) fn new(log: Arc<dyn EventLog>, clock: Clock, epoch: Epoch) -> Self {
        Commands { log, clock, epoch }
    }

    fn now(&self) -> domain::Millis {
        (self.clock)()
    }

    /// A record for one stream; `id` is what a person would look for.
    pub(crate) fn record(&self, stream: StreamKey, id: String, events: Vec<Event<'_>>) -> Record {
        Record {
            stream,
            id,
            dedupe: None,
            kind: COMMAND.to_owned(),
            received_at: self.now(),
            headers: Vec::new(),
            body: Command { events }.encode().into(),
        }
    }

    /// Appends all or none, and says where. The append goes on when nobody waits for it any more.
    pub(crate) async fn append(
        &self,
        records: Vec<Record>,
        deadline: Instant,
    ) -> Result<Vec<Position>, NotAppended> {
        let log = Arc::clone(&self.log);
        let appending = tokio::spawn(async move { log.append(records).await });
        match tokio::time::timeout_at(deadline, appending).await {
            Ok(Ok(Ok(Appended::New(positions)))) => Ok(positions),
            Ok(Ok(Ok(Appended::Duplicate))) => Ok(Vec::new()),
            Ok(Ok(Err(AppendError::Retry(cause)))) => {
                tracing::warn!(cause, "a command may not be in the log");
                Err(NotAppended::Unknown)
            }
            Ok(Ok(Err(error))) => Err(NotAppended::Refused(error)),
            Ok(Err(_)) | Err(_) => Err(NotAppended::Unknown),
        }
    }

    /// The records' versions, by which their folding is told.
    pub(crate) fn versions(&self, positions: &[Position]) -> Vec<(Partition, Version)> {
        let version = |position: &Position| Version::new(self.epoch, position.offset);
        positions.iter().map(|position| (position.partition, version(position))).collect()
    }
}

impl From<NotAppended> for Problem {
    fn from(error: NotAppended) -> Self {
        match error {
            NotAppended::Refused(error) => {
                tracing::warn!(%error, "a command was not appended");
                Problem::unavailable()
            }
            NotAppended::Unknown => Problem::unconfirmed(),
        }
    }
}
