//! GraphQL: a page of an account's public repositories, each with all that is counted of it (reference A3). A head and
//! the count of its commits come from one read, so that they belong together.

use domain::{
    AccountId, CommitId, RepoId, Second, Text,
    event::{CommitsReading, OwnerReading, PullState, RepositoryReading},
};
use serde::{Deserialize, Serialize};

use crate::client::{AskError, Asking, Client, ListedPull, graphql::Queried};

/// Repositories of a page. Twice as many would take twice as long, and GitHub ends a query after 10 s.
pub const PAGE_MAX: u64 = 50;

/// Connections below each repository of the query: each costs a request for each repository.
const CONNECTIONS: u64 = 8;

/// What a page of so many repositories costs, by GitHub's own rule: a request for the list and for each connection of
/// each repository that may be on it; a hundred of them are a point.
pub fn points(page: u64) -> u64 {
    ((1 + page * CONNECTIONS + 50) / 100).max(1)
}

const QUERY: &str = "query($login: String!, $first: Int!, $after: String) {
  rateLimit { cost remaining resetAt }
  repositoryOwner(login: $login) {
    __typename login url avatarUrl
    ... on User { databaseId }
    ... on Organization { databaseId }
    repositories(first: $first, after: $after, ownerAffiliations: OWNER, privacy: PUBLIC,
                 orderBy: { field: NAME, direction: ASC }) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes {
        databaseId name url description isPrivate isFork isArchived createdAt updatedAt pushedAt
        stargazerCount forkCount
        licenseInfo { spdxId }
        watchers { totalCount }
        issues(states: OPEN) { totalCount }
        openPulls: pullRequests(states: OPEN) { totalCount }
        defaultBranchRef { name target { oid ... on Commit { history { totalCount } } } }
        newestPull: pullRequests(first: 1, orderBy: { field: CREATED_AT, direction: DESC }) {
          totalCount nodes { number }
        }
        changedPulls: pullRequests(first: 100, orderBy: { field: UPDATED_AT, direction: DESC }) {
          nodes { number state updatedAt }
        }
        languages(first: 100, orderBy: { field: SIZE, direction: DESC }) {
          totalCount edges { size node { name } }
        }
        repositoryTopics(first: 100) { nodes { topic { name } } }
      }
    }
  }
}";

/// What came of asking for a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Whole {
    /// Take it.
    Page(WholePage),
    /// It took too long: ask for a smaller one.
    TooHeavy,
    /// Ask in REST: GraphQL is not to be had, or knows no such account.
    NotOffered,
}

/// A page of repositories.
#[derive(Debug, Clone, PartialEq)]
pub struct WholePage {
    /// Whose they are.
    pub owner: AccountId,
    /// What could be read.
    pub repositories: Vec<WholeRepository>,
    /// Whether every repository of the page could be read: else which ones are there is not known.
    pub is_whole: bool,
    /// How many repositories the list has.
    pub total: Option<usize>,
    /// Where the list goes on.
    pub next: Option<String>,
    /// The answer's `Date`.
    pub date: Second,
}

/// A repository with what is counted of it; a part that is `None` must be asked for by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeRepository {
    /// Names, visibility, gauges.
    pub reading: RepositoryReading<'static>,
    /// Head and count of the default branch. Of an empty repository GraphQL tells no branch, so that it is `None`.
    pub commits: Option<CommitsReading<'static>>,
    /// Pull requests.
    pub pulls: Option<WholePulls>,
    /// Bytes per language.
    pub languages: Option<Vec<(Text<'static>, u64)>>,
}

/// Pull requests of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholePulls {
    /// How many, in all states.
    pub total: u64,
    /// The highest number; 0 when there is none.
    pub newest: u64,
    /// The latest changed, latest first.
    pub changed: Vec<ListedPull>,
    /// Whether these are all.
    pub is_all: bool,
}

#[derive(Serialize)]
struct Variables<'a> {
    login: &'a str,
    first: u64,
    after: Option<&'a str>,
}

impl Client {
    /// Asks for a page of an account's public repositories, by name, with all that is counted of them: at most
    /// `first`, which is at most [`PAGE_MAX`].
    pub async fn whole_repositories(
        &self,
        login: &str,
        first: u64,
        after: Option<&str>,
        asking: &Asking<'_>,
    ) -> Result<Whole, AskError> {
        let variables = Variables { login, first: first.clamp(1, PAGE_MAX), after };
        Ok(match self.query::<Data>(QUERY, variables, asking.now).await? {
            Queried::Data { data, is_whole, date } => {
                data.page(is_whole, date).map_or(Whole::NotOffered, Whole::Page)
            }
            Queried::TooHeavy => Whole::TooHeavy,
            Queried::NotOffered => Whole::NotOffered,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    repository_owner: Option<Owner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    #[serde(rename = "__typename")]
    kind: Option<String>,
    login: String,
    url: Option<String>,
    avatar_url: Option<String>,
    database_id: Option<u64>,
    repositories: Option<Repositories>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repositories {
    total_count: Option<usize>,
    page_info: PageInfo,
    nodes: Option<Vec<Option<Repository>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    database_id: Option<u64>,
    name: String,
    url: Option<String>,
    description: Option<String>,
    is_private: bool,
    is_fork: Option<bool>,
    is_archived: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    pushed_at: Option<String>,
    stargazer_count: Option<u64>,
    fork_count: Option<u64>,
    license_info: Option<License>,
    watchers: Option<Total>,
    issues: Option<Total>,
    open_pulls: Option<Total>,
    default_branch_ref: Option<Branch>,
    newest_pull: Option<NewestPull>,
    changed_pulls: Option<Nodes<Pull>>,
    languages: Option<Languages>,
    repository_topics: Option<Nodes<Topic>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct License {
    spdx_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    total_count: u64,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    oid: String,
    history: Option<Total>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewestPull {
    total_count: u64,
    nodes: Option<Vec<Option<Numbered>>>,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

#[derive(Deserialize)]
struct Nodes<T> {
    nodes: Option<Vec<Option<T>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pull {
    number: u64,
    state: String,
    updated_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Languages {
    total_count: usize,
    edges: Option<Vec<Option<LanguageEdge>>>,
}

#[derive(Deserialize)]
struct LanguageEdge {
    size: u64,
    node: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Topic {
    topic: Named,
}

/// All entries of a list, unless one of them is missing.
fn all<T>(entries: Option<Vec<Option<T>>>) -> Option<Vec<T>> {
    entries?.into_iter().collect()
}

impl Data {
    fn page(self, is_whole: bool, date: Second) -> Option<WholePage> {
        let owner = self.repository_owner?;
        let id = AccountId::github(owner.database_id?);
        let list = owner.repositories?;
        let owner = OwnerReading {
            id,
            login: owner.login.into(),
            kind: owner.kind.map(Text::from),
            url: owner.url.map(Text::from),
            avatar_url: owner.avatar_url.map(Text::from),
        };
        let next = match (list.page_info.has_next_page, list.page_info.end_cursor) {
            (false, _) => None,
            (true, Some(cursor)) => Some(cursor),
            // There is more, and no word of where.
            (true, None) => return None,
        };
        let total = list.total_count;
        let nodes = list.nodes?;
        let count = nodes.len();
        let read = |node: Option<Repository>| node?.read(&owner, is_whole, date);
        let repositories: Vec<WholeRepository> = nodes.into_iter().filter_map(read).collect();
        Some(WholePage { owner: id, is_whole: repositories.len() == count, repositories, total, next, date })
    }
}

impl Repository {
    /// `is_whole`: where something is `null` there is none.
    fn read(self, owner: &OwnerReading<'static>, is_whole: bool, date: Second) -> Option<WholeRepository> {
        let id = RepoId::github(self.database_id?);
        let second = |text: Option<String>| text.as_deref().and_then(Second::parse);
        let [created_at, updated_at, pushed_at] =
            [self.created_at, self.updated_at, self.pushed_at].map(second);
        let or_none = |value: Option<String>| match value {
            Some(value) => Some(Some(Text::from(value))),
            None => is_whole.then_some(None),
        };
        let topics = self.repository_topics.and_then(|topics| all(topics.nodes));
        let open_issues =
            self.issues.zip(self.open_pulls).map(|(issues, pulls)| issues.total_count + pulls.total_count);
        let commits = self.default_branch_ref.as_ref().and_then(|branch| {
            let target = branch.target.as_ref()?;
            Some(CommitsReading {
                repo: id,
                branch: branch.name.clone().into(),
                head: Some(target.oid.parse::<CommitId>().ok()?),
                count: target.history.as_ref()?.total_count,
                pushed_at: Some(pushed_at.unwrap_or(date)),
            })
        });
        let watchers = self.watchers.map(|watchers| watchers.total_count);
        let reading = RepositoryReading {
            owner: Some(owner.clone()),
            name: Some(self.name.into()),
            url: self.url.map(Text::from),
            private: Some(self.is_private),
            fork: self.is_fork,
            archived: self.is_archived,
            default_branch: self.default_branch_ref.map(|branch| branch.name.into()),
            description: or_none(self.description),
            license: or_none(self.license_info.and_then(|license| license.spdx_id)),
            topics: topics.map(|topics| topics.into_iter().map(|topic| topic.topic.name.into()).collect()),
            created_at,
            updated_at,
            pushed_at,
            stars: self.stargazer_count,
            forks: self.fork_count,
            open_issues,
            watchers,
            as_of: created_at.max(updated_at).max(pushed_at),
            is_whole: watchers.is_some(),
            ..RepositoryReading::of(id)
        };
        let languages = self.languages.and_then(|languages| {
            let edges = all(languages.edges)?;
            (edges.len() == languages.total_count)
                .then(|| edges.into_iter().map(|edge| (edge.node.name.into(), edge.size)).collect())
        });
        let pulls = WholePulls::read(self.newest_pull, self.changed_pulls);
        Some(WholeRepository { reading, commits, pulls, languages })
    }
}

impl WholePulls {
    fn read(newest: Option<NewestPull>, changed: Option<Nodes<Pull>>) -> Option<Self> {
        let NewestPull { total_count: total, nodes } = newest?;
        let newest = match all(nodes)?.first() {
            Some(pull) => pull.number,
            None if total == 0 => 0,
            None => return None,
        };
        let changed: Vec<ListedPull> = all(changed?.nodes)?.iter().map(Pull::read).collect::<Option<_>>()?;
        let is_all = u64::try_from(changed.len()).ok() == Some(total);
        Some(WholePulls { total, newest, changed, is_all })
    }
}

impl Pull {
    fn read(&self) -> Option<ListedPull> {
        let state = match self.state.as_str() {
            "OPEN" => PullState::Open,
            "CLOSED" => PullState::Closed,
            "MERGED" => PullState::Merged,
            _ => return None,
        };
        Some((self.number, state, Second::parse(&self.updated_at)?))
    }
}
