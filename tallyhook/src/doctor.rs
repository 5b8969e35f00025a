//! What is wrong, and what to do about it: on this machine, in the running process, at the forge, with its webhooks.
//!
//! Whatever is looked at says what was found, good or not. The name of a finding never changes, so that scripts can
//! rely on it; its sentences may. No sentence holds a secret.

mod app;
mod forge;
mod here;
mod hooks;
mod process;
mod sample;

use std::fmt::Write as _;

use serde::Serialize;

use crate::{failure::Failure, serve::github_client, settings::Settings};

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether nothing is broken.
    healthy: bool,
    findings: Vec<Finding>,
}

/// What one look came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at, or the cause that was found; never changes.
    name: &'static str,
    verdict: Verdict,
    /// The webhook, account or part that it is about, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and should not stay so.
    Warning,
    /// Numbers are wrong or late because of it, or will be.
    Broken,
}

impl Finding {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Finding { name, verdict: Verdict::Good, about: None, found: found.into(), fix: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let fix = Some(fix.into());
        Finding { name, verdict: Verdict::Warning, about: None, found: found.into(), fix }
    }

    fn broken(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { verdict: Verdict::Broken, ..Finding::warning(name, found, fix) }
    }

    fn about(self, about: impl Into<String>) -> Self {
        Finding { about: Some(about.into()), ..self }
    }
}

/// Looks at everything. `targets`: whose webhooks, as OWNER or OWNER/REPO.
pub(crate) async fn examine(settings: &Settings, targets: &[String]) -> Result<Report, Failure> {
    let (running, mut findings) = process::look(settings).await?;
    findings.splice(0..0, here::look(settings, running.is_some()).await);
    let client = github_client(settings, hooks::unobserved()?)?;
    let (may_ask, reception) = forge::look(settings).await?;
    let is_answered = reception.iter().all(|finding| finding.name != "forge.unreachable");
    findings.extend(reception);
    if is_answered {
        findings.extend(app::look(settings).await?);
    }
    if may_ask {
        let targets = match (targets, &running) {
            ([], Some(running)) => running.organizations(&client).await,
            (targets, _) => targets.to_vec(),
        };
        findings.extend(hooks::look(&client, running.as_ref(), &targets).await);
    }
    Ok(Report { healthy: findings.iter().all(|finding| finding.verdict < Verdict::Broken), findings })
}

impl Report {
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts serialize")
    }

    /// For people: what is broken first.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        for Finding { name, verdict, about, found, fix } in sorted {
            let mark = match verdict {
                Verdict::Good => "good   ",
                Verdict::Warning => "warning",
                Verdict::Broken => "BROKEN ",
            };
            let about = about.as_ref().map(|about| format!("{about}: ")).unwrap_or_default();
            let _ = writeln!(text, "{mark}  {name}: {about}{found}");
            if let Some(fix) = fix {
                let _ = writeln!(text, "         what to do: {fix}");
            }
        }
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let _ = writeln!(
            text,
            "{} broken, {} to be looked after, {} good",
            count(Verdict::Broken),
            count(Verdict::Warning),
            count(Verdict::Good)
        );
        text
    }
}
