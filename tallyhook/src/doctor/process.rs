//! The running process, through its ops address: whether it answers, is ready, keeps up, and keeps whom it should.

use std::collections::BTreeSet;

use domain::Millis;
use github::client::{AccountPath, Answer, Asking, Client};
use serde::Deserialize;

use super::{Finding, sample::Sample};
use crate::{
    admin::{self, Admin},
    failure::Failure,
    settings::Settings,
};

/// Of so many accounts at most it is asked whether they are organisations, which costs a request each.
const ASKED_MAX: usize = 20;

/// So many records waiting for so long are more than a burst.
const LAG_RECORDS: f64 = 1_000.0;
const LAG_SECONDS: f64 = 60.0;

/// A process that answers.
pub(super) struct Running {
    http: reqwest::Client,
    ops_url: String,
    accounts: Vec<Account>,
}

#[derive(Debug, Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Debug, Deserialize)]
struct Account {
    login: Option<String>,
    state: String,
    complete: bool,
}

#[derive(Debug, Deserialize)]
struct Readiness {
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
}

/// Looks at the process; `None` where none answers.
pub(super) async fn look(settings: &Settings) -> Result<(Option<Running>, Vec<Finding>), Failure> {
    let http = admin::client()?;
    let ops_url = settings.ops_url.trim_end_matches('/').to_owned();
    let mut running = Running { http, ops_url, accounts: Vec::new() };
    let Some(sample) = running.sample().await else {
        let found = format!("no Tallyhook answers at {}", running.ops_url);
        let fix =
            "start one with `tallyhook serve`, or name its ops address with --ops-url (TALLYHOOK_OPS_URL)";
        return Ok((None, vec![Finding::broken("process", found, fix)]));
    };
    let mut findings = vec![Finding::good("process", format!("one answers at {}", running.ops_url))];
    findings.extend(running.readiness().await);
    findings.extend(judged(&sample));
    match Admin::new(settings)?.get::<Accounts>("/admin/accounts").await {
        Ok(Accounts { accounts }) => {
            findings.extend(judged_accounts(&accounts, &settings.track));
            running.accounts = accounts;
        }
        Err(failure) => findings.push(Finding::broken(
            "process.admin",
            format!("it does not let us ask: {failure}"),
            "run `tallyhook doctor` with the TALLYHOOK_ADMIN_TOKEN that the process has",
        )),
    }
    Ok((Some(running), findings))
}

impl Running {
    /// Its metrics now.
    pub(super) async fn sample(&self) -> Option<Sample> {
        let response = self.http.get(format!("{}/metrics", self.ops_url)).send().await.ok()?;
        let text = response.error_for_status().ok()?.text().await.ok()?;
        text.contains("tallyhook_").then(|| Sample::new(text))
    }

    async fn readiness(&self) -> Vec<Finding> {
        let response = self.http.get(format!("{}/readyz", self.ops_url)).send().await;
        let Ok(response) = response else { return Vec::new() };
        let Ok(Readiness { checks }) = response.json::<Readiness>().await else { return Vec::new() };
        if checks.iter().all(|check| check.ok) {
            return vec![Finding::good("readiness", "it is ready")];
        }
        let failing = checks.into_iter().filter(|check| !check.ok);
        failing
            .map(|check| Finding::broken("readiness", check.detail, remedy(&check.name)).about(check.name))
            .collect()
    }

    /// The organisations among the accounts that are kept.
    pub(super) async fn organizations(&self, client: &Client) -> Vec<String> {
        let kept = self.accounts.iter().filter(|account| account.state == "kept");
        let mut organizations = Vec::new();
        for login in kept.filter_map(|account| account.login.as_deref()).take(ASKED_MAX) {
            let asking = Asking::anew(Millis(boot::clock::now_ms()).to_second());
            let profile = client.profile(AccountPath::Login(login), &asking).await;
            if let Ok(Answer::Fresh(fresh)) = profile
                && fresh.body.owner.kind.as_ref().is_some_and(|kind| kind.as_str() == "Organization")
            {
                organizations.push(login.to_owned());
            }
        }
        organizations
    }
}

fn remedy(check: &str) -> &'static str {
    match check {
        "log" => "look at the disk or at Kafka; docs/RUNBOOK.md has a page for each alert",
        "store" | "views" => "look at the disk or at ScyllaDB; docs/RUNBOOK.md has a page for each alert",
        "projector" => "wait while it catches up; if the lag does not shrink, see docs/RUNBOOK.md",
        _ => "see docs/RUNBOOK.md",
    }
}

fn judged(sample: &Sample) -> Vec<Finding> {
    let number = |name: &str| sample.sum(name, &[]).unwrap_or(0.0);
    let mut findings = Vec::new();
    let (records, seconds) =
        (number("tallyhook_projector_lag_records"), number("tallyhook_projector_lag_seconds"));
    findings.push(if records >= LAG_RECORDS || (records > 0.0 && seconds >= LAG_SECONDS) {
        Finding::broken(
            "lag",
            format!("{records:.0} records wait to be folded, since {seconds:.0} s"),
            "see docs/RUNBOOK.md: more processors, a faster disk, or more projectors in a cluster",
        )
    } else {
        Finding::good("lag", format!("{records:.0} records wait to be folded"))
    });
    let dead = number("tallyhook_dead_letters");
    findings.push(if dead > 0.0 {
        Finding::broken(
            "dead_letters",
            format!("{dead:.0} deliveries could not be folded into the numbers"),
            "`tallyhook dead-letters list` tells why; after an upgrade `tallyhook dead-letters retry ID` folds them again",
        )
    } else {
        Finding::good("dead_letters", "every delivery could be folded")
    });
    findings.extend(judged_deliveries(sample));
    findings
}

fn judged_deliveries(sample: &Sample) -> Option<Finding> {
    const NAME: &str = "deliveries";
    let signatures = "tallyhook_signatures_total";
    let unsigned = sample.sum(signatures, &["secret=\"none\""])?;
    let signed = sample.sum(signatures, &[]).unwrap_or(0.0) - unsigned;
    Some(match (signed > 0.0, unsigned > 0.0) {
        (false, true) => Finding::broken(
            "deliveries.unsigned",
            format!(
                "all {unsigned:.0} deliveries since the start were signed with another secret, or not at all"
            ),
            "give the webhook at GitHub the secret that Tallyhook has, or Tallyhook the webhook's",
        ),
        (true, true) => Finding::warning(
            "deliveries.unsigned",
            format!(
                "{unsigned:.0} of {:.0} deliveries since the start were refused for their signature",
                signed + unsigned
            ),
            "a webhook with another secret still sends here, or a stranger does: GitHub shows each webhook's deliveries",
        ),
        (true, false) => Finding::good(NAME, format!("{signed:.0} came since the start, all well signed")),
        (false, false) => Finding::warning(
            "deliveries.none",
            "no delivery came since the start",
            "if something should have happened: `tallyhook doctor OWNER/REPO` looks at its webhook",
        ),
    })
}

fn judged_accounts(accounts: &[Account], track: &[String]) -> Vec<Finding> {
    let lower = |login: &String| login.to_lowercase();
    let kept: BTreeSet<String> = accounts
        .iter()
        .filter(|account| account.state == "kept")
        .filter_map(|account| account.login.as_ref().map(lower))
        .collect();
    let mut findings = Vec::new();
    // Of `@me` it is not known here who that is.
    for login in track.iter().filter(|login| !login.starts_with('@') && !kept.contains(&lower(login))) {
        let state = accounts.iter().find(|account| account.login.as_ref().map(lower) == Some(lower(login)));
        let found = match state {
            Some(account) => format!("it is to be tracked (TALLYHOOK_TRACK) and is {}", account.state),
            None => "it is to be tracked (TALLYHOOK_TRACK) and is not known".to_owned(),
        };
        let fix = format!(
            "look whether GitHub has an account of this name; `tallyhook track {login}` tries again at once"
        );
        findings.push(Finding::broken("accounts.missing", found, fix).about(login.clone()));
    }
    let incomplete = accounts.iter().filter(|account| account.state == "kept" && !account.complete).count();
    if incomplete > 0 {
        findings.push(Finding::warning(
            "accounts.incomplete",
            format!("{incomplete} of {} accounts are not complete", kept.len()),
            "wait while they are read; /v1/accounts/LOGIN names under `missing` what lacks, and why",
        ));
    }
    if kept.is_empty() && findings.is_empty() {
        findings.push(Finding::warning(
            "accounts.none",
            "no account is kept",
            "`tallyhook track LOGIN` starts one",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good("accounts", format!("{} are kept and complete", kept.len())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn names(metrics: &str) -> Vec<(&'static str, Verdict)> {
        let findings = judged(&Sample::new(metrics.to_owned()));
        findings
            .into_iter()
            .filter(|finding| finding.verdict > Verdict::Good)
            .map(|finding| (finding.name, finding.verdict))
            .collect()
    }

    #[test]
    fn numbers_that_should_not_be_so_are_named() {
        let good = "tallyhook_signatures_total{secret=\"current\"} 3\ntallyhook_signatures_total{secret=\"none\"} 0\n";
        assert_eq!(names(good), []);
        let lag = format!("{good}tallyhook_projector_lag_records 3\ntallyhook_projector_lag_seconds 80\n");
        assert_eq!(names(&lag), [("lag", Verdict::Broken)]);
        assert_eq!(names(&format!("{good}tallyhook_dead_letters 1\n")), [("dead_letters", Verdict::Broken)]);
        let unsigned = "tallyhook_signatures_total{secret=\"current\"} 0\ntallyhook_signatures_total{secret=\"none\"} 2\n";
        assert_eq!(names(unsigned), [("deliveries.unsigned", Verdict::Broken)]);
        assert_eq!(
            names("tallyhook_signatures_total{secret=\"none\"} 0\n"),
            [("deliveries.none", Verdict::Warning)]
        );
    }
}
