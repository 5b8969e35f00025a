//! Where a query begins, and the words of the schema: scalars, enumerations, orders.

use async_graphql::{Context, Enum, Error, ErrorExtensions, InputObject, Object, SimpleObject, scalar};
use serde::{Deserialize, Serialize};

use super::{
    answers::{Organization, RepositoryOwner, User},
    cost::Cost,
    moment::Moment,
};
use crate::{model::account::AccountKind, server::limits::Standing};

/// Where a query begins.
pub(super) struct Query;

#[Object]
impl Query {
    async fn rate_limit(&self, context: &Context<'_>) -> Result<RateLimit, Error> {
        context.data::<RateLimit>().cloned()
    }

    async fn repository_owner(
        &self,
        context: &Context<'_>,
        login: String,
    ) -> Result<Option<RepositoryOwner>, Error> {
        let account = context.data::<Moment>()?.account_named(&login);
        Ok(account.map(|account| match account.kind {
            AccountKind::User => User(account).into(),
            AccountKind::Organization => Organization(account).into(),
        }))
    }
}

/// Where the caller stands once this query is done.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct RateLimit {
    limit: u64,
    cost: u64,
    remaining: u64,
    used: u64,
    reset_at: DateTime,
    node_count: u64,
}

impl RateLimit {
    pub(super) fn after(standing: Standing, cost: Cost) -> Self {
        let used = standing.used + cost.points;
        RateLimit {
            limit: standing.limit,
            cost: cost.points,
            remaining: standing.limit.saturating_sub(used),
            used,
            reset_at: DateTime::of(standing.resets_at),
            node_count: cost.nodes,
        }
    }
}

/// An error with GitHub's name for it.
pub(super) fn error(kind: &str, message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("type", kind))
}

/// RFC 3339 in UTC.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DateTime(String);
scalar!(DateTime);

impl DateTime {
    pub(super) fn of(second: crate::model::Second) -> Self {
        DateTime(second.to_string())
    }
}

/// An address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Uri(pub(super) String);
scalar!(Uri, "URI");

/// The name of a commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GitObjectId(pub(super) String);
scalar!(GitObjectId, "GitObjectID");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum OrderDirection {
    Asc,
    Desc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum RepositoryPrivacy {
    Public,
    Private,
}

/// Of whom repositories are listed; the fake lists those of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum RepositoryAffiliation {
    Owner,
    Collaborator,
    OrganizationMember,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum RepositoryOrderField {
    Name,
}

#[derive(Debug, Clone, Copy, InputObject)]
pub(super) struct RepositoryOrder {
    pub(super) field: RepositoryOrderField,
    pub(super) direction: OrderDirection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum IssueState {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum PullRequestState {
    Open,
    Closed,
    Merged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum IssueOrderField {
    CreatedAt,
    UpdatedAt,
}

#[derive(Debug, Clone, Copy, InputObject)]
pub(super) struct IssueOrder {
    pub(super) field: IssueOrderField,
    pub(super) direction: OrderDirection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum LanguageOrderField {
    Size,
}

#[derive(Debug, Clone, Copy, InputObject)]
pub(super) struct LanguageOrder {
    pub(super) field: LanguageOrderField,
    pub(super) direction: OrderDirection,
}
