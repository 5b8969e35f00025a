//! Tests of the log on Kafka, all on a real broker: the contract suite, and what only a cluster has (owners that
//! hand over or are taken for dead, brokers that stop, topics that others write to or make anew).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broker;
mod follow;
mod handover;
mod lost;
mod messages;
mod observer;
mod sample;
mod server;
mod suite;
mod topic;
