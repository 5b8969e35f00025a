//! The projector between a real log and a real store: what it does with records that it cannot fold, with
//! commands, with accounts that are large or forgotten, and with stores and logs that do not belong together or do
//! not answer; and in which order it does it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod commands;
mod cursors;
mod dead_letters;
mod deliveries;
mod forget;
mod lag;
mod large;
mod order;
mod rebuild;
mod scene;
mod seen;
mod slow_accounts;
mod ties;
