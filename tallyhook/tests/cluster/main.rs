//! The binary as a cluster runs it: roles as processes of their own over a real Kafka and a real Cassandra, against
//! a fake GitHub. Whatever is killed, stopped or away meanwhile, what is shown in the end is what is true there.
#![expect(clippy::unwrap_used, reason = "tests")]

mod kills;
mod life;
mod members;
mod outages;
mod place;
mod refused;
#[path = "../whole/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of one process, which use all of it")]
mod support;
