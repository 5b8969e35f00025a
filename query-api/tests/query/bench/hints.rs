//! Hints of this process, with word from the listener that it has taken them in.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{Epoch, RowKey, Version};
use tokio::sync::watch;
use view_store::{Follower, Heard, Hint, Hints, InProcessHints, Positions};

/// No log has this partition: a mark among hints.
const MARK: u32 = u32::MAX;

pub(crate) struct ObservedHints {
    inner: Mutex<Option<InProcessHints>>,
    marks: AtomicU64,
    taken: Arc<watch::Sender<u64>>,
    /// Whether values are left out, as in a cluster.
    is_without_values: AtomicBool,
    /// Hints of these rows are lost.
    lost: Mutex<Vec<RowKey>>,
    /// Word of positions is lost.
    are_positions_lost: Arc<AtomicBool>,
}

impl ObservedHints {
    pub(crate) fn new() -> Self {
        ObservedHints {
            inner: Mutex::new(Some(InProcessHints::new())),
            marks: AtomicU64::new(0),
            taken: Arc::new(watch::Sender::new(0)),
            is_without_values: AtomicBool::new(false),
            lost: Mutex::default(),
            are_positions_lost: Arc::default(),
        }
    }

    pub(crate) fn leave_values_out(&self) {
        self.is_without_values.store(true, Ordering::Relaxed);
    }

    pub(crate) fn lose(&self, key: RowKey) {
        self.lost.lock().unwrap().push(key);
    }

    pub(crate) fn lose_positions(&self) {
        self.are_positions_lost.store(true, Ordering::Relaxed);
    }

    /// More than a listener can be behind, without giving it a chance: it misses some.
    pub(crate) fn overrun(&self) {
        for offset in 0..1000 {
            self.publish(vec![Hint::Folded {
                partition: MARK - 1,
                version: Version::new(Epoch::FIRST, offset),
            }]);
        }
    }

    /// Nobody publishes any more.
    pub(crate) fn end(&self) {
        self.inner.lock().unwrap().take();
    }

    /// Waits until the listener has taken in all that was published.
    pub(crate) async fn settle(&self) {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        self.publish(vec![Hint::Folded { partition: MARK, version: Version::new(Epoch::FIRST, mark) }]);
        let mut taken = self.taken.subscribe();
        taken.wait_for(|taken| *taken >= mark).await.unwrap();
    }
}

impl Hints for ObservedHints {
    fn publish(&self, mut hints: Vec<Hint>) {
        let lost = self.lost.lock().unwrap();
        hints.retain(|hint| !matches!(hint, Hint::Row { key, .. } if lost.contains(key)));
        if self.is_without_values.load(Ordering::Relaxed) {
            for hint in &mut hints {
                if let Hint::Row { value, .. } = hint {
                    *value = None;
                }
            }
        }
        if let Some(inner) = &*self.inner.lock().unwrap() {
            inner.publish(hints);
        }
    }

    fn follow(&self) -> Box<dyn Follower> {
        let inner = self.inner.lock().unwrap().as_ref().unwrap().follow();
        Box::new(Listener {
            inner,
            heard: 0,
            taken: Arc::clone(&self.taken),
            are_positions_lost: Arc::clone(&self.are_positions_lost),
        })
    }
}

struct Listener {
    inner: Box<dyn Follower>,
    heard: u64,
    taken: Arc<watch::Sender<u64>>,
    are_positions_lost: Arc<AtomicBool>,
}

#[async_trait]
impl Follower for Listener {
    async fn next(&mut self) -> Option<Heard> {
        // Who asks for more has taken in what came before.
        let heard = self.heard;
        self.taken.send_modify(|taken| *taken = heard.max(*taken));
        let mut next = self.inner.next().await;
        if let Some(Heard::Hints(hints)) = &next {
            for hint in hints.iter() {
                if let Hint::Folded { partition: MARK, version } = hint {
                    self.heard = version.offset();
                }
            }
            if self.are_positions_lost.load(Ordering::Relaxed) {
                let rows = hints.iter().filter(|hint| matches!(hint, Hint::Row { .. }));
                next = Some(Heard::Hints(Arc::new(rows.cloned().collect())));
            }
        }
        next
    }

    fn folded(&self) -> Positions {
        self.inner.folded()
    }
}
