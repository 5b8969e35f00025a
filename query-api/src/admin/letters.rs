//! Dead letters as rows, found by the position of their record.

use domain::{Millis, Row, RowKey, ScanKey, StreamKey, Version, directory::DeadLetter, key::BUCKETS};
use event_log::{Limit, LogError, Partition, Position, Record};
use futures::TryStreamExt;
use view_store::StoreError;

use crate::{protocol::problem::Problem, rows::ReadError, window::Window};

/// A record that could not be folded.
pub(super) struct Letter {
    pub(super) stream: StreamKey,
    pub(super) version: Version,
    pub(super) position: Position,
    /// The record's id.
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) received: Millis,
    pub(super) reason: String,
}

/// All that wait, in the order of the log.
pub(super) async fn all(window: &Window) -> Result<Vec<Letter>, Problem> {
    let mut letters = Vec::new();
    for bucket in 0..BUCKETS {
        let mut rows = window.store.scan(&ScanKey::DeadLetters(bucket)).await?;
        while let Some(row) = rows.try_next().await? {
            letters.extend(letter(&row)?);
        }
    }
    letters.sort_by_key(|letter| letter.position);
    Ok(letters)
}

fn letter(row: &Row) -> Result<Option<Letter>, ReadError> {
    let RowKey::DeadLetter(stream, version) = row.key else { return Ok(None) };
    match DeadLetter::decode(&row.value).map_err(|_| ReadError::Unreadable)? {
        DeadLetter::Ended => Ok(None),
        DeadLetter::Dead { id, kind, partition, offset, received_ms, reason } => Ok(Some(Letter {
            stream,
            version,
            position: Position { partition: Partition(partition), offset },
            id,
            kind,
            received: received_ms,
            reason,
        })),
    }
}

/// Its record, as long as the log has it.
pub(super) async fn record(window: &Window, letter: &Letter) -> Result<Option<Record>, Problem> {
    let one = Limit { records_max: 1, bytes_max: usize::MAX };
    let records = match window.log.read(letter.position, one).await {
        Err(LogError::Gone { .. }) => return Ok(None),
        read => read?,
    };
    let found = records.into_iter().find(|(position, _)| *position == letter.position);
    Ok(found.map(|(_, record)| record))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "rows could not be read");
        Problem::unavailable()
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        tracing::warn!(%error, "a record could not be read");
        Problem::unavailable()
    }
}
