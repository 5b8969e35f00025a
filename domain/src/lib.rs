//! The language of Tallyhook: ids, events, entities and how they evolve, views and how they render.
//!
//! On a delivery's journey this is its meaning. A forge's crate translates a record into [`event`]s; the
//! projector gives them to the [`ledger`] of their account, where they change [`entity`]s; what changed comes
//! out as [`row`]s: facts, [`need`]s to ask the forge, names, and rendered [`view`]s.
//!
//! *Architecture invariant*: everything here is a pure function of its arguments. Time, ids and chance come
//! in the record; there is no clock, no randomness, no environment, no I/O and no logging.

/// Names the rows and the consumer group of one way of folding. It rises with every change that gives other
/// rows for the same records; then everything is folded anew from the log.
pub const GENERATION: u32 = 4;

pub mod active;
pub mod base;
pub mod codec;
pub mod commit;
pub mod delivery;
pub mod directory;
pub mod entity;
pub mod event;
pub mod id;
pub mod key;
pub mod ledger;
pub mod need;
pub mod record;
pub mod row;
pub mod service;
pub mod text;
pub mod time;
pub mod trail;
pub mod version;
pub mod view;

pub use active::Active;
pub use commit::CommitId;
pub use event::{Asked, Event, Stamp, Told};
pub use id::{AccountId, Forge, RepoId, StreamKey};
pub use key::{EntityKey, Family, MemberSet, NeedKey, RowKey, ScanKey, ViewKey};
pub use ledger::Ledger;
pub use row::Row;
pub use text::Text;
pub use time::{Millis, Second};
pub use version::{Epoch, Version};
