//! The one place where wall-clock time is read; everything else is given it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 on this machine's clock. It may step when the machine's clock is set; for
/// measuring how long something took there is [`std::time::Instant`].
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}
