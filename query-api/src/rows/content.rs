//! What a kept row says, decoded once.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    AccountId, EntityKey, Millis, RowKey, StreamKey, Version, ViewKey,
    codec::DecodeError,
    directory::{Alias, Directory, RepoName},
    entity::{api_key::ApiKey, door::Door, forgotten_login::ForgottenLogin, login::Login},
    record::ATTEMPT_CURSOR,
    row::is_erased,
    view::{body::Stored, summary::StoredSummary},
};
use event_log::{Partition, Position};
use tokio::time::Instant;

use super::CacheKey;
use crate::ready::Ready;

/// What an entry takes in memory beside its texts and bytes: key, row and the cache's own tables.
const ENTRY_OVERHEAD_BYTES: usize = 350;
/// The same for each name in a summary.
const NAME_OVERHEAD_BYTES: usize = 40;
/// The same for a view's headers.
const VIEW_OVERHEAD_BYTES: usize = 2_000;

/// A row as it is stored, without its key.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub(super) version: Version,
    pub(super) value: Bytes,
}

impl From<domain::Row> for Versioned {
    fn from(row: domain::Row) -> Self {
        Versioned { version: row.version, value: row.value }
    }
}

/// A row as it was at some version.
#[derive(Debug)]
pub(crate) struct CachedRow {
    /// Of the record that produced it; [`Version::NONE`] when there is no row.
    pub(crate) version: Version,
    /// How often everything had been forgotten before. Rows of two generations may have one version and say
    /// different things; what is kept of them never has the same era too.
    pub(crate) era: u64,
    pub(crate) content: Content,
    /// When the store, or a hint, said so.
    pub(super) looked_at: Instant,
}

/// What a row says.
#[derive(Debug)]
pub(crate) enum Content {
    /// There is no such row, or no such view any more.
    Absent,
    Alias(AccountId),
    Directory(Directory),
    RepoName(RepoName),
    Login(Login),
    ApiKey(Box<ApiKey>),
    /// When our door opened last.
    Door(Millis),
    View(Box<Ready>),
    Summary(Box<StoredSummary>),
    /// Asking for an account came to nothing last.
    Failing,
    /// Whose login was forgotten.
    Forgotten(AccountId),
}

impl Content {
    /// Whether rows under such a key are kept.
    pub(super) fn is_kept(key: &RowKey) -> bool {
        match key {
            // Read where it is cut, each time by another reader.
            RowKey::View(_, ViewKey::NewGists) => false,
            // Read now and then, by people.
            RowKey::View(_, ViewKey::Gaps) => false,
            // Chunks are streamed, and a head is of use only with them.
            RowKey::View(_, ViewKey::Neighbours(_) | ViewKey::NeighboursChunk(..)) => false,
            RowKey::Alias(..) | RowKey::Directory(_) | RowKey::RepoName(..) | RowKey::View(..) => true,
            RowKey::Cursor(_, kind) => kind.starts_with(ATTEMPT_CURSOR),
            RowKey::Entity(StreamKey::Service, key) => {
                matches!(
                    key,
                    EntityKey::Login(..)
                        | EntityKey::Door
                        | EntityKey::ApiKey(_)
                        | EntityKey::ForgottenLogin(_)
                )
            }
            _ => false,
        }
    }

    pub(super) fn decode(
        key: &RowKey,
        row: Option<&Versioned>,
        partition_of: impl Fn(StreamKey) -> Partition,
    ) -> Result<Self, DecodeError> {
        let Some(row) = row.filter(|row| !is_erased(&row.value)) else { return Ok(Content::Absent) };
        Ok(match key {
            RowKey::Alias(..) => Content::Alias(Alias::decode(&row.value)?.account),
            RowKey::Directory(_) => Content::Directory(Directory::decode(&row.value)?),
            RowKey::RepoName(..) => Content::RepoName(RepoName::decode(&row.value)?),
            RowKey::Entity(_, EntityKey::Login(..)) => Content::Login(Login::decode(&row.value)?),
            RowKey::Entity(_, EntityKey::ApiKey(_)) => Content::ApiKey(Box::new(ApiKey::decode(&row.value)?)),
            RowKey::Entity(_, EntityKey::ForgottenLogin(_)) => {
                Content::Forgotten(ForgottenLogin::decode(&row.value)?.account)
            }
            RowKey::Entity(_, EntityKey::Door) => Content::Door(Door::decode(&row.value)?.opened_ms),
            RowKey::Cursor(..) if row.value.is_empty() => Content::Absent,
            RowKey::Cursor(..) => Content::Failing,
            RowKey::View(_, ViewKey::Summary) => {
                Content::Summary(Box::new(StoredSummary::decode(&row.value)?))
            }
            RowKey::View(stream, _) => match Stored::decode(&row.value)? {
                Stored::Gone => Content::Absent,
                Stored::Body(body) => {
                    let at = Position { partition: partition_of(*stream), offset: row.version.offset() };
                    Content::View(Box::new(Ready::stored(body, at)))
                }
            },
            _ => Content::Absent,
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Content::Absent
            | Content::Alias(_)
            | Content::RepoName(_)
            | Content::Door(_)
            | Content::Failing
            | Content::Forgotten(_) => 0,
            Content::Directory(directory) => directory.login.as_ref().map_or(0, String::len),
            Content::Login(login) => login.typed.len(),
            Content::ApiKey(key) => key.name.len() + key.email.len() + size_of::<ApiKey>(),
            Content::View(ready) => VIEW_OVERHEAD_BYTES + ready.bytes(),
            Content::Summary(stored) => {
                let names = stored.summary.languages.iter().chain(&stored.summary.topics);
                names.map(|name| NAME_OVERHEAD_BYTES + name.len()).sum::<usize>() + stored.name.len()
            }
        }
    }
}

impl CachedRow {
    pub(crate) fn alias(&self) -> Option<AccountId> {
        match &self.content {
            Content::Alias(account) => Some(*account),
            _ => None,
        }
    }

    pub(crate) fn directory(&self) -> Option<&Directory> {
        match &self.content {
            Content::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub(crate) fn repo_name(&self) -> Option<RepoName> {
        match &self.content {
            Content::RepoName(name) => Some(*name),
            _ => None,
        }
    }

    pub(crate) fn login(&self) -> Option<&Login> {
        match &self.content {
            Content::Login(login) => Some(login),
            _ => None,
        }
    }

    pub(crate) fn api_key(&self) -> Option<&ApiKey> {
        match &self.content {
            Content::ApiKey(key) => Some(key),
            _ => None,
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.content, Content::Absent)
    }

    pub(crate) fn door(&self) -> Option<Millis> {
        match &self.content {
            Content::Door(opened) => Some(*opened),
            _ => None,
        }
    }

    pub(crate) fn summary(&self) -> Option<&StoredSummary> {
        match &self.content {
            Content::Summary(stored) => Some(stored),
            _ => None,
        }
    }

    pub(crate) fn forgotten(&self) -> Option<AccountId> {
        match &self.content {
            Content::Forgotten(account) => Some(*account),
            _ => None,
        }
    }

    pub(crate) fn is_failing(&self) -> bool {
        matches!(self.content, Content::Failing)
    }

    pub(crate) fn view(&self) -> Option<&Ready> {
        match &self.content {
            Content::View(ready) => Some(ready),
            _ => None,
        }
    }
}

/// Weighs entries in bytes.
#[derive(Clone)]
pub(super) struct Weighter;

impl quick_cache::Weighter<CacheKey, Arc<CachedRow>> for Weighter {
    fn weight(&self, key: &CacheKey, row: &Arc<CachedRow>) -> u64 {
        let name = match &key.0 {
            RowKey::Alias(_, name) | RowKey::RepoName(_, name) | RowKey::Cursor(_, name) => name.len(),
            RowKey::Entity(_, EntityKey::Login(_, name) | EntityKey::ApiKey(name)) => name.len(),
            _ => 0,
        };
        u64::try_from(ENTRY_OVERHEAD_BYTES + name + row.content.bytes()).unwrap_or(u64::MAX)
    }
}
