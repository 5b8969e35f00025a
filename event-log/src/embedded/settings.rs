//! What a caller may choose about an embedded log, and what it may hear from it.

use std::{fmt, sync::Arc, time::Duration};

/// What a caller may choose. Every bound that is a promise to others (queue, append, group) is a constant
/// beside its use instead.
#[derive(Clone)]
pub struct EmbeddedLogSettings {
    /// Memory for pages of the file, in bytes. Reading the end of the log needs none of it (see
    /// [`Self::tail_bytes`]), so it serves replays and the upper levels of the trees; redb's own default
    /// would be 1 GiB.
    pub cache_bytes: usize,
    /// How many bytes of the newest records are kept ready in memory, so that whoever follows the log
    /// neither reads back nor inflates what was just appended.
    pub tail_bytes: usize,
    /// Called on the writing thread after each durable commit; it must return at once.
    pub on_commit: Option<Arc<dyn Fn(CommitStats) + Send + Sync>>,
}

impl Default for EmbeddedLogSettings {
    fn default() -> Self {
        EmbeddedLogSettings { cache_bytes: 16 << 20, tail_bytes: 8 << 20, on_commit: None }
    }
}

impl fmt::Debug for EmbeddedLogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLogSettings")
            .field("cache_bytes", &self.cache_bytes)
            .field("tail_bytes", &self.tail_bytes)
            .field("on_commit", &self.on_commit.is_some())
            .finish()
    }
}

/// What one durable commit held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitStats {
    /// How many appends shared it; 0 when it held only groups' offsets.
    pub appends: usize,
    /// How many records they brought.
    pub records: usize,
    /// Their size as stored, in bytes.
    pub stored_bytes: usize,
    /// How many groups' offsets it held, counted per partition.
    pub offsets: usize,
    /// How long the transaction took, syncs included.
    pub took: Duration,
    /// How long the append that waited longest had been waiting when all was durable.
    pub waited_longest: Duration,
}
