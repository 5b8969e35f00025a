//! One owner: a projector that may go so far and no further.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use event_log::Limit;
use projector::{Metrics, Progress, Projector, ProjectorSettings, Stopped};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use view_store::InProcessHints;

use crate::{
    gate::Gate,
    playback::{Committed, Playback},
    recorded::Recorded,
    replicas::{Quorum, Replicas, Shortcut},
};

/// An owner that does nothing for so long, in the time of a paused clock, has nothing left to do: what was written
/// is flushed and committed within a fraction of it.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// A projector behind a gate.
pub(crate) struct Owner {
    gate: Arc<Gate>,
    is_fenced: Arc<AtomicBool>,
    task: JoinHandle<Result<(), Stopped>>,
}

impl Owner {
    pub(crate) fn start(
        log: &Recorded,
        replicas: &Arc<Mutex<Replicas>>,
        committed: &Committed,
        records_max: usize,
        shortcut: Option<Shortcut>,
    ) -> Self {
        let gate = Arc::new(Gate::default());
        let is_fenced = Arc::new(AtomicBool::new(false));
        let playback = Playback {
            log: log.clone(),
            committed: Arc::clone(committed),
            is_fenced: Arc::clone(&is_fenced),
            commits_early: shortcut == Some(Shortcut::CommitEarly),
        };
        let quorum = Quorum { replicas: Arc::clone(replicas), gate: Arc::clone(&gate), shortcut };
        let projector = Projector {
            log: Arc::new(playback),
            store: Arc::new(quorum),
            hints: Arc::new(InProcessHints::new()),
            progress: Progress::new().0,
            metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
            settings: ProjectorSettings {
                batch: Limit { records_max, bytes_max: usize::MAX },
                ..ProjectorSettings::default()
            },
        };
        Owner { gate, is_fenced, task: tokio::spawn(projector.run(CancellationToken::new())) }
    }

    /// Lets it take so many steps, or all that there are to take.
    pub(crate) async fn go_on(&self, steps: usize) {
        self.gate.open(steps);
        // That it is idle instead is as good.
        let _ = tokio::time::timeout(IDLE_AFTER, self.gate.stopped()).await;
    }

    /// Whether it came to an end by itself.
    pub(crate) fn has_stopped(&self) -> bool {
        self.task.is_finished()
    }

    /// Its group takes it for dead; it does not know.
    pub(crate) fn fence(&self) {
        self.is_fenced.store(true, Ordering::Relaxed);
    }

    /// Ends it wherever it stands.
    pub(crate) async fn kill(self) -> Result<(), Stopped> {
        self.task.abort();
        match self.task.await {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
