//! The primary rate limits: so many requests an hour for each token's owner, or for each address; and so many
//! points of GraphQL.

use std::{collections::HashMap, fmt, net::IpAddr};

use http::HeaderMap;

use crate::model::{AccountId, Second, event::installation_id};

const WINDOW_SECONDS: i64 = 3600;

/// Who is limited together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    Address(IpAddr),
    Account(AccountId),
    Installation(AccountId),
    App,
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limited::Address(address) => write!(f, "{address}"),
            Limited::Account(id) => write!(f, "user ID {id}"),
            Limited::Installation(id) => write!(f, "installation ID {}", installation_id(*id)),
            Limited::App => f.write_str("the app"),
        }
    }
}

/// What is limited by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    Core,
    Graphql,
}

impl Resource {
    fn as_str(self) -> &'static str {
        match self {
            Resource::Core => "core",
            Resource::Graphql => "graphql",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Limits {
    anonymous: u64,
    authorised: u64,
    graphql: u64,
    windows: HashMap<(Limited, Resource), Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    used: u64,
    resets_at: Second,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) resource: Resource,
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
        headers.insert("x-ratelimit-resource", http::HeaderValue::from_static(self.resource.as_str()));
    }
}

impl Limits {
    pub(crate) fn new(anonymous: u64, authorised: u64, graphql: u64) -> Self {
        Limits { anonymous, authorised, graphql, windows: HashMap::new() }
    }

    /// Where somebody stands now.
    pub(crate) fn standing(&mut self, who: Limited, resource: Resource, now: Second) -> Standing {
        let limit = match (who, resource) {
            // Nobody asks in GraphQL without saying who he is.
            (Limited::Address(_), Resource::Graphql) => 0,
            (Limited::Address(_), Resource::Core) => self.anonymous,
            (_, Resource::Core) => self.authorised,
            (_, Resource::Graphql) => self.graphql,
        };
        let fresh = Window { used: 0, resets_at: now.plus(WINDOW_SECONDS) };
        let window = self.windows.entry((who, resource)).or_insert(fresh);
        if now >= window.resets_at {
            *window = fresh;
        }
        Standing { resource, limit, used: window.used, resets_at: window.resets_at }
    }

    /// Counts a request, or what a query costs.
    pub(crate) fn count(&mut self, who: Limited, resource: Resource, cost: u64) {
        if let Some(window) = self.windows.get_mut(&(who, resource)) {
            window.used += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_anew_after_an_hour() {
        let mut limits = Limits::new(2, 5000, 4000);
        let who = Limited::Address(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(limits.standing(who, Resource::Core, Second(10)).remaining(), 2);
        limits.count(who, Resource::Core, 1);
        limits.count(who, Resource::Core, 1);
        assert_eq!(limits.standing(who, Resource::Core, Second(3609)).remaining(), 0);
        assert_eq!(limits.standing(who, Resource::Core, Second(3610)).remaining(), 2);
        let who = Limited::Account(AccountId(1));
        assert_eq!(limits.standing(who, Resource::Core, Second(0)).limit, 5000);
        assert_eq!(limits.standing(who, Resource::Graphql, Second(0)).limit, 4000);
        limits.count(who, Resource::Graphql, 7);
        assert_eq!(limits.standing(who, Resource::Graphql, Second(0)).remaining(), 3993);
        assert_eq!(limits.standing(who, Resource::Core, Second(0)).remaining(), 5000);
    }
}
