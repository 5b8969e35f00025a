//! The fake as its clients see it: REST, deliveries, faults; and as an oracle: git and GitHub's schemas agree.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod apps;
mod client;
mod deliveries;
mod faults;
mod gists;
mod git;
#[cfg(feature = "graphql")]
mod graphql;
mod history;
mod payloads;
mod public;
mod receiver;
mod rest;
mod schemas;
mod stars;
