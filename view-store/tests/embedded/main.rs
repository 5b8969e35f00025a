//! The embedded adapter: the contract suite, what only it promises, and a suite that fails where it must.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod behaviour;
mod broken;
mod contract;
mod damage;
mod full_disk;
mod model;
mod opening;
mod support;
