//! Tests of the embedded log: the contract suite on it and on deliberately broken variants of it, and what only
//! an embedded log has (a file that can be damaged or full, a process that can be killed).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broken;
mod damage;
mod dedupe;
mod disk_full;
mod erase;
mod gate;
mod golden;
mod groups;
mod harness;
mod kill;
mod model;
mod opening;
mod queue;
mod sample;
mod suite;
