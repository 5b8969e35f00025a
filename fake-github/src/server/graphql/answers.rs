//! What the fields answer: accounts, repositories, and what is asked of one.
#![expect(
    clippy::duplicated_attributes,
    reason = "fields of an interface are attributes, and some have one type"
)]

use std::sync::Arc;

use async_graphql::{Context, Error, Interface, Object, SimpleObject};

use super::{
    lists::{IssueConnection, Page, PageInfo, PullRequestConnection, RepositoryTopicConnection, page},
    moment::Moment,
    schema::{
        DateTime, GitObjectId, IssueOrder, IssueOrderField, IssueState, LanguageOrder, OrderDirection,
        PullRequestState, RepositoryAffiliation, RepositoryOrder, RepositoryPrivacy, Uri, error,
    },
};
use crate::{
    model::{self, account::Account, pull::Pull},
    wire,
};

/// An account, as the owner of repositories.
#[derive(Interface)]
#[graphql(
    field(name = "login", ty = "&str"),
    field(name = "url", ty = "Uri"),
    field(name = "avatar_url", ty = "Uri"),
    field(
        name = "repositories",
        ty = "RepositoryConnection",
        arg(name = "first", ty = "Option<i32>"),
        arg(name = "last", ty = "Option<i32>"),
        arg(name = "after", ty = "Option<String>"),
        arg(name = "owner_affiliations", ty = "Option<Vec<RepositoryAffiliation>>"),
        arg(name = "privacy", ty = "Option<RepositoryPrivacy>"),
        arg(name = "order_by", ty = "Option<RepositoryOrder>")
    )
)]
pub(super) enum RepositoryOwner {
    User(User),
    Organization(Organization),
}

pub(super) struct User(pub(super) Arc<Account>);
pub(super) struct Organization(pub(super) Arc<Account>);

macro_rules! owner {
    ($name:ident { $($own:item)* }) => {
        #[Object]
        impl $name {
            async fn database_id(&self) -> u64 {
                self.0.id.0
            }

            async fn login(&self) -> &str {
                &self.0.login
            }

            async fn url(&self, context: &Context<'_>) -> Result<Uri, Error> {
                Ok(Uri(context.data::<Moment>()?.page(&self.0)))
            }

            async fn avatar_url(&self) -> Uri {
                Uri(wire::avatar_url(&self.0))
            }

            #[expect(clippy::too_many_arguments, reason = "GitHub's own")]
            async fn repositories(
                &self,
                context: &Context<'_>,
                first: Option<i32>,
                last: Option<i32>,
                after: Option<String>,
                owner_affiliations: Option<Vec<RepositoryAffiliation>>,
                privacy: Option<RepositoryPrivacy>,
                order_by: Option<RepositoryOrder>,
            ) -> Result<RepositoryConnection, Error> {
                let is_asked = |affiliations: Vec<_>| affiliations.contains(&RepositoryAffiliation::Owner);
                let is_owner = owner_affiliations.is_none_or(is_asked);
                let moment = context.data::<Moment>()?;
                let mut list = if is_owner { moment.repositories_of(&self.0) } else { Vec::new() };
                list.retain(|repo| match privacy {
                    Some(RepositoryPrivacy::Public) => repo.is_public(),
                    Some(RepositoryPrivacy::Private) => !repo.is_public(),
                    None => true,
                });
                if order_by.is_some_and(|order| order.direction == OrderDirection::Desc) {
                    list.reverse();
                }
                let page = page(list, (first, last), after.as_deref(), |repo| repo.name.to_lowercase())?;
                Ok(RepositoryConnection(page))
            }

            $($own)*
        }
    };
}

owner! { User {
    async fn followers(&self) -> UserConnection {
        UserConnection { total_count: self.0.followers }
    }
} }
owner! { Organization {} }

pub(super) struct RepositoryConnection(Page<Arc<model::repository::Repository>>);

#[Object]
impl RepositoryConnection {
    /// One that was taken down is left out with an error of its own.
    async fn nodes(&self, context: &Context<'_>) -> Vec<Option<Repository>> {
        let shown = self.0.items.iter().map(|repo| {
            if repo.blocked_at.is_some() {
                let blocked = error("FORBIDDEN", "Repository access blocked");
                context.add_error(context.set_error_path(blocked.into_server_error(context.item.pos)));
                return None;
            }
            Some(Repository(Arc::clone(repo)))
        });
        shown.collect()
    }

    async fn page_info(&self) -> &PageInfo {
        &self.0.info
    }

    async fn total_count(&self) -> usize {
        self.0.total
    }
}

pub(super) struct Repository(Arc<model::repository::Repository>);

#[Object]
impl Repository {
    async fn database_id(&self) -> u64 {
        self.0.id.0
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn name_with_owner(&self, context: &Context<'_>) -> Result<String, Error> {
        Ok(context.data::<Moment>()?.full_name(&self.0))
    }

    async fn url(&self, context: &Context<'_>) -> Result<Uri, Error> {
        let moment = context.data::<Moment>()?;
        Ok(Uri(format!("{}/{}", moment.html(), moment.full_name(&self.0))))
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn is_private(&self) -> bool {
        !self.0.is_public()
    }

    async fn is_fork(&self) -> bool {
        self.0.fork_of.is_some()
    }

    async fn is_archived(&self) -> bool {
        self.0.archived
    }

    async fn stargazer_count(&self) -> usize {
        self.0.stars.len()
    }

    async fn fork_count(&self) -> usize {
        self.0.forks.len()
    }

    async fn created_at(&self) -> DateTime {
        DateTime::of(self.0.created_at)
    }

    async fn updated_at(&self) -> DateTime {
        DateTime::of(self.0.updated_at)
    }

    async fn pushed_at(&self) -> Option<DateTime> {
        Some(DateTime::of(self.0.pushed_at))
    }

    async fn license_info(&self) -> Option<License> {
        self.0.license.map(|license| License { name: license.name, spdx_id: Some(license.spdx_id) })
    }

    async fn watchers(&self) -> UserConnection {
        UserConnection { total_count: self.0.subscribers }
    }

    /// None while the repository is empty.
    async fn default_branch_ref(&self, context: &Context<'_>) -> Result<Option<Ref>, Error> {
        let head = context.data::<Moment>()?.head(self.0.id).cloned();
        Ok(head.map(|(oid, reaches)| Ref {
            name: self.0.default_branch.clone(),
            target: Commit { repo: self.0.id, oid, reaches },
        }))
    }

    async fn issues(
        &self,
        first: Option<i32>,
        last: Option<i32>,
        states: Option<Vec<IssueState>>,
    ) -> Result<IssueConnection, Error> {
        let state = |issue: &model::issue::Issue| match issue.closed_at {
            None => IssueState::Open,
            Some(_) => IssueState::Closed,
        };
        let issues =
            self.0.issues.iter().map(|(number, issue)| Issue { number: *number, state: state(issue) });
        let asked = |issue: &Issue| states.as_ref().is_none_or(|states| states.contains(&issue.state));
        let list: Vec<Issue> = issues.filter(asked).collect();
        Ok(IssueConnection(page(list, (first, last), None, |issue| format!("{:020}", issue.number))?))
    }

    async fn pull_requests(
        &self,
        first: Option<i32>,
        last: Option<i32>,
        states: Option<Vec<PullRequestState>>,
        order_by: Option<IssueOrder>,
    ) -> Result<PullRequestConnection, Error> {
        let pulls = self.0.pulls.values().map(PullRequest::of);
        let asked = |pull: &PullRequest| states.as_ref().is_none_or(|states| states.contains(&pull.state));
        let mut list: Vec<PullRequest> = pulls.filter(asked).collect();
        if order_by.is_some_and(|order| order.field == IssueOrderField::UpdatedAt) {
            list.sort_by_key(|pull| (pull.changed_at, pull.number));
        }
        if order_by.is_some_and(|order| order.direction == OrderDirection::Desc) {
            list.reverse();
        }
        let key = |pull: &PullRequest| format!("{:020}", pull.number);
        Ok(PullRequestConnection(page(list, (first, last), None, key)?))
    }

    async fn languages(
        &self,
        first: Option<i32>,
        last: Option<i32>,
        order_by: Option<LanguageOrder>,
    ) -> Result<LanguageConnection, Error> {
        let mut list = self.0.languages_by_size();
        if order_by.is_some_and(|order| order.direction == OrderDirection::Asc) {
            list.reverse();
        }
        let edges =
            list.into_iter().map(|(name, size)| LanguageEdge { size, node: Language { name: name.into() } });
        let page = page(edges.collect(), (first, last), None, |edge: &LanguageEdge| edge.node.name.clone())?;
        let total_size = self.0.languages.values().sum();
        Ok(LanguageConnection {
            total_count: page.total,
            total_size,
            page_info: page.info,
            edges: page.items,
        })
    }

    async fn repository_topics(
        &self,
        first: Option<i32>,
        last: Option<i32>,
    ) -> Result<RepositoryTopicConnection, Error> {
        let topics = self.0.topics.iter().map(|name| RepositoryTopic { topic: Topic { name: name.clone() } });
        let page =
            page(topics.collect(), (first, last), None, |topic: &RepositoryTopic| topic.topic.name.clone())?;
        Ok(RepositoryTopicConnection(page))
    }
}

#[derive(SimpleObject)]
pub(super) struct UserConnection {
    total_count: u64,
}

#[derive(SimpleObject)]
pub(super) struct License {
    name: &'static str,
    spdx_id: Option<&'static str>,
}

pub(super) struct Ref {
    name: String,
    target: Commit,
}

#[Object]
impl Ref {
    async fn name(&self) -> &str {
        &self.name
    }

    async fn target(&self) -> Option<GitObject> {
        Some(self.target.clone().into())
    }
}

/// What a ref names.
#[derive(Interface)]
#[graphql(field(name = "oid", ty = "GitObjectId"))]
pub(super) enum GitObject {
    Commit(Commit),
}

#[derive(Clone)]
pub(super) struct Commit {
    repo: model::RepoId,
    oid: String,
    reaches: u64,
}

#[Object]
impl Commit {
    async fn oid(&self) -> GitObjectId {
        GitObjectId(self.oid.clone())
    }

    async fn history(&self, context: &Context<'_>) -> Result<CommitHistoryConnection, Error> {
        if context.data::<Moment>()?.is_partial && self.repo.0.is_multiple_of(2) {
            return Err(error("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded."));
        }
        Ok(CommitHistoryConnection { total_count: self.reaches })
    }
}

#[derive(SimpleObject)]
pub(super) struct CommitHistoryConnection {
    total_count: u64,
}

#[derive(SimpleObject)]
pub(super) struct Issue {
    number: u64,
    state: IssueState,
}

#[derive(SimpleObject)]
pub(super) struct PullRequest {
    number: u64,
    state: PullRequestState,
    updated_at: DateTime,
    #[graphql(skip)]
    changed_at: model::Second,
}

impl PullRequest {
    fn of(pull: &Pull) -> Self {
        let state = match (&pull.merged, pull.is_open()) {
            (Some(_), _) => PullRequestState::Merged,
            (None, true) => PullRequestState::Open,
            (None, false) => PullRequestState::Closed,
        };
        let updated_at = DateTime::of(pull.updated_at);
        PullRequest { number: pull.number, state, updated_at, changed_at: pull.updated_at }
    }
}

#[derive(SimpleObject)]
pub(super) struct LanguageConnection {
    total_count: usize,
    total_size: u64,
    page_info: PageInfo,
    edges: Vec<LanguageEdge>,
}

#[derive(SimpleObject)]
pub(super) struct LanguageEdge {
    size: u64,
    node: Language,
}

#[derive(SimpleObject)]
pub(super) struct Language {
    name: String,
}

#[derive(SimpleObject)]
pub(super) struct RepositoryTopic {
    topic: Topic,
}

#[derive(SimpleObject)]
pub(super) struct Topic {
    name: String,
}
