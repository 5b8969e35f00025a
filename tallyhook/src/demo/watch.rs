//! Looking at the payloads as a reader would, until they show what is true.

use std::{net::SocketAddr, time::Duration};

use fake_github::{RepoTruth, Visibility};
use serde_json::Value;
use tokio::time::Instant;

use crate::failure::{Failure, failed};

/// How often a payload is looked at while a change is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How often while accounts are loaded.
const LOAD_LOOK_EVERY: Duration = Duration::from_millis(50);
/// A number in doubt is settled within 45 s.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A reader of the API.
pub(super) struct Watch {
    client: reqwest::Client,
    api: SocketAddr,
}

/// What a reader saw of a change.
pub(super) struct Seen {
    /// Until the payload showed it, or said that it was being recounted.
    pub(super) shown: Duration,
    /// Until the payload was true again, where it was in doubt before.
    pub(super) settled: Option<Duration>,
    /// What it says now.
    pub(super) says: String,
}

impl Watch {
    pub(super) fn new(api: SocketAddr) -> Result<Self, Failure> {
        Ok(Watch { client: crate::admin::client()?, api })
    }

    /// Waits until every account is complete, and says so.
    pub(super) async fn loaded(&self, logins: &[String]) -> Result<(), Failure> {
        let begun = Instant::now();
        for login in logins {
            loop {
                let account = self.get(&format!("/v1/accounts/{login}")).await?;
                if account["freshness"]["complete"] == true {
                    let repositories = &account["totals"]["repositories"];
                    println!(
                        "backfill  {login}: repositories {}, commits {}, pull requests {}, stars {}, after {}",
                        repositories["original"].as_u64().unwrap_or(0)
                            + repositories["forked"].as_u64().unwrap_or(0),
                        account["totals"]["commits"],
                        account["totals"]["pull_requests"]["total"],
                        account["totals"]["stars"],
                        shown(begun.elapsed())
                    );
                    break;
                }
                tokio::time::sleep(LOAD_LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Waits until a repository's payload shows what is true; `None` when that took too long.
    pub(super) async fn until_true(
        &self,
        begun: Instant,
        truth: impl Fn() -> Option<RepoTruth>,
        former: &str,
    ) -> Result<Option<Seen>, Failure> {
        let mut doubted = None;
        while begun.elapsed() < WAIT_MAX {
            let truth = truth();
            let path = truth.as_ref().map_or(former, |truth| truth.full_name.as_str());
            let payload = self.get(&format!("/v1/repos/{path}")).await?;
            let took = begun.elapsed();
            if is_true(&payload, truth.as_ref()) {
                let settled = doubted.map(|_| took);
                return Ok(Some(Seen { shown: doubted.unwrap_or(took), settled, says: says(&payload) }));
            }
            if payload["freshness"]["complete"] == false {
                doubted.get_or_insert(took);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(None)
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let response = self.client.get(format!("http://{}{path}", self.api)).send().await.map_err(failed)?;
        let body = response.bytes().await.map_err(failed)?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// Whether the payload shows these numbers, and calls them complete.
fn is_true(payload: &Value, truth: Option<&RepoTruth>) -> bool {
    let Some(truth) = truth.filter(|truth| truth.visibility == Visibility::Public && !truth.blocked) else {
        return payload["status"] == 404;
    };
    let counts = &payload["counts"];
    payload["freshness"]["complete"] == true
        && payload["repository"]["full_name"] == truth.full_name.as_str()
        && payload["repository"]["pushed_at"] == truth.pushed_at.to_string()
        && payload["repository"]["archived"] == truth.archived
        && payload["repository"]["default_branch"] == truth.default_branch.as_str()
        && counts["commits"] == truth.commits
        && counts["pull_requests"]["open"] == truth.pulls.open
        && counts["pull_requests"]["merged"] == truth.pulls.merged
        && counts["pull_requests"]["closed"] == truth.pulls.closed
        && counts["stars"] == truth.stars
        && counts["forks"] == truth.forks
        && counts["open_issues"] == truth.open_issues
}

fn says(payload: &Value) -> String {
    if payload["status"] == 404 {
        return "shown to nobody any more".to_owned();
    }
    let counts = &payload["counts"];
    format!(
        "commits {}, pull requests {} (open {}), stars {}, forks {}",
        counts["commits"],
        counts["pull_requests"]["total"],
        counts["pull_requests"]["open"],
        counts["stars"],
        counts["forks"]
    )
}

/// A duration for people.
pub(super) fn shown(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
