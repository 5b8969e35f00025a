//! How a process is asked to end or to read its settings again, and how long it may take over the end.

use std::{io, process, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// What the operating system's signals ask of this process.
///
/// SIGINT and SIGTERM ask it to drain and end; a second one ends it at once with exit code 128 + the
/// signal's number (130, 143), as shells report a process that a signal ended. SIGHUP asks it to read again
/// what can be read again.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Cancelled by the first SIGINT or SIGTERM.
    pub shutdown: CancellationToken,
    /// Changes with every SIGHUP; the value counts them.
    pub reload: watch::Receiver<u64>,
}

impl Signals {
    /// Listens from now on; call it within the runtime, before anything that takes long.
    ///
    /// # Errors
    /// When the operating system refuses to deliver signals.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let shutdown = CancellationToken::new();
        let (reloads, reload) = watch::channel(0);
        let asked = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => end(&asked, SignalKind::interrupt(), "SIGINT"),
                    _ = terminate.recv() => end(&asked, SignalKind::terminate(), "SIGTERM"),
                    _ = hang_up.recv() => reloads.send_modify(|count| *count += 1),
                }
            }
        });
        Ok(Signals { shutdown, reload })
    }
}

fn end(asked: &CancellationToken, kind: SignalKind, name: &str) {
    if asked.is_cancelled() {
        tracing::warn!(signal = name, "a second signal: ending at once");
        process::exit(128 + kind.as_raw_value());
    }
    tracing::info!(signal = name, "shutting down; a second signal ends at once");
    asked.cancel();
}

/// Awaits the end of `work`, but no longer than `shutdown_timeout`; `None` when it was cut off.
/// `what` names the work in the log.
pub async fn drain<T>(shutdown_timeout: Duration, what: &str, work: impl Future<Output = T>) -> Option<T> {
    match tokio::time::timeout(shutdown_timeout, work).await {
        Ok(done) => Some(done),
        Err(_) => {
            tracing::warn!(
                what,
                shutdown_timeout_ms = shutdown_timeout.as_millis(),
                "the shutdown took too long and was cut off"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_with_its_work_or_with_its_time() {
        let timeout = Duration::from_secs(10);
        assert_eq!(drain(timeout, "work", async { 7 }).await, Some(7));
        assert_eq!(drain(timeout, "work", std::future::pending::<u8>()).await, None);
    }
}
