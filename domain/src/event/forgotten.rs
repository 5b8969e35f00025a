//! The forgetting of an account, told without a name: what was to be forgotten must not stand in the log again.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, Forge},
    version::Version,
    view::body::hash,
};

/// A login by which it is recognised, and from which it cannot be read: a hash of forge and lower-cased login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoginHash(pub u64);

impl LoginHash {
    /// Of a login in whatever case.
    pub fn of(forge: Forge, login: &str) -> Self {
        LoginHash(hash(format!("{}/{}", forge.as_str(), login.to_lowercase()).as_bytes()))
    }
}

/// Whose traces are to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginsForgotten {
    /// The account.
    pub account: AccountId,
    /// The logins under which it was known.
    pub logins: Vec<LoginHash>,
    /// The newest version of their aliases, which count by the forge's clock.
    pub aliases_at: Version,
}

impl LoginsForgotten {
    /// Whether a login is one of these.
    pub fn names(&self, forge: Forge, login: &str) -> bool {
        forge == self.account.forge() && self.logins.contains(&LoginHash::of(forge, login))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_frozen_and_blind_to_case() {
        let hash = LoginHash::of(Forge::GitHub, "octocat");
        assert_eq!(hash, LoginHash::of(Forge::GitHub, "OctoCat"));
        assert_ne!(hash, LoginHash::of(Forge::Bitbucket, "octocat"));
        insta::assert_snapshot!(hash.0.to_string());
    }
}
