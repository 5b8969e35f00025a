//! The language of Tallyhook: ids, events, entities and how they evolve, views and how they render.
pub mod id;
pub mod key;
pub mod time;
pub mod version;

pub use id::{AccountId, Forge, RepoId, StreamKey};
pub use key::{EntityKey, Family, MemberSet, NeedKey, RowKey, ScanKey, ViewKey};
pub use time::{Millis, Second};
pub use version::{Epoch, Version};
