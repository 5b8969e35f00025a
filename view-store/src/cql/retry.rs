//! Which failures pass by themselves, and how long a call waits for that.

use std::{future::Future, time::Duration};

use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};
use tokio::time::Instant;

use crate::port::StoreError;

/// First pause before another attempt; a leader change or a dropped connection is over by then.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause; a server that came back is used within this and what the driver waits before it connects.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a failure means for who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A server is away, slow or full: the same statement may succeed soon. Every statement of ours may be sent
    /// twice.
    Passing,
    /// We may not do that.
    Refused,
    /// The same statement will never succeed.
    Final,
}

impl Kind {
    pub(super) fn of(error: &ExecutionError) -> Self {
        match error {
            ExecutionError::LastAttemptError(error) => Self::of_attempt(error),
            ExecutionError::PrepareError(error) => Self::of_prepare(error),
            ExecutionError::BadQuery(_) | ExecutionError::UseKeyspaceError(_) => Kind::Final,
            // No server can be reached at the moment, or none answered in time.
            _ => Kind::Passing,
        }
    }

    pub(super) fn of_prepare(error: &PrepareError) -> Self {
        match error {
            PrepareError::AllAttemptsFailed { first_attempt } => Self::of_attempt(first_attempt),
            PrepareError::PreparedStatementIdsMismatch => Kind::Final,
            _ => Kind::Passing,
        }
    }

    fn of_attempt(error: &RequestAttemptError) -> Self {
        match error {
            RequestAttemptError::DbError(error, _) => Self::of_server(error),
            RequestAttemptError::BrokenConnectionError(_) | RequestAttemptError::UnableToAllocStreamId => {
                Kind::Passing
            }
            _ => Kind::Final,
        }
    }

    fn of_server(error: &DbError) -> Self {
        match error {
            DbError::AuthenticationError | DbError::Unauthorized => Kind::Refused,
            DbError::SyntaxError
            | DbError::Invalid
            | DbError::AlreadyExists { .. }
            | DbError::FunctionFailure { .. }
            | DbError::ConfigError
            | DbError::ProtocolError => Kind::Final,
            // Too few replicas, too slow, too busy, starting or stopping; and what newer servers say.
            _ => Kind::Passing,
        }
    }
}

/// Repeats `attempt` until it succeeds, cannot, or `patience` is over.
///
/// # Errors
/// [`StoreError::Retry`] with the last failure once patience is over, [`StoreError::Stop`] at once when another
/// attempt cannot help.
pub(super) async fn until_done<T, F>(
    patience: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, ExecutionError>>,
{
    let started = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if Kind::of(&error) != Kind::Passing {
            return Err(StoreError::Stop(format!("the store refuses a statement: {error}")));
        }
        if started.elapsed() + pause >= patience {
            return Err(StoreError::Retry(error.to_string()));
        }
        tracing::debug!(%error, pause_ms = pause.as_millis(), "the store did not answer; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
