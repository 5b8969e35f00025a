//! What must hold before the process is given work.

use std::sync::Arc;

use boot::health::{Checks, Verdict};
use domain::RowKey;
use event_log::EventLog;
use projector::ProgressReader;
use view_store::ViewStore;

/// More records than this waiting to be folded: readers would see old numbers.
const LAG_RECORDS_MAX: u64 = 100_000;

/// The checks of `/readyz`.
pub(crate) fn checks(log: Arc<dyn EventLog>, store: Arc<dyn ViewStore>, progress: ProgressReader) -> Checks {
    Checks::new()
        .with("log", move || {
            let log = Arc::clone(&log);
            async move { log_answers(&*log).await }
        })
        .with("store", move || {
            let store = Arc::clone(&store);
            async move { store_answers(&*store).await }
        })
        .with("projector", move || {
            let progress = progress.clone();
            async move { projector_keeps_up(&progress) }
        })
}

async fn log_answers(log: &dyn EventLog) -> Verdict {
    match log.bounds().await {
        Ok(bounds) => Ok(format!("{} partitions answer", bounds.len())),
        Err(error) => Err(error.to_string()),
    }
}

async fn store_answers(store: &dyn ViewStore) -> Verdict {
    match store.get(&RowKey::Epoch).await {
        Ok(Some(_)) => Ok("it answers".to_owned()),
        Ok(None) => Err("it has no epoch".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn projector_keeps_up(progress: &ProgressReader) -> Verdict {
    let lag = progress.lag_records();
    if !progress.is_caught_up() {
        return Err("it is folding the log that was there at the start".to_owned());
    }
    if lag > LAG_RECORDS_MAX {
        return Err(format!("{lag} records wait to be folded"));
    }
    Ok(format!("{lag} records wait to be folded"))
}
