//! The language of Tallyhook: ids, events, entities and how they evolve, views and how they render.
pub mod codec;
pub mod commit;
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
pub mod version;
pub mod view;

pub use commit::CommitId;
pub use event::{Asked, Event, Stamp, Told};
pub use id::{AccountId, Forge, RepoId, StreamKey};
pub use ledger::Ledger;
pub use row::Row;
pub use key::{EntityKey, Family, MemberSet, NeedKey, RowKey, ScanKey, ViewKey};
pub use text::Text;
pub use time::{Millis, Second};
pub use version::{Epoch, Version};
