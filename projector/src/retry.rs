//! Storage that does not answer is asked again until it does: the loop pauses, it never skips.

use std::{future::Future, time::Duration};

use event_log::LogError;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use view_store::StoreError;

use crate::Stopped;

/// First pause; a blip of a leader change is shorter.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause; a store that came back is used within this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// An error that says whether trying again may help.
pub(crate) trait Retryable: std::fmt::Display {
    /// The final sentence, if trying again cannot help.
    fn stop(self) -> Result<Self, Stopped>
    where
        Self: Sized;
}

impl Retryable for StoreError {
    fn stop(self) -> Result<Self, Stopped> {
        match self {
            StoreError::Stop(sentence) => Err(Stopped(sentence)),
            StoreError::Retry(_) => Ok(self),
        }
    }
}

impl Retryable for LogError {
    fn stop(self) -> Result<Self, Stopped> {
        match self {
            LogError::Stop(sentence) => Err(Stopped(sentence)),
            LogError::Retry(_) => Ok(self),
            // Whoever asks for what may be gone looks before.
            LogError::Gone { .. } => Err(Stopped(self.to_string())),
        }
    }
}

/// Repeats `attempt` until it succeeds or cannot.
///
/// # Errors
/// When trying again cannot help, or shutdown was asked for while the storage is away: what was not written
/// is folded again at the next start.
pub(crate) async fn until_done<T, E, F>(
    what: &str,
    shutdown: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Stopped>
where
    E: Retryable,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = PAUSE_MIN;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error.stop()?,
        };
        warn!(what, %error, pause_ms = pause.as_millis(), "storage did not answer; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = shutdown.cancelled() => return Err(Stopped(format!("{what}: {error}"))),
        }
    }
}
