//! The primary rate limit: so many requests an hour for each token's owner, or for each address.

use std::{collections::HashMap, net::IpAddr};

use http::HeaderMap;

use crate::model::{AccountId, Second};

const WINDOW_SECONDS: i64 = 3600;

/// Who is limited together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    Address(IpAddr),
    Account(AccountId),
}

#[derive(Debug)]
pub(crate) struct Limits {
    anonymous: u64,
    authorised: u64,
    windows: HashMap<Limited, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    used: u64,
    resets_at: Second,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) resets_at: Second,
}

impl Standing {
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// GitHub's headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-remaining", self.remaining()),
            ("x-ratelimit-used", self.used),
            ("x-ratelimit-reset", u64::try_from(self.resets_at.0).unwrap_or(0)),
        ] {
            headers.insert(name, value.into());
        }
        headers.insert("x-ratelimit-resource", http::HeaderValue::from_static("core"));
    }
}

impl Limits {
    pub(crate) fn new(anonymous: u64, authorised: u64) -> Self {
        Limits { anonymous, authorised, windows: HashMap::new() }
    }

    /// Where somebody stands now.
    pub(crate) fn standing(&mut self, who: Limited, now: Second) -> Standing {
        let limit = match who {
            Limited::Address(_) => self.anonymous,
            Limited::Account(_) => self.authorised,
        };
        let fresh = Window { used: 0, resets_at: now.plus(WINDOW_SECONDS) };
        let window = self.windows.entry(who).or_insert(fresh);
        if now >= window.resets_at {
            *window = fresh;
        }
        Standing { limit, used: window.used, resets_at: window.resets_at }
    }

    /// Counts one request.
    pub(crate) fn count(&mut self, who: Limited) {
        if let Some(window) = self.windows.get_mut(&who) {
            window.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_anew_after_an_hour() {
        let mut limits = Limits::new(2, 5000);
        let who = Limited::Address(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(limits.standing(who, Second(10)).remaining(), 2);
        limits.count(who);
        limits.count(who);
        assert_eq!(limits.standing(who, Second(3609)).remaining(), 0);
        assert_eq!(limits.standing(who, Second(3610)).remaining(), 2);
        assert_eq!(limits.standing(Limited::Account(AccountId(1)), Second(0)).limit, 5000);
    }
}
