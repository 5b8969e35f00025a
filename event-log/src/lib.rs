//! Port 1: the log that every source appends to and the projector reads.
//!
//! On a delivery's journey this is where it becomes durable: `ingest` awaits [`EventLog::append`] before
//! it answers, and everything that is shown later can be folded again from here.
//!
//! *Architecture invariant*: the log knows streams, positions and bytes. It knows no forge, no JSON and no
//! row.

#[cfg(feature = "contract")]
pub mod contract;
pub mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;
mod limit;
pub mod port;
pub mod record;

pub use embedded::{EmbeddedLog, EmbeddedLogSettings, OpenError};
pub use port::{
    AppendError, Appended, Assignment, Bounds, EventLog, Identity, Limit, LogError, Next, Partition,
    Position, Subscription, Trimmed, Wait,
};
pub use record::{DedupeKey, Record};
