//! What the query API asks of a backfill that runs in the same process.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;

/// Says how much work it would be to read an account anew, and what may still be spent.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The plan, as JSON for a person; nothing is sent to the forge beyond what the plan itself needs.
    ///
    /// # Errors
    /// A sentence for the person who asked.
    async fn plan(&self, login: &str) -> Result<serde_json::Value, String>;

    /// How the limits of each forge stand.
    fn budgets(&self) -> Vec<ForgeBudget>;
}

/// How the limits of a forge stand, as far as its answers told.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ForgeBudget {
    /// `github` or `bitbucket`.
    pub forge: &'static str,
    /// With how many tokens it is asked.
    pub tokens: usize,
    /// The part of each limit that only repair may spend, 0 to 1.
    pub repair_share: f64,
    /// One entry for each token and resource that the forge told of.
    pub limits: Vec<LimitStanding>,
}

/// How one limit of one token stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LimitStanding {
    /// Which token, in the order of the settings, from 1, then the installations of the App in the order of their ids;
    /// 0 is what was asked without a token.
    pub token: usize,
    /// `core` and `search` count requests, `graphql` points.
    pub resource: &'static str,
    /// So many in an hour.
    pub limit: u64,
    /// So many are left, of all who ask with it.
    pub remaining: u64,
    /// So many of these are kept for repair.
    pub reserved: u64,
    /// When all are allowed again (RFC 3339); what remains was true of the hour before once that is past.
    pub reset: String,
    /// What this process spent in that hour, by what it was for: `repair`, `load`, `sweep`, `backfill`, `latest`,
    /// `gists`, `stars`, `command`. Each of them is there.
    pub spent: BTreeMap<&'static str, u64>,
}
