//! Word that rows changed: from the projector to whoever keeps copies of rows or waits for a position.

mod in_process;
#[cfg(feature = "kafka")]
pub mod kafka;
mod positions;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{RowKey, Version};

pub use self::{in_process::InProcessHints, positions::Positions};

/// Word that something changed.
#[derive(Debug, Clone)]
pub enum Hint {
    /// A row was written. Embedded hints hand the value over; in a cluster it must be read.
    Row {
        /// The row's address.
        key: RowKey,
        /// Its new version.
        version: Version,
        /// Its value, where it costs nothing to send along.
        value: Option<Bytes>,
    },
    /// Everything of this partition up to and including the version is folded and written.
    Folded {
        /// The log's partition.
        partition: u32,
        /// The version of the last folded record.
        version: Version,
    },
}

/// What a follower hears next.
#[derive(Debug, Clone)]
pub enum Heard {
    /// Changes, in the order in which they were published.
    Hints(Arc<Vec<Hint>>),
    /// Some were lost: whatever was kept may be stale.
    Missed,
}

/// The way of hints. Losing one costs time, never truth: copies are looked at again.
pub trait Hints: Send + Sync {
    /// Tells all followers; never waits.
    fn publish(&self, hints: Vec<Hint>);

    /// Starts to listen; hears everything published after it returns.
    fn follow(&self) -> Box<dyn Follower>;
}

/// A listener.
#[async_trait]
pub trait Follower: Send {
    /// Waits for what comes next; `None` when nobody publishes any more.
    async fn next(&mut self) -> Option<Heard>;

    /// How far each partition is folded, as last told to anybody: who begins to listen, or missed some, must
    /// not wait for news that were.
    fn folded(&self) -> Positions;
}
