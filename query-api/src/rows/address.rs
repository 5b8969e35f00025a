//! Keys of kept rows, and the borrowed form by which they are looked up without allocating.

use std::hash::{Hash, Hasher};

use domain::{AccountId, EntityKey, Forge, RowKey, StreamKey};
use quick_cache::Equivalent;

/// A row's key as the cache holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheKey(pub(crate) RowKey);

/// A row's key, with names borrowed. Names are lower-cased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address<'a> {
    /// Which account a login means.
    Alias(Forge, &'a str),
    /// A login that somebody wants.
    Login(Forge, &'a str),
    /// Which repository of an account has a name.
    RepoName(AccountId, &'a str),
    /// Any other row; its key mostly holds no text.
    Row(&'a RowKey),
}

impl<'a> From<&'a RowKey> for Address<'a> {
    fn from(key: &'a RowKey) -> Self {
        match key {
            RowKey::Alias(forge, login) => Address::Alias(*forge, login),
            RowKey::RepoName(account, name) => Address::RepoName(*account, name),
            RowKey::Entity(StreamKey::Service, EntityKey::Login(forge, login)) => {
                Address::Login(*forge, login)
            }
            other => Address::Row(other),
        }
    }
}

impl Address<'_> {
    /// The key itself.
    pub(crate) fn to_key(self) -> RowKey {
        match self {
            Address::Alias(forge, login) => RowKey::Alias(forge, login.to_owned()),
            Address::Login(forge, login) => {
                RowKey::Entity(StreamKey::Service, EntityKey::Login(forge, login.to_owned()))
            }
            Address::RepoName(account, name) => RowKey::RepoName(account, name.to_owned()),
            Address::Row(key) => key.clone(),
        }
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Address::from(&self.0).hash(state);
    }
}

impl Equivalent<CacheKey> for Address<'_> {
    fn equivalent(&self, key: &CacheKey) -> bool {
        *self == Address::from(&key.0)
    }
}
