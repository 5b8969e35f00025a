//! Every row that a store keeps of one account: what is erased when a person has it forgotten.

use std::collections::BTreeSet;

use domain::{
    AccountId, EntityKey, RepoId, Row, RowKey, ScanKey, StreamKey, Version, ViewKey, key::bucket_of,
    view::neighbours::StoredHead,
};
use futures::TryStreamExt;

use crate::port::{StoreError, ViewStore};

/// Its own views.
const VIEWS: [ViewKey; 6] = [
    ViewKey::GithubPayload,
    ViewKey::Account,
    ViewKey::RepositoryIndex,
    ViewKey::Summary,
    ViewKey::Gists,
    ViewKey::NewGists,
];

/// A row without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it lies.
    pub key: RowKey,
    /// Its version.
    pub version: Version,
    /// The length of its value, in bytes.
    pub bytes: usize,
}

/// All rows of an account's stream. Where they are many, their keys take some hundred bytes each.
///
/// # Errors
/// See [`StoreError`].
pub async fn rows_of(store: &dyn ViewStore, account: AccountId) -> Result<Vec<Held>, StoreError> {
    let stream = StreamKey::Account(account);
    let bucket = bucket_of(stream);
    let mut held = Vec::new();
    for range in [
        ScanKey::Entities(stream),
        ScanKey::Members(stream),
        ScanKey::NeedsOf(stream),
        ScanKey::RepoNames(account),
        ScanKey::Cursors(stream),
        // These lie among those of other accounts.
        ScanKey::Directory(bucket),
        ScanKey::Hidden(bucket),
        ScanKey::DeadLetters(bucket),
    ] {
        let mut rows = store.scan(&range).await?;
        while let Some(row) = rows.try_next().await? {
            if row.key.stream() == Some(stream) {
                held.push(Held::of(&row));
            }
        }
    }
    let repositories: BTreeSet<RepoId> = held.iter().filter_map(|held| repository(&held.key)).collect();
    for view in VIEWS {
        look(store, RowKey::View(stream, view), &mut held).await?;
    }
    for repo in repositories {
        look(store, RowKey::View(stream, ViewKey::Repository(repo)), &mut held).await?;
        let mut steps = store.scan(&ScanKey::Trail(account, repo)).await?;
        while let Some(row) = steps.try_next().await? {
            held.push(Held::of(&row));
        }
        neighbours(store, stream, repo, &mut held).await?;
    }
    Ok(held)
}

impl Held {
    fn of(row: &Row) -> Self {
        Held { key: row.key.clone(), version: row.version, bytes: row.value.len() }
    }
}

fn repository(key: &RowKey) -> Option<RepoId> {
    match key {
        RowKey::Entity(_, EntityKey::Repository(repo) | EntityKey::Stars(repo)) => Some(*repo),
        RowKey::Member { parent, .. } => Some(*parent),
        RowKey::Hidden(_, repo) => *repo,
        _ => None,
    }
}

async fn look(store: &dyn ViewStore, key: RowKey, held: &mut Vec<Held>) -> Result<Option<Row>, StoreError> {
    let row = store.get(&key).await?;
    held.extend(row.as_ref().map(Held::of));
    Ok(row)
}

/// Chunks begin at 0; of a longer list that was there before, some may follow those that the head names.
async fn neighbours(
    store: &dyn ViewStore,
    stream: StreamKey,
    repo: RepoId,
    held: &mut Vec<Held>,
) -> Result<(), StoreError> {
    look(store, RowKey::View(stream, ViewKey::NeighboursMark(repo)), held).await?;
    let head = look(store, RowKey::View(stream, ViewKey::Neighbours(repo)), held).await?;
    let named = match head.map(|row| StoredHead::decode(&row.value)) {
        Some(Ok(StoredHead::Head(head))) => head.chunks,
        _ => 0,
    };
    for number in 0.. {
        let chunk = look(store, RowKey::View(stream, ViewKey::NeighboursChunk(repo, number)), held).await?;
        if chunk.is_none() && number >= named {
            break;
        }
    }
    Ok(())
}
