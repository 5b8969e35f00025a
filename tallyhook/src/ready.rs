//! What must hold before the process is given work.
//!
//! In a cluster all processes share one log and one store: who is reached by the outside is not taken out when
//! those hiccup, or all would be out at once. It answers for itself then: from memory, or 503.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use boot::health::{Checks, Verdict};
use domain::{Active, GENERATION, RowKey};
use event_log::EventLog;
use projector::{Lag, ProgressReader};
use view_store::{Served, ViewStore};

use crate::{ports::Ports, roles::Roles};

/// More records than this waiting to be folded: readers would see old numbers.
const LAG_RECORDS_MAX: u64 = 100_000;

/// The same of a few that wait so long: far more than a leader change or a long batch takes.
const LAG_SECONDS_MAX: f64 = 300.0;

/// What the checks look at.
pub(crate) struct Parts<'a> {
    pub(crate) roles: Roles,
    pub(crate) ports: &'a Ports,
    pub(crate) progress: ProgressReader,
}

/// The checks of `/readyz`.
pub(crate) fn checks(Parts { roles, ports, progress }: Parts<'_>) -> Checks {
    let log = Arc::clone(&ports.log);
    let is_cluster = ports.is_cluster;
    let mut checks = Checks::new();
    if is_cluster && roles.have_api() {
        checks = checks.with("log", || async { Ok("it answered at the start".to_owned()) });
    } else {
        let log = Arc::clone(&log);
        checks = checks.with("log", move || {
            let log = Arc::clone(&log);
            async move { log_answers(&*log).await }
        });
    }
    let Some(rows) = &ports.rows else { return checks };
    let store = Arc::clone(&rows.store);
    let served = rows.served.clone();
    if is_cluster && roles.query_api {
        let served = served.clone();
        let views = Arc::new(Views { log, store, served, are_there: AtomicBool::new(false) });
        checks = checks.with("views", move || {
            let views = Arc::clone(&views);
            async move { views.are_there().await }
        });
    } else {
        checks = checks.with("store", move || {
            let store = Arc::clone(&store);
            async move { store_answers(&*store).await }
        });
    }
    if roles.projector {
        checks = checks.with("projector", move || {
            let progress = progress.clone();
            let shows_older = !is_cluster && served.as_ref().is_some_and(|served| served.has_views());
            async move { projector_keeps_up(&progress, is_cluster, shows_older) }
        });
    }
    checks
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

fn projector_keeps_up(progress: &ProgressReader, is_cluster: bool, shows_older: bool) -> Verdict {
    let Lag { records, seconds } = progress.lag();
    if is_cluster && progress.held() == 0 {
        return Ok("it holds no partition and stands by".to_owned());
    }
    if !progress.is_caught_up() && shows_older {
        return Ok("readers see an older generation while this one is built".to_owned());
    }
    if !progress.is_caught_up() {
        return Err("it is folding the log that was there at the start".to_owned());
    }
    if records > LAG_RECORDS_MAX {
        return Err(format!("{records} records wait to be folded"));
    }
    if seconds > LAG_SECONDS_MAX {
        return Err(format!("{records} records wait to be folded, since {seconds:.0} s"));
    }
    Ok(format!("{records} records wait to be folded"))
}

/// Whether there are views of every partition; once there are, there always are.
struct Views {
    log: Arc<dyn EventLog>,
    store: Arc<dyn ViewStore>,
    served: Option<Served>,
    are_there: AtomicBool,
}

impl Views {
    async fn are_there(&self) -> Verdict {
        if !self.are_there.load(Ordering::Relaxed) {
            for partition in 0..self.log.identity().partitions {
                self.is_served(partition).await?;
            }
            self.are_there.store(true, Ordering::Relaxed);
        }
        Ok("there are views of every partition".to_owned())
    }

    async fn is_served(&self, partition: u32) -> Result<(), String> {
        let row = self.store.get(&RowKey::Active(partition)).await.map_err(|error| error.to_string())?;
        let row = row.ok_or_else(|| format!("no projector has caught up with partition {partition} yet"))?;
        let active = Active::decode(&row.value).map_err(|error| error.to_string())?;
        let shows_older = || self.served.as_ref().is_some_and(|served| served.is_older(partition));
        if active.generation < GENERATION && !shows_older() {
            return Err(format!("partition {partition} is being folded anew for this release"));
        }
        Ok(())
    }
}
