//! `/v1/accounts/{login}`: an account's profile and the totals over its public repositories.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    entity::account::{Account, Profile},
    id::{AccountId, Forge},
    ledger::totals::Totals,
    time::Second,
    view::{
        freshness::{Freshness, Missing, Reason},
        repository::{JsonId, Languages, PullFigures},
    },
};

/// An account: who it is, and the totals over its public repositories.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountPayload))]
pub struct Payload<'a> {
    account: About<'a>,
    totals: Sums<'a>,
    freshness: Freshness<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Account))]
struct About<'a> {
    /// The forge's own id.
    id: JsonId,
    login: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    name: Option<&'a str>,
    /// The address of its page.
    url: Option<&'a str>,
    avatar_url: Option<&'a str>,
    email: Option<&'a str>,
    followers: Option<u64>,
    public_gists: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountTotals))]
struct Sums<'a> {
    repositories: Repositories,
    /// On the default branches, forks included.
    commits: Option<u64>,
    pull_requests: PullFigures,
    stars: Option<u64>,
    forks: Option<u64>,
    /// Subscribers.
    watchers: Option<u64>,
    gists: Option<u64>,
    languages: Languages<'a>,
    /// Sorted, each once.
    topics: Vec<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RepositoryNumbers))]
struct Repositories {
    original: u64,
    forked: u64,
}

/// The gap of its own that says nothing about its repositories.
pub const FOLLOWERS: &str = "account.followers";

/// What an account itself lacks, repositories aside: for its own page, and for S0's payload.
pub fn own_gaps(
    account: &Account,
    has_unsettled_visibility: bool,
    forge: Forge,
) -> Vec<(&'static str, Reason)> {
    let mut gaps = Vec::new();
    let profile = match (account.unreadable, account.profile_check.refused, account.profile_doubt) {
        (Some(_), _, _) => Some(Reason::Unreadable),
        (None, Some(_), _) => Some(Reason::Refused),
        (None, None, Some(_)) => Some(Reason::Recounting),
        (None, None, None) if account.profile_check.is_unasked() => Some(Reason::Loading),
        (None, None, None) => None,
    };
    gaps.extend(profile.map(|reason| ("account", reason)));
    if profile.is_none() && account.profile.followers.is_none() && forge == Forge::GitHub {
        gaps.push((FOLLOWERS, Reason::Refused));
    }
    let list = match (account.list_check.refused, account.listed_since, account.list_doubt) {
        (Some(_), _, _) => Some(Reason::Refused),
        (None, None, _) => Some(Reason::Loading),
        (None, Some(_), Some(_)) => Some(Reason::Recounting),
        (None, Some(_), None) if has_unsettled_visibility => Some(Reason::Recounting),
        (None, Some(_), None) => None,
    };
    gaps.extend(list.map(|reason| ("repositories", reason)));
    gaps
}

/// Why each repository's own page may be wrong, whatever is known of the repository: its owner may have another
/// login by now, or a delivery about any of them could not be read.
pub fn gap_of_repositories(account: &Account) -> Option<Reason> {
    match (account.unreadable, account.profile_doubt) {
        (Some(_), _) => Some(Reason::Unreadable),
        (None, Some(_)) => Some(Reason::Recounting),
        (None, None) => None,
    }
}

/// Renders the payload; `repository_gaps` come in order. Returns it and whether it is complete.
pub fn render<'a>(
    id: AccountId,
    account: &'a Account,
    totals: &'a Totals,
    as_of: Second,
    own_gaps: &[(&'static str, Reason)],
    repository_gaps: impl Iterator<Item = Missing<'a>>,
) -> (Vec<u8>, bool) {
    let profile: &Profile = &account.profile;
    let mut gaps: Vec<Missing<'_>> =
        own_gaps.iter().map(|&(field, reason)| Missing { field, repository: None, reason }).collect();
    if profile.public_gists.is_none() && !account.profile_check.is_unasked() {
        gaps.push(Missing { field: "totals.gists", repository: None, reason: Reason::Refused });
    }
    let freshness = Freshness::new(as_of, gaps.into_iter().chain(repository_gaps));
    let is_complete = freshness.is_complete();
    let is_listed = account.listed_since.is_some();
    let languages: BTreeMap<String, u64> = totals.languages();
    let payload = Payload {
        account: About {
            id: JsonId::of(id.as_github(), id),
            login: profile.login.as_deref().unwrap_or_default(),
            kind: profile.kind.as_deref(),
            name: profile.name.as_deref(),
            url: profile.url.as_deref(),
            avatar_url: profile.avatar_url.as_deref(),
            email: profile.email.as_deref(),
            followers: profile.followers,
            public_gists: profile.public_gists,
        },
        totals: Sums {
            repositories: Repositories { original: totals.original, forked: totals.forked },
            commits: totals.commits.value(is_listed),
            pull_requests: PullFigures {
                total: totals.pulls.value(is_listed),
                open: totals.pulls_open.value(is_listed),
                merged: totals.pulls_merged.value(is_listed),
                closed: totals.pulls_closed.value(is_listed),
            },
            stars: totals.stars.value(is_listed),
            forks: totals.forks.value(is_listed),
            watchers: totals.watchers.value(is_listed),
            gists: profile.public_gists,
            languages: Languages(&languages),
            topics: totals.topics().collect(),
        },
        freshness,
    };
    (serde_json::to_vec(&payload).expect("a payload of plain values serializes"), is_complete)
}
