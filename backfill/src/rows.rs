//! Reading what is known, before asking.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, EntityKey, MemberSet, Millis, NeedKey, RepoId, RowKey, ScanKey, StreamKey, Version, ViewKey,
    codec::DecodeError,
    entity::{
        account::Account,
        gist_users::GistUsers,
        gists::Gists,
        hook::Hook,
        latest::Latest,
        login::Login,
        pulls::PullBucket,
        repository::Repository,
        stargazers::{self, Member, StarBucket},
        starred::{Starred, StarredCheck},
        starrer::Starrer,
        stars::Stars,
    },
    need::Need,
    record,
    service::LatestFold,
    view::gaps::GapLedger,
};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use view_store::{Row, StoreError, ViewStore};

/// Why a row could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a row cannot be read: {0}")]
    Decode(#[from] DecodeError),
}

/// The `ETag` of the last answer about something, and when that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Etag {
    pub(crate) etag: String,
    pub(crate) asked_at: Version,
}

/// A stargazer, with what is known of them.
#[derive(Debug)]
pub(crate) struct Stargazer {
    pub(crate) user: AccountId,
    /// The login, as the repository's side knows it.
    pub(crate) login: Option<String>,
    pub(crate) starred: Starred,
}

/// Reading rows of the store.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'s>(pub(crate) &'s dyn ViewStore);

impl Rows<'_> {
    pub(crate) async fn account(self, account: AccountId) -> Result<Account, ReadError> {
        let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Account);
        let row = self.0.get(&key).await?;
        Ok(row.map(|row| Account::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    pub(crate) async fn repository(
        self,
        account: AccountId,
        repo: RepoId,
    ) -> Result<Option<Repository>, ReadError> {
        let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Repository(repo));
        let row = self.0.get(&key).await?;
        Ok(row.map(|row| Repository::decode(&row.value)).transpose()?)
    }

    pub(crate) async fn repositories(
        self,
        account: AccountId,
    ) -> Result<Vec<(RepoId, Repository)>, ReadError> {
        let mut repositories = Vec::new();
        let mut rows = self.0.scan(&ScanKey::Entities(StreamKey::Account(account))).await?;
        while let Some(row) = rows.try_next().await? {
            if let RowKey::Entity(_, EntityKey::Repository(repo)) = row.key {
                repositories.push((repo, Repository::decode(&row.value)?));
            }
        }
        Ok(repositories)
    }

    /// The numbers of all pull requests that are known and not gone.
    pub(crate) async fn pull_numbers(self, account: AccountId, repo: RepoId) -> Result<Vec<u64>, ReadError> {
        let mut numbers = Vec::new();
        let mut rows = self.0.scan(&ScanKey::Members(StreamKey::Account(account))).await?;
        while let Some(row) = rows.try_next().await? {
            if matches!(&row.key, RowKey::Member { set: MemberSet::Pulls, parent, .. } if *parent == repo) {
                let bucket = PullBucket::decode(&row.value)?;
                numbers.extend(
                    bucket.entries().filter(|(_, entry)| entry.state.is_some()).map(|(number, _)| number),
                );
            }
        }
        Ok(numbers)
    }

    /// The stars that count, by who gave them.
    async fn stars_given(
        self,
        account: AccountId,
        repo: RepoId,
    ) -> Result<BTreeMap<AccountId, Member>, ReadError> {
        let stars = self.stars(account, repo).await?.unwrap_or_default();
        let mut given = BTreeMap::new();
        for bucket in 0..stargazers::BUCKETS {
            given.extend(self.slice_of_stargazers(account, repo, bucket, &stars).await?);
        }
        Ok(given)
    }

    /// How the stars of a repository stand.
    pub(crate) async fn stars(self, account: AccountId, repo: RepoId) -> Result<Option<Stars>, ReadError> {
        let row = self.0.get(&RowKey::Entity(StreamKey::Account(account), EntityKey::Stars(repo))).await?;
        Ok(row.map(|row| Stars::decode(&row.value)).transpose()?)
    }

    /// Who starred a repository, as far as it was told up to `until`.
    pub(crate) async fn stargazers(
        self,
        account: AccountId,
        repo: RepoId,
        until: Version,
    ) -> Result<BTreeSet<AccountId>, ReadError> {
        let given = self.stars_given(account, repo).await?;
        Ok(given.into_iter().filter(|(_, it)| it.told_at <= until).map(|(user, _)| user).collect())
    }

    /// At most so many of the stargazers of whom it is not known what they starred, with their logins; from this slice
    /// of the set on, and round to it again. With the slice that was looked at last.
    pub(crate) async fn unknown_stargazers(
        self,
        account: AccountId,
        repo: RepoId,
        begin: u32,
        count_max: usize,
    ) -> Result<(Vec<(AccountId, Option<String>)>, u32), ReadError> {
        let stars = self.stars(account, repo).await?.unwrap_or_default();
        let mut unknown = Vec::new();
        for bucket in (begin..stargazers::BUCKETS).chain(0..begin) {
            for (user, it) in self.slice_of_stargazers(account, repo, bucket, &stars).await? {
                let key = member(account, repo, MemberSet::Starred, bucket, id_bytes(user));
                if self.0.get(&key).await?.is_none() {
                    unknown.push((user, it.login));
                    if unknown.len() == count_max {
                        return Ok((unknown, bucket));
                    }
                }
            }
        }
        Ok((unknown, begin))
    }

    /// At most so many of the stargazers in a slice of the set, after this account, that were checked before `begun`.
    pub(crate) async fn stale_stargazers(
        self,
        account: AccountId,
        (repo, bucket, after): (RepoId, u32, Option<AccountId>),
        begun: Millis,
        count_max: usize,
    ) -> Result<Vec<Stargazer>, ReadError> {
        let stars = self.stars(account, repo).await?.unwrap_or_default();
        let mut stale = Vec::new();
        for (user, it) in self.slice_of_stargazers(account, repo, bucket, &stars).await? {
            if stale.len() == count_max {
                break;
            }
            if after.is_some_and(|after| user <= after) {
                continue;
            }
            if let Some((starred, checked_ms)) = self.starred((account, repo), user).await?
                && checked_ms < begun
            {
                stale.push(Stargazer { user, login: it.login, starred });
            }
        }
        Ok(stale)
    }

    /// What a stargazer of a repository starred, as it is known there, and when that was checked.
    pub(crate) async fn starred(
        self,
        (account, repo): (AccountId, RepoId),
        user: AccountId,
    ) -> Result<Option<(Starred, Millis)>, ReadError> {
        let bucket = stargazers::bucket_of(user);
        let key = |set| member(account, repo, set, bucket, id_bytes(user));
        let Some(row) = self.0.get(&key(MemberSet::Starred)).await? else { return Ok(None) };
        let starred = Starred::decode(&row.value)?;
        let row = self.0.get(&key(MemberSet::StarredChecks)).await?;
        let check = row.map(|row| StarredCheck::decode(&row.value)).transpose()?;
        let checked_ms = StarredCheck::last(check, starred.asked_ms, starred.checked_ms);
        Ok(Some((starred, checked_ms)))
    }

    /// The stars that count in a slice of the set.
    async fn slice_of_stargazers(
        self,
        account: AccountId,
        repo: RepoId,
        bucket: u32,
        stars: &Stars,
    ) -> Result<Vec<(AccountId, Member)>, ReadError> {
        let key = member(account, repo, MemberSet::Stargazers, bucket, Vec::new());
        let Some(row) = self.0.get(&key).await? else { return Ok(Vec::new()) };
        let slice = StarBucket::decode(&row.value)?;
        let counts = slice.members().filter(|(_, it)| it.is_given && !stars.is_erased(it.at));
        Ok(counts.map(|(user, it)| (user, it.clone())).collect())
    }

    /// The account's repositories whose neighbours somebody wants.
    pub(crate) async fn wanted_stars(self, account: AccountId) -> Result<Vec<(RepoId, Stars)>, ReadError> {
        let mut wanted = Vec::new();
        let mut rows = self.0.scan(&ScanKey::Entities(StreamKey::Account(account))).await?;
        while let Some(row) = rows.try_next().await? {
            if let RowKey::Entity(_, EntityKey::Stars(repo)) = row.key {
                let stars = Stars::decode(&row.value)?;
                if stars.wanted.is_some() {
                    wanted.push((repo, stars));
                }
            }
        }
        Ok(wanted)
    }

    /// The account as one who stars.
    pub(crate) async fn starrer(self, account: AccountId) -> Result<Option<Starrer>, ReadError> {
        let row = self.0.get(&RowKey::Entity(StreamKey::Account(account), EntityKey::Starrer)).await?;
        Ok(row.map(|row| Starrer::decode(&row.value)).transpose()?)
    }

    pub(crate) async fn login(self, key: &NeedKey) -> Result<Option<Login>, ReadError> {
        let NeedKey::Login(forge, login) = key else { return Ok(None) };
        let key = RowKey::Entity(StreamKey::Service, EntityKey::Login(*forge, login.clone()));
        let row = self.0.get(&key).await?;
        Ok(row.map(|row| Login::decode(&row.value)).transpose()?)
    }

    /// What a webhook sent by the hour, as far as it was told.
    pub(crate) async fn hook(self, account: AccountId, hook: u64) -> Result<Hook, ReadError> {
        let row = self.0.get(&RowKey::Entity(StreamKey::Account(account), EntityKey::Hook(hook))).await?;
        Ok(row.map(|row| Hook::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    /// Whether anything that was sent to an account is open.
    pub(crate) async fn has_gaps(self, account: AccountId) -> Result<bool, ReadError> {
        let row = self.0.get(&RowKey::View(StreamKey::Account(account), ViewKey::Gaps)).await?;
        let ledger = row.map(|row| GapLedger::decode(&row.value)).transpose()?.unwrap_or_default();
        Ok(ledger.0.iter().any(|hook| hook.open_hours > 0))
    }

    pub(crate) async fn latest(self) -> Result<Latest, ReadError> {
        let row = self.0.get(&LatestFold::key()).await?;
        Ok(row.map(|row| Latest::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    pub(crate) async fn gists(self, account: AccountId) -> Result<Gists, ReadError> {
        let row = self.0.get(&RowKey::Entity(StreamKey::Account(account), EntityKey::Gists)).await?;
        Ok(row.map(|row| Gists::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    /// The users of S2.
    pub(crate) async fn gist_users(self) -> Result<GistUsers, ReadError> {
        let row = self.0.get(&RowKey::Entity(StreamKey::Service, EntityKey::GistUsers)).await?;
        Ok(row.map(|row| GistUsers::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    pub(crate) async fn need(self, stream: StreamKey, key: &NeedKey) -> Result<Need, ReadError> {
        let row = self.0.get(&RowKey::Need(stream, key.clone())).await?;
        Ok(row.map(|row| Need::decode(&row.value)).transpose()?.unwrap_or(Need::Met))
    }

    /// A cursor's value; `None` where there is none, or it ended, or another release wrote it.
    pub(crate) async fn cursor<T: serde::de::DeserializeOwned>(
        self,
        stream: StreamKey,
        kind: &str,
    ) -> Result<Option<T>, ReadError> {
        let row: Option<Row> = self.0.get(&RowKey::Cursor(stream, kind.to_owned())).await?;
        Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
    }

    /// The `ETag` with which to ask, unless something that the answer would not show has changed since.
    pub(crate) async fn etag(
        self,
        stream: StreamKey,
        what: &str,
        repo: Option<RepoId>,
        changed_at: Version,
    ) -> Result<Option<String>, ReadError> {
        let known: Option<Etag> = self.cursor(stream, &record::etag_cursor(what, repo)).await?;
        Ok(known.filter(|known| known.asked_at >= changed_at).map(|known| known.etag))
    }
}

fn id_bytes(user: AccountId) -> Vec<u8> {
    let mut id = Vec::new();
    user.write_key(&mut id);
    id
}

fn member(account: AccountId, parent: RepoId, set: MemberSet, bucket: u32, id: Vec<u8>) -> RowKey {
    RowKey::Member { stream: StreamKey::Account(account), set, parent, wipe: 0, bucket, id }
}
