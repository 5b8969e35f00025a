//! A Bitbucket Cloud of one's own: small, stateful, over HTTP. It answers the part of API 2.0 that Tallyhook
//! asks for, counts what reaches it, and goes wrong as told.
//!
//! - [`World`] holds workspaces and their repositories; tests change it at any time.
//! - `serve` answers requests from it, page by page.
//! - [`Fault`]s are a script of what goes wrong.
//! - [`FakeBitbucket`] runs all of it in one process.

mod fake;
mod fault;
mod serve;
mod world;

pub use fake::{FakeBitbucket, Request};
pub use fault::Fault;
pub use world::{Repository, Workspace, World};
