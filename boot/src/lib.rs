//! What a process does first and last, whatever its role: logs, signals, the HTTP accept loop, health.
//!
//! On a delivery's journey this is the ground under the door: the [`http`] loop reads its request within
//! bounds and hands it to whichever service the binary gave; [`shutdown`] lets it end in order.
//!
//! *Architecture invariant*: nothing here knows the domain, the log, the store or a forge. Settings come in
//! as values: this crate reads no environment variable and no file.

pub mod clock;
pub mod health;
pub mod http;
pub mod http_metrics;
pub mod metrics;
pub mod open_files;
mod problem;
pub mod process_metrics;
pub mod shutdown;
pub mod telemetry;
