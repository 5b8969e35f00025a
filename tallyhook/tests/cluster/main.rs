//! The binary as a cluster runs it: roles as processes of their own over a real Kafka and a real Cassandra, against
//! a fake GitHub. Whatever is killed, stopped or away meanwhile, what is shown in the end is what is true there. Tests
//! of `whole` that are about what is shown run here too, on `serve`.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../whole/chaos.rs"]
mod chaos;
#[path = "../whole/commands.rs"]
mod commands;
#[path = "../whole/faults.rs"]
mod faults;
#[path = "../whole/first_contact.rs"]
mod first_contact;
#[path = "../whole/gists.rs"]
mod gists;
mod ground;
mod keys;
mod kills;
mod life;
#[path = "../whole/live.rs"]
mod live;
mod members;
#[path = "../whole/moves.rs"]
mod moves;
mod outages;
mod place;
mod process;
#[path = "../monitoring/program.rs"]
mod program;
#[path = "../monitoring/prometheus.rs"]
mod prometheus;
mod refused;
#[path = "../whole/restart.rs"]
mod restart;
mod roles;
#[path = "../whole/starneighbours.rs"]
mod starneighbours;
#[path = "../whole/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of one process, which use all of it")]
mod support;
#[path = "../whole/visits.rs"]
mod visits;
mod watched;
