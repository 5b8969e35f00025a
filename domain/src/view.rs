//! Views: payloads rendered ahead, so that a reader costs a copy of bytes.
//!
//! What changes without the payload changing (when it was checked, its position) is beside the body, never
//! in it, so that an ETag lasts as long as the bytes.

pub mod account;
pub mod body;
pub mod freshness;
pub mod gaps;
pub mod gist_users;
pub mod gists;
pub mod index;
pub mod latest;
pub mod neighbours;
pub mod payload;
pub mod repository;
pub mod summary;
