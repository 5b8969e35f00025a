//! Handing records to the log, which is never interrupted half way.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use event_log::{AppendError, Appended, EventLog, Record};
use prometheus::Histogram;
use tokio::runtime::Handle;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::{in_flight::Held, throttle::Throttle};

/// Warnings about a log that takes nothing; each delivery would cause one.
const WARNINGS_PER_MINUTE: u32 = 10;

/// Appends for senders that wait for a while.
pub(crate) struct Appender {
    log: Arc<dyn EventLog>,
    timeout: Duration,
    seconds: Histogram,
    warnings: Arc<Throttle>,
    running: TaskTracker,
}

/// Why a sender cannot be told that its delivery is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAppended {
    /// It may still become so.
    Late,
    /// Too much waits already.
    Full,
    /// It never will: the records are too large.
    TooLarge,
    /// The log failed; it may have become durable or not.
    Failed,
}

impl Appender {
    pub(crate) fn new(log: Arc<dyn EventLog>, timeout: Duration, seconds: Histogram) -> Self {
        let warnings = Arc::new(Throttle::new(WARNINGS_PER_MINUTE));
        Appender { log, timeout, seconds, warnings, running: TaskTracker::new() }
    }

    /// Appends all records or none. Whoever waits may go away, by time-out or because the connection is lost:
    /// the append goes on, and so does its hold on the room that the records take.
    pub(crate) async fn append(&self, records: Vec<Record>, held: Held) -> Result<Appended, NotAppended> {
        let log = Arc::clone(&self.log);
        let seconds = self.seconds.clone();
        let warnings = Arc::clone(&self.warnings);
        let work = Box::pin(async move {
            let begun = Instant::now();
            let appended = log.append(records).await;
            drop(held);
            seconds.observe(begun.elapsed().as_secs_f64());
            appended.map_err(|error| report(&error, &warnings))
        });
        match tokio::time::timeout(self.timeout, Appending::new(work, &self.running)).await {
            Ok(appended) => appended,
            Err(_) => {
                if let Some(suppressed) = self.warnings.pass(Instant::now()) {
                    let timeout_ms = self.timeout.as_millis();
                    tracing::warn!(
                        timeout_ms,
                        suppressed,
                        "the log takes too long; senders are told to come back"
                    );
                }
                Err(NotAppended::Late)
            }
        }
    }

    /// Waits for all appends, also those that nobody waits for any more.
    pub(crate) async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

type Work = Pin<Box<dyn Future<Output = Result<Appended, NotAppended>> + Send>>;

/// An append that goes on as a task of its own when nobody waits for it any more. While somebody does, it is
/// part of the waiting task: a task for each would cost every delivery two hops between threads.
struct Appending {
    work: Option<Work>,
    runtime: Handle,
    running: TaskTracker,
    /// Lets the tracker wait for it in either form.
    _token: TaskTrackerToken,
}

impl Appending {
    fn new(work: Work, running: &TaskTracker) -> Self {
        Appending {
            work: Some(work),
            runtime: Handle::current(),
            running: running.clone(),
            _token: running.token(),
        }
    }
}

impl Future for Appending {
    type Output = Result<Appended, NotAppended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken out meanwhile: should it panic, there is nothing left that could go on.
        let mut work = self.work.take().expect("not polled again after its end");
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.running.spawn_on(work, &self.runtime);
        }
    }
}

fn report(error: &AppendError, warnings: &Throttle) -> NotAppended {
    if let Some(suppressed) = warnings.pass(Instant::now()) {
        match error {
            AppendError::Stop(_) => tracing::error!(%error, suppressed, "a delivery could not be appended"),
            _ => tracing::warn!(%error, suppressed, "a delivery could not be appended"),
        }
    }
    match error {
        AppendError::Full => NotAppended::Full,
        AppendError::TooLarge { .. } => NotAppended::TooLarge,
        AppendError::Retry(_) | AppendError::Stop(_) => NotAppended::Failed,
    }
}
