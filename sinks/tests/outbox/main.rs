//! The outbox over the real fold, the embedded log and store in memory, and a fake Pipedrive.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod crashes;
mod faults;
mod sending;
