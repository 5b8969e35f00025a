//! Payloads as they must be when everything is known, from the oracle's truth.

use std::collections::{BTreeMap, BTreeSet};

use fake_github::{AccountTruth, RepoTruth, Visibility};
use serde_json::{Value, json};

/// S0's `/githubPayload`.
pub fn github_payload(account: &AccountTruth) -> Value {
    let repositories: Vec<Value> = account
        .repositories
        .iter()
        .map(|repo| {
            json!({
                "name": repo.name,
                "url": repo.html_url,
                "commitCount": repo.commits,
                "pullRequestCount": pulls_total(repo),
            })
        })
        .collect();
    json!({"user": {
        "githubHandle": account.login,
        "githubURL": account.html_url,
        "avatarURL": account.avatar_url,
        "email": account.email,
        "followerCount": account.followers,
        "repositories": repositories,
    }})
}

/// `/v1/accounts/{login}` without `freshness`.
pub fn account(account: &AccountTruth) -> Value {
    let repos = &account.repositories;
    let sum = |part: fn(&RepoTruth) -> u64| repos.iter().map(part).sum::<u64>();
    let forked = repos.iter().filter(|repo| repo.fork).count();
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in repos.iter().flat_map(|repo| &repo.languages) {
        *bytes.entry(name.clone()).or_default() += count;
    }
    let topics: BTreeSet<&String> = repos.iter().flat_map(|repo| &repo.topics).collect();
    json!({
        "account": {
            "id": account.id,
            "login": account.login,
            "type": account.kind,
            "name": account.name,
            "url": account.html_url,
            "avatar_url": account.avatar_url,
            "email": account.email,
            "followers": account.followers,
            "public_gists": account.public_gists,
        },
        "totals": {
            "repositories": {"original": repos.len() - forked, "forked": forked},
            "commits": sum(|repo| repo.commits),
            "pull_requests": {
                "total": sum(pulls_total),
                "open": sum(|repo| repo.pulls.open),
                "merged": sum(|repo| repo.pulls.merged),
                "closed": sum(|repo| repo.pulls.closed),
            },
            "stars": sum(|repo| repo.stars),
            "forks": sum(|repo| repo.forks),
            "watchers": sum(|repo| repo.watchers),
            "gists": account.public_gists,
            "languages": languages(&bytes),
            "topics": topics,
        },
    })
}

/// `/v1/repos/{owner}/{name}` without `freshness`; `None` where it must be a 404.
pub fn repository(repo: &RepoTruth) -> Option<Value> {
    if repo.visibility != Visibility::Public || repo.blocked {
        return None;
    }
    Some(json!({
        "repository": {
            "id": repo.id,
            "full_name": repo.full_name,
            "url": repo.html_url,
            "description": repo.description,
            "visibility": "public",
            "fork": repo.fork,
            "archived": repo.archived,
            "default_branch": repo.default_branch,
            "license": repo.license,
            "topics": repo.topics,
            "created_at": repo.created_at.to_string(),
            "updated_at": repo.updated_at.to_string(),
            "pushed_at": repo.pushed_at.to_string(),
        },
        "counts": {
            "commits": repo.commits,
            "pull_requests": {
                "total": pulls_total(repo),
                "open": repo.pulls.open,
                "merged": repo.pulls.merged,
                "closed": repo.pulls.closed,
            },
            "stars": repo.stars,
            "forks": repo.forks,
            "watchers": repo.watchers,
            "open_issues": repo.open_issues,
        },
        "languages": languages(&repo.languages),
    }))
}

/// A payload without its `freshness`, to compare with the above.
pub fn without_freshness(mut payload: Value) -> Value {
    if let Some(object) = payload.as_object_mut() {
        object.remove("freshness");
    }
    payload
}

fn pulls_total(repo: &RepoTruth) -> u64 {
    repo.pulls.open + repo.pulls.merged + repo.pulls.closed
}

/// A number as it is read from a payload: the reader rounds the last digit otherwise than the writer.
fn as_read(number: f64) -> Value {
    serde_json::from_str(&json!(number).to_string()).expect("a written number can be read")
}

fn languages(bytes: &BTreeMap<String, u64>) -> Value {
    let total: u64 = bytes.values().sum();
    let entry = |(name, count): (&String, &u64)| {
        #[expect(clippy::cast_precision_loss, reason = "byte counts of the fake are small")]
        let share = if total == 0 { 0.0 } else { *count as f64 / total as f64 };
        (name.clone(), json!({"bytes": count, "share": as_read(share)}))
    };
    bytes.iter().map(entry).collect::<serde_json::Map<String, Value>>().into()
}
