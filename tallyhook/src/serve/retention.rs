//! What lets the log of a data folder forget, as the settings say.

use std::{sync::Arc, time::Duration};

use backfill::{Retention, RetentionMetrics, RetentionSettings};
use event_log::EventLog;
use projector::ProgressReader;
use prometheus::Registry;

use crate::{
    failure::{Failure, failed},
    ports::RowPorts,
    settings::Settings,
};

/// A log is looked at this often, or ten times within its retention.
const EVERY_MAX: Duration = Duration::from_secs(60);
const EVERY_MIN: Duration = Duration::from_secs(1);
/// A log may be over its size for this long.
const EVERY_WITH_SIZE: Duration = Duration::from_secs(5);
/// After each record of a base, of up to 256 KiB: at most 50 MiB a second are read and written for it.
const PACE: Duration = Duration::from_millis(5);

/// `None` where the log keeps everything by itself. With both limits off it is only looked at, and told of.
pub(super) fn of(
    settings: &Settings,
    log: &Arc<dyn EventLog>,
    rows: &RowPorts,
    progress: &ProgressReader,
    registry: &Registry,
) -> Result<Option<Retention>, Failure> {
    let Some(aliases) = &rows.aliases else { return Ok(None) };
    let (age, bytes) = (settings.log_retention, settings.log_retention_bytes);
    let often = age.map_or(EVERY_MAX, |age| (age / 10).clamp(EVERY_MIN, EVERY_MAX));
    Ok(Some(Retention {
        log: Arc::clone(log),
        store: Arc::clone(&rows.store),
        aliases: Arc::clone(aliases),
        partitions: progress.current(),
        metrics: RetentionMetrics::register(registry).map_err(failed)?,
        settings: RetentionSettings {
            age,
            bytes,
            every: if bytes.is_some() { often.min(EVERY_WITH_SIZE) } else { often },
            pace: PACE,
        },
    }))
}
