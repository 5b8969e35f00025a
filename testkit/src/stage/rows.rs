//! Rows of a stage's store, read and decoded.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    AccountId, EntityKey, Forge, NeedKey, RepoId, Row, RowKey, ScanKey, StreamKey, Version, ViewKey,
    directory::{Alias, DeadLetter, Directory, HiddenRow, RepoName},
    entity::{account::Account, login::Login, pulls::PullBucket, repository::Repository},
    key::{BUCKETS, MemberSet, bucket_of},
    need::Need,
};
use futures::TryStreamExt;
use view_store::{EmbeddedStore, ViewStore};

use super::Stage;

/// Reading rows of a store; a row that cannot be read fails the test.
#[derive(Clone)]
pub struct TypedRows(EmbeddedStore);

macro_rules! decoded {
    ($row:expr, $kind:ty) => {
        $row.map(|row| <$kind>::decode(&row.value).expect("a row of this release can be read"))
    };
}

impl TypedRows {
    async fn get(&self, key: RowKey) -> Option<Row> {
        self.0.get(&key).await.expect("a store in memory answers")
    }

    async fn scan(&self, range: ScanKey) -> Vec<Row> {
        let rows = self.0.scan(&range).await.expect("a store in memory answers");
        rows.try_collect().await.expect("a store in memory answers")
    }

    /// An account's entity; the empty one where there is none.
    pub async fn account(&self, account: AccountId) -> Account {
        let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Account);
        decoded!(self.get(key).await, Account).unwrap_or_default()
    }

    /// A repository's entity.
    pub async fn repository(&self, account: AccountId, repo: RepoId) -> Option<Repository> {
        let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Repository(repo));
        decoded!(self.get(key).await, Repository)
    }

    /// The entities of all repositories of a stream.
    pub async fn repositories(&self, account: AccountId) -> Vec<(RepoId, Repository)> {
        let rows = self.scan(ScanKey::Entities(StreamKey::Account(account))).await;
        let repositories = rows.into_iter().filter_map(|row| match row.key {
            RowKey::Entity(_, EntityKey::Repository(repo)) => Some((repo, decoded!(Some(row), Repository)?)),
            _ => None,
        });
        repositories.collect()
    }

    /// The numbers of all pull requests that are known and not gone.
    pub async fn pull_numbers(&self, account: AccountId, repo: RepoId) -> Vec<u64> {
        let rows = self.scan(ScanKey::Members(StreamKey::Account(account))).await;
        let of_repo = rows.into_iter().filter(
            |row| matches!(&row.key, RowKey::Member { set: MemberSet::Pulls, parent, .. } if *parent == repo),
        );
        let buckets: Vec<PullBucket> = of_repo.filter_map(|row| decoded!(Some(row), PullBucket)).collect();
        let entries = buckets.iter().flat_map(PullBucket::entries);
        entries.filter(|(_, entry)| entry.state.is_some()).map(|(number, _)| number).collect()
    }

    /// A wanted login.
    pub async fn login(&self, login: &str) -> Option<Login> {
        let key = EntityKey::Login(Forge::GitHub, login.to_lowercase());
        decoded!(self.get(RowKey::Entity(StreamKey::Service, key)).await, Login)
    }

    /// A need; [`Need::Met`] where there is none.
    pub async fn need(&self, stream: StreamKey, key: NeedKey) -> Need {
        decoded!(self.get(RowKey::Need(stream, key)).await, Need).unwrap_or(Need::Met)
    }

    /// The open needs of a stream, in key order.
    pub async fn open_needs(&self, stream: StreamKey) -> Vec<(NeedKey, Need)> {
        let rows = self.scan(ScanKey::NeedsOf(stream)).await;
        let needs = rows.into_iter().filter_map(|row| match row.key.clone() {
            RowKey::Need(_, key) => Some((key, decoded!(Some(row), Need)?)),
            _ => None,
        });
        needs.filter(|(_, need)| need.is_open()).collect()
    }

    /// A cursor's value; `None` where there is none, or it ended.
    pub async fn cursor<T: serde::de::DeserializeOwned>(&self, stream: StreamKey, kind: &str) -> Option<T> {
        let row = self.get(RowKey::Cursor(stream, kind.to_owned())).await?;
        serde_json::from_slice(&row.value).ok()
    }

    /// How the directory shows an account.
    pub async fn directory(&self, account: AccountId) -> Option<Directory> {
        decoded!(self.get(RowKey::Directory(account)).await, Directory)
    }

    /// Which account a login leads to.
    pub async fn alias(&self, login: &str) -> Option<AccountId> {
        let row = self.get(RowKey::Alias(Forge::GitHub, login.to_lowercase())).await;
        decoded!(row, Alias).map(|alias| alias.account)
    }

    /// What a repository name of an account leads to.
    pub async fn name(&self, account: AccountId, name: &str) -> Option<RepoName> {
        decoded!(self.get(RowKey::RepoName(account, name.to_lowercase())).await, RepoName)
    }

    /// Whether a repository, or with `None` the account, is in the list of what is hidden.
    pub async fn is_hidden(&self, account: AccountId, repo: Option<RepoId>) -> bool {
        let row = self.get(RowKey::Hidden(account, repo)).await;
        decoded!(row, HiddenRow).is_some_and(|row| row.hidden)
    }

    /// All dead letters, in key order.
    pub async fn dead_letters(&self) -> Vec<(StreamKey, Version, DeadLetter)> {
        let mut letters = Vec::new();
        for bucket in 0..BUCKETS {
            for row in self.scan(ScanKey::DeadLetters(bucket)).await {
                if let RowKey::DeadLetter(stream, version) = row.key
                    && let Some(letter) = decoded!(Some(row), DeadLetter)
                {
                    letters.push((stream, version, letter));
                }
            }
        }
        letters
    }

    /// Every row of these streams that a fold writes, by key, but for those that say only that nothing is
    /// there: which of them are written depends on how records were batched.
    pub async fn all(&self, streams: &[StreamKey]) -> BTreeMap<RowKey, Bytes> {
        let mut ranges: Vec<ScanKey> = Vec::new();
        for stream in streams {
            ranges.extend([
                ScanKey::Entities(*stream),
                ScanKey::Members(*stream),
                ScanKey::NeedsOf(*stream),
                ScanKey::Cursors(*stream),
            ]);
            if let Some(account) = stream.account() {
                ranges.push(ScanKey::RepoNames(account));
                let repositories = self.repositories(account).await;
                ranges.extend(repositories.into_iter().map(|(repo, _)| ScanKey::Trail(account, repo)));
            }
        }
        let buckets: BTreeSet<u8> = streams.iter().map(|stream| bucket_of(*stream)).collect();
        for bucket in buckets {
            ranges.extend([
                ScanKey::Directory(bucket),
                ScanKey::Hidden(bucket),
                ScanKey::DeadLetters(bucket),
            ]);
        }
        let mut all = BTreeMap::new();
        for range in ranges {
            let rows = self.scan(range).await;
            all.extend(rows.into_iter().filter(says_something).map(|row| (row.key, row.value)));
        }
        for account in streams.iter().filter_map(|stream| stream.account()) {
            let stream = StreamKey::Account(account);
            let repositories = self.repositories(account).await;
            let views = [ViewKey::GithubPayload, ViewKey::Account, ViewKey::RepositoryIndex];
            let of_repositories = repositories.into_iter().map(|(repo, _)| ViewKey::Repository(repo));
            for view in views.into_iter().chain(of_repositories) {
                let row = self.get(RowKey::View(stream, view)).await;
                all.extend(row.filter(says_something).map(|row| (row.key, row.value)));
            }
        }
        all
    }
}

fn says_something(row: &Row) -> bool {
    match &row.key {
        RowKey::Need(..) => Need::decode(&row.value).is_ok_and(|need| need.is_open()),
        RowKey::Hidden(..) => HiddenRow::decode(&row.value).is_ok_and(|row| row.hidden),
        RowKey::RepoName(..) => RepoName::decode(&row.value).is_ok_and(|name| name != RepoName::Nothing),
        RowKey::View(..) => !super::shown::is_gone(row),
        _ => true,
    }
}

impl Stage {
    /// Its store's rows.
    pub fn rows(&self) -> TypedRows {
        TypedRows(self.store())
    }

    /// The open needs of all streams, in key order.
    pub async fn open_needs(&self) -> Vec<(StreamKey, NeedKey, Need)> {
        self.settle().await;
        let rows = self.rows();
        for stream in self.streams() {
            if !self.needs.borrow().contains_key(&stream) {
                let of_stream = rows.open_needs(stream).await;
                self.needs.borrow_mut().insert(stream, of_stream);
            }
        }
        let needs = self.needs.borrow();
        let of_stream = |(stream, needs): (&StreamKey, &Vec<(NeedKey, Need)>)| {
            needs.iter().map(|(key, need)| (*stream, key.clone(), *need)).collect::<Vec<_>>()
        };
        needs.iter().flat_map(of_stream).collect()
    }
}
