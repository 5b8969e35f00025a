//! GitHub's language: what its deliveries say, and how it is asked.
//!
//! A delivery's journey begins here. The door reads its [`headers`], feeds its body through the
//! [`signature`] check while it arrives ([`body`]: nothing is readable before it fits), unpacks a [`form`],
//! and asks [`delivery`], and that [`routing`], which accounts it concerns; it appends the raw JSON to the stream of
//! each. Later the
//! projector has each record put into our own words by [`translate`](mod@translate), and that is the last
//! time that anybody looks at GitHub's JSON. What GitHub is asked for comes back through `client` (feature
//! `client`) as readings in the same words.
//!
//! Invariant: nothing here knows the log, the store or a web framework, keeps state between deliveries, or
//! reads a clock (the client excepted, which waits).

pub mod body;
#[cfg(feature = "client")]
pub mod client;
pub mod delivery;
pub mod form;
pub mod headers;
mod nesting;
pub mod routing;
pub mod signature;
pub mod translate;
mod wire;

pub use routing::route;
pub use translate::translate;
