//! The CQL adapter on real servers: the contract suite, and what only it promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chunks;
mod contract;
mod faults;
mod rows;
mod scans;
mod schema;
mod server;
