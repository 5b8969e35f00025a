//! How much waits to be folded, looked at beside the loop: it must grow while the loop waits for storage.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use event_log::{Bounds, EventLog, Partition};
use tokio::time::Instant;

use crate::{
    metrics::Metrics,
    progress::{Lag, Progress},
};

/// How often it is looked at; a look asks the log for its bounds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at the lag.
pub(crate) struct Watch {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) progress: Progress,
    pub(crate) metrics: Metrics,
}

impl Watch {
    /// Looks for ever.
    pub(crate) async fn run(self) -> Infallible {
        let mut before = (self.progress.next(), Instant::now());
        loop {
            let next = self.progress.next();
            self.metrics.partitions.set(i64::try_from(next.len()).unwrap_or(i64::MAX));
            if let Ok(bounds) = self.log.bounds().await {
                let records = waiting(&bounds, &next);
                let now = Instant::now();
                if records == 0 {
                    self.metrics.lag_seconds.set(0.0);
                } else if next == before.0 {
                    // The loop tells how old what it folds is; while it folds nothing, time passes all the same.
                    self.metrics.lag_seconds.add((now - before.1).as_secs_f64());
                }
                before = (next, now);
                self.metrics.lag_records.set(i64::try_from(records).unwrap_or(i64::MAX));
                self.progress.lag(Lag { records, seconds: self.metrics.lag_seconds.get() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn waiting(bounds: &[Bounds], next: &BTreeMap<Partition, u64>) -> u64 {
    let behind = bounds.iter().filter_map(|bounds| {
        next.get(&bounds.partition).map(|next| bounds.end.saturating_sub((*next).max(bounds.start)))
    });
    behind.sum()
}
