//! The rows of the repository, made up: numbers that look like chance, and are the same each time.

use domain::{
    AccountId, EntityKey, Event, MemberSet, Millis, RepoId, Row, RowKey, Second, Stamp, StreamKey, Told,
    Version,
    entity::{
        stargazers::{BUCKETS, Given, StarBucket, bucket_of},
        starred::{Repo, Starred},
        stars::{Listed, Stars, Wanted},
    },
    event::{OwnerReading, RepositoryReading, StarredReading, StarredRepository, TrackedBy},
};

/// Repositories of which everybody stars some, the first the most often.
const REPOSITORIES: f64 = 2_000_000.0;
/// Whose repository it is.
pub(crate) const OWNER: u64 = 9;
/// The repository.
pub(crate) const TARGET: u64 = 70;

/// What somebody starred.
fn repositories(user: u64, stars: u64) -> Vec<u64> {
    let mut state = user.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..stars).map(|_| 1_000 + (REPOSITORIES * next().powi(3)) as u64).collect()
}

fn name(repo: u64) -> String {
    format!("owner-{}/repository-{repo}", repo % 500_000)
}

pub(crate) fn starred_row(user: u64, stars: u64) -> Row {
    let mut repositories: Vec<Repo> = repositories(user, stars)
        .into_iter()
        .map(|repo| Repo {
            id: RepoId::github(repo),
            owner: AccountId::github(repo % 500_000),
            full_name: name(repo),
        })
        .collect();
    repositories.sort_unstable();
    repositories.dedup_by_key(|repo| repo.id);
    let starred = Starred {
        login: format!("stargazer-{user}"),
        asked: (Version::LEAST, Second(50)),
        asked_ms: Millis(50_000),
        checked_ms: Millis(50_000),
        is_whole: true,
        repositories,
        pages: Vec::new(),
    };
    let id = AccountId::github(user + 1_000_000);
    let mut bytes = Vec::new();
    id.write_key(&mut bytes);
    row(member(MemberSet::Starred, bucket_of(id), bytes), starred.encode())
}

pub(crate) fn reading(user: u64, stars: u64) -> StarredReading<'static> {
    let repositories = repositories(user, stars).into_iter().map(|repo| StarredRepository {
        id: RepoId::github(repo),
        owner: AccountId::github(repo % 500_000),
        full_name: name(repo).into(),
    });
    StarredReading {
        starrer: AccountId::github(user + 1_000_000),
        login: format!("stargazer-{user}").into(),
        repositories: repositories.collect(),
        is_whole: true,
        older_ms: None,
        pages: Vec::new(),
    }
}

pub(crate) fn stargazers_rows(stargazers: u64) -> Vec<Row> {
    let mut slices: Vec<StarBucket> = (0..BUCKETS).map(|_| StarBucket::default()).collect();
    let stamp = Stamp { version: Version::LEAST, received_at: Millis(1), told: Told::Delivery };
    for user in 0..stargazers {
        let id = AccountId::github(user + 1_000_000);
        let login = format!("stargazer-{user}");
        let given = Given { user: id, login: Some(&login), is_given: true, at: Second(40) };
        slices[bucket_of(id) as usize].read(given, &stamp);
    }
    let stars = Stars {
        wanted: Some(Wanted { at: Version::LEAST, ms: Millis(1) }),
        erased_at: None,
        listed: Some(Listed { since: Version::LEAST, date: Second(45), is_whole: true }),
        list_check: domain::entity::check::Check::default(),
    };
    let entity = RowKey::Entity(stream(), EntityKey::Stars(RepoId::github(TARGET)));
    let slices = (0..BUCKETS).zip(slices);
    let slices =
        slices.map(|(number, slice)| row(member(MemberSet::Stargazers, number, Vec::new()), slice.encode()));
    std::iter::once(row(entity, stars.encode())).chain(slices).collect()
}

/// An account, and its repository as of this second.
pub(crate) fn opening(account: AccountId, second: i64) -> Vec<Event<'static>> {
    let owner = OwnerReading { id: account, login: "ada".into(), kind: None, url: None, avatar_url: None };
    let reading = RepositoryReading {
        name: Some("engine".into()),
        private: Some(false),
        updated_at: Some(Second(second)),
        ..RepositoryReading::of(RepoId::github(TARGET))
    };
    vec![Event::Tracked(TrackedBy::Person), Event::Owner(owner), Event::Repository(Box::new(reading))]
}

pub(crate) fn stream() -> StreamKey {
    StreamKey::Account(AccountId::github(OWNER))
}

fn member(set: MemberSet, bucket: u32, id: Vec<u8>) -> RowKey {
    RowKey::Member { stream: stream(), set, parent: RepoId::github(TARGET), wipe: 0, bucket, id }
}

fn row(key: RowKey, value: Vec<u8>) -> Row {
    Row { key, version: Version::LEAST, value: value.into() }
}
