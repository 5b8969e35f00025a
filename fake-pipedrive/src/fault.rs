//! What can go wrong with a request.

use std::time::Duration;

/// What goes wrong with one request about activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status; nothing is made.
    Status(u16),
    /// 429, with or without `Retry-After` in seconds; nothing is made.
    Limited(Option<u64>),
    /// The connection is closed without an answer; nothing is made.
    ClosedBefore,
    /// The connection is closed without an answer, after it was done.
    ClosedAfter,
    /// It is done, and answered so much later.
    Late(Duration),
    /// It is done, and answered with JSON that says nothing of it.
    Nonsense,
    /// Nothing: the request is as any other.
    None,
}
