//! The language of Tallyhook: ids, events, entities and how they evolve, views and how they render.
pub mod commit;
pub mod event;
pub mod id;
pub mod key;
pub mod text;
pub mod time;
pub mod version;

pub use commit::CommitId;
pub use event::{Asked, Event, Stamp, Told};
pub use id::{AccountId, Forge, RepoId, StreamKey};
pub use key::{EntityKey, Family, MemberSet, NeedKey, RowKey, ScanKey, ViewKey};
pub use text::Text;
pub use time::{Millis, Second};
pub use version::{Epoch, Version};
