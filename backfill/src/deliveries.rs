//! The second ring of repair: what GitHub says that a hook has sent, against what we have.
//!
//! GitHub sends each delivery once. What we refused, answered too late or never heard is lost but for its record of
//! the last three days, which whoever administers a hook may read. A round reads that record from where the round
//! before it ended, and takes what came to nothing out of it: appended as the delivery that it is, with what tells
//! it from any other, so that a late copy of it is known. With `pull` everything is taken so, and no address of
//! ours needs to be reached.
//!
//! `watch` knows the hooks and when each is looked at, `hooks` finds them, `round` looks at one, `note` tells the log
//! what it found; `groups`, `tally` and `habit` are the pure parts. What cannot be had is left to the sweep, before its
//! time (`checks`).

mod checks;
mod groups;
mod habit;
mod hooks;
mod note;
mod round;
mod tally;
mod watch;

pub use self::habit::{Habit, HookState};
pub(crate) use self::watch::{Deliveries, Due};

/// Paths under which deliveries come in.
const PATHS: [&str; 2] = ["/webhooks/github", "/api/github/webhooks"];

/// Whether a hook sends to us: to this address, or, where none is set, to a path of ours.
pub fn is_ours(url: &str, ours: Option<&str>) -> bool {
    match ours {
        Some(ours) => url == ours,
        None => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            PATHS.iter().any(|ours| path.ends_with(ours))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_ours_by_its_address() {
        assert!(is_ours("https://example.org/webhooks/github", None));
        assert!(is_ours("https://example.org/below/api/github/webhooks?x=1", None));
        assert!(!is_ours("https://example.org/other", None));
        let ours = Some("https://example.org/other");
        assert!(is_ours("https://example.org/other", ours));
        assert!(!is_ours("https://example.org/webhooks/github", ours));
    }
}
