//! What watches the binary: the rules and boards under `deploy/`, each tried with the real Prometheus against a
//! running process and the fake GitHub. Without `prometheus` and `promtool` (Debian: `prometheus`) it is skipped,
//! but not with `CI=true`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod alerts;
mod program;
mod prometheus;
mod queries;
#[path = "../whole/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of one process, which use all of it")]
mod support;
mod unit;
