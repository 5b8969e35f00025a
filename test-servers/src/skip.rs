//! Whether servers can be had here, and what a suite does when they cannot.

use crate::{jars, java};

/// Why no server can be started here; `None` when they can.
pub fn unavailable() -> Option<String> {
    java::missing().or_else(jars::missing)
}

/// Whether a suite must be skipped because there are no servers. Says so loudly.
///
/// # Panics
///
/// Where `CI=true`: there, nothing is skipped.
pub fn skipped(suite: &str) -> bool {
    let Some(reason) = unavailable() else { return false };
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{suite} must not be skipped where CI=true: {reason}"
    );
    eprintln!("skipped: {suite}: {reason}");
    true
}
