//! The door over real connections, from the accept loop to the embedded log: every row of the contract's
//! table, the order of its checks, and what hostile senders try.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod appends;
mod bodies;
mod client;
mod delivery;
mod logs;
mod room;
mod server;
