//! Port 2: the rows that the projector writes and everything else reads.
//!
//! On a delivery's journey this is where the new numbers become visible: the projector writes rows, flushes,
//! and publishes [`hints`], and the query API copies what it finds here to the socket. The [`embedded`]
//! adapter keeps the rows in one file, the `cql` adapter (feature `cql`) in ScyllaDB or Apache Cassandra; what
//! every adapter must do is the suite in `contract`.
//!
//! *Architecture invariant*: the store knows keys, versions and bytes. It renders nothing, knows no log and
//! no forge, and is written by the projector alone.

pub mod account;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "cql")]
pub mod cql;
pub mod embedded;
pub mod hints;
pub mod port;
pub mod served;
mod table;

pub use embedded::{EmbeddedStore, EmbeddedStoreSettings, OpenError};
pub use hints::{Follower, Heard, Hint, Hints, InProcessHints, Positions};
pub use port::{Row, RowStream, StoreError, ViewStore};
pub use served::Served;
