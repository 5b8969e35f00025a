//! Real Apache Kafka and Apache Cassandra for tests, on free loopback ports, ended with whoever started them.
//!
//! ```no_run
//! use test_servers::Kafka;
//!
//! # fn main() -> anyhow::Result<()> {
//! if test_servers::skipped("what this suite shows") {
//!     return Ok(());
//! }
//! let kafka = Kafka::start_temporary(1)?;
//! println!("{}", kafka.addresses().join(","));
//! kafka.kill(0)?; // SIGKILL
//! kafka.restart(0)?; // with its data, on its old port
//! # Ok(())
//! # }
//! ```
//!
//! Both run from the jars of Maven Central on a Java 17: no engine for containers and no root. Every call blocks,
//! each within a bound. A server is held by a small shell whose input is a pipe to the test's process; when the
//! pipe closes, for whatever reason, the shell ends the server. Linux: Cassandra's nodes use 127.0.0.1, .2 and .3.
//!
//! Servers that are there already serve where no node is to be killed: see [`Kafka::find`] and [`Cassandra::find`].

mod cassandra;
mod cluster;
mod jars;
mod java;
mod kafka;
mod node;
mod port;
mod skip;
mod supervised;
mod wire;

pub use cassandra::Cassandra;
pub use cluster::Cluster;
pub use jars::fetch;
pub use kafka::Kafka;
pub use skip::{skipped, unavailable};
