//! The GitHub App: whether GitHub knows it, what it may and what it sends, and on whom it is installed.

use std::collections::BTreeMap;

use github::client::{
    APP_EVENTS, APP_PERMISSIONS, AboutApp, Answer, AppHook, AskError, Client, Installation,
};

use super::{
    Finding,
    hooks::{asking, leads_here, missing_events, shown, unasked, unobserved},
};
use crate::{failure::Failure, serve::github_client, settings::Settings};

/// So many logins are named in one sentence.
const NAMED_MAX: usize = 10;

const WHERE: &str = "at GitHub under Settings, Developer settings, GitHub Apps";

/// What was found; nothing where no App is set.
pub(super) async fn look(settings: &Settings) -> Result<Vec<Finding>, Failure> {
    if settings.github_app.is_none() {
        return Ok(Vec::new());
    }
    let client = github_client(settings, unobserved()?)?;
    let about = match client.about_app(&asking()).await {
        Ok(Answer::Fresh(fresh)) => fresh.body,
        Ok(_) => return Ok(vec![unknown()]),
        Err(error) => return Ok(vec![refused(&error)]),
    };
    let mut findings = judged(&about);
    match client.app_hook(&asking()).await {
        Ok(Answer::Fresh(fresh)) => findings.extend(judged_hook(&fresh.body)),
        Ok(_) => findings.push(no_hook()),
        Err(error) => findings.push(unasked(&error)),
    }
    match installations(&client).await {
        Ok(installations) => findings.extend(judged_installations(&about, &installations)),
        Err(error) => findings.push(unasked(&error)),
    }
    Ok(findings)
}

async fn installations(client: &Client) -> Result<Vec<Installation>, AskError> {
    client.installations(asking().now).await
}

fn unknown() -> Finding {
    Finding::broken(
        "app.id",
        "GitHub knows no App of this id",
        format!("set TALLYHOOK_GITHUB_APP_ID to the App's id, as it is shown {WHERE}"),
    )
}

fn refused(error: &AskError) -> Finding {
    match error {
        AskError::Final(sentence) if sentence.contains("(401") => Finding::broken(
            "app.key",
            "GitHub does not accept what is signed with the App's private key: it is another App's, or was deleted",
            format!("make a new key {WHERE}, and set TALLYHOOK_GITHUB_APP_PRIVATE_KEY_FILE to the file"),
        ),
        AskError::Final(sentence) if sentence.contains("(404") => unknown(),
        other => unasked(other),
    }
}

/// What the App asks for and sends.
fn judged(about: &AboutApp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let missing = missing_rights(&about.permissions);
    if !missing.is_empty() {
        findings.push(Finding::broken(
            "app.permissions",
            format!("the App may not read {}", missing.join(", ")),
            format!("give it these permissions {WHERE}, and accept them for each installation"),
        ));
    }
    let missing = missing_events(&about.events, APP_EVENTS);
    if !missing.is_empty() {
        findings.push(Finding::broken(
            "app.events",
            format!("the App does not send {}", missing.join(", ")),
            format!("subscribe it to these events {WHERE}, Permissions & events"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good("app", format!("GitHub knows it as {}", about.slug)));
    }
    findings
}

fn no_hook() -> Finding {
    Finding::broken(
        "app.hook",
        "the App sends no deliveries",
        format!("tick `Active` under Webhook {WHERE}, and give it the address of /webhooks/github"),
    )
}

fn judged_hook(hook: &AppHook) -> Vec<Finding> {
    if hook.url.is_empty() {
        return vec![no_hook()];
    }
    let mut findings = Vec::new();
    if !leads_here(&hook.url) {
        findings.push(Finding::broken(
            "app.hook",
            format!("the App sends to {}, which is no door of Tallyhook's", shown(&hook.url)),
            format!("give its webhook an address that ends in /webhooks/github {WHERE}"),
        ));
    }
    if hook.content_type != "json" {
        findings.push(Finding::warning(
            "app.content_type",
            "the App sends forms, which are larger and whose bodies GitHub cuts off later",
            format!("choose the content type application/json {WHERE}"),
        ));
    }
    if !hook.verifies_tls {
        findings.push(Finding::warning(
            "app.tls",
            "GitHub does not look at the certificate of the address that the App sends to",
            format!("enable SSL verification {WHERE}"),
        ));
    }
    findings
}

fn judged_installations(about: &AboutApp, installations: &[Installation]) -> Vec<Finding> {
    if installations.is_empty() {
        return vec![Finding::warning(
            "app.installations",
            "the App is installed nowhere, so that it may see nothing",
            format!("install it: {}/installations/new", about.html_url),
        )];
    }
    let mut findings = Vec::new();
    for installation in installations {
        let login = &installation.login;
        if installation.is_suspended {
            findings.push(
                Finding::warning(
                    "app.suspended",
                    "the installation is suspended: what it saw is not shown, and it sends nothing",
                    "let an owner of the account unsuspend it under Settings, Applications; or uninstall it",
                )
                .about(login),
            );
            continue;
        }
        let asks_for = missing_rights(&about.permissions);
        let missing = missing_rights(&installation.permissions);
        if missing.iter().any(|right| !asks_for.contains(right)) {
            findings.push(
                Finding::broken(
                    "app.accept",
                    format!("the installation may not read {}, which the App asks for", missing.join(", ")),
                    "let an owner of the account accept the App's new permissions under Settings, Applications",
                )
                .about(login),
            );
        }
    }
    if findings.is_empty() {
        let logins: Vec<&str> = installations.iter().map(|one| one.login.as_str()).take(NAMED_MAX).collect();
        let more = installations.len() - logins.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let some =
            if installations.iter().any(|one| one.selects) { "; some with chosen repositories" } else { "" };
        let found = format!("it is installed on {}{more}{some}", logins.join(", "));
        findings.push(Finding::good("app.installations", found));
    }
    findings
}

/// What is to be readable and is not. Whoever may write may read.
fn missing_rights(permissions: &BTreeMap<String, String>) -> Vec<&'static str> {
    let is_missing = |name: &&'static str| !permissions.contains_key(*name);
    APP_PERMISSIONS.iter().map(|(name, _)| *name).filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use domain::AccountId;

    use super::*;
    use crate::doctor::Verdict;

    fn rights(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), "read".to_owned())).collect()
    }

    fn whole() -> BTreeMap<String, String> {
        rights(&["contents", "issues", "metadata", "pull_requests"])
    }

    fn about(permissions: BTreeMap<String, String>, events: &[&str]) -> AboutApp {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        AboutApp { id: 7, slug: "t".to_owned(), html_url: "https://g/apps/t".to_owned(), permissions, events }
    }

    fn installed(is_suspended: bool, permissions: BTreeMap<String, String>) -> Installation {
        Installation {
            id: 1,
            account: AccountId::github(1),
            login: "guild".to_owned(),
            is_suspended,
            selects: false,
            permissions,
            events: Vec::new(),
        }
    }

    fn names(findings: &[Finding]) -> Vec<(&'static str, Verdict)> {
        findings.iter().map(|finding| (finding.name, finding.verdict)).collect()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(names(&judged(&about(whole(), APP_EVENTS))), [("app", Verdict::Good)]);
        let poor = judged(&about(rights(&["metadata"]), &["push"]));
        assert_eq!(names(&poor), [("app.permissions", Verdict::Broken), ("app.events", Verdict::Broken)]);
        assert!(poor[0].found.contains("contents, issues, pull_requests"), "{poor:?}");
        assert!(poor[1].found.contains("star") && !poor[1].found.contains("push"), "{poor:?}");
    }

    #[test]
    fn installations_are_looked_at_one_by_one() {
        let of = |installations: &[Installation]| {
            names(&judged_installations(&about(whole(), APP_EVENTS), installations))
        };
        assert_eq!(of(&[]), [("app.installations", Verdict::Warning)]);
        assert_eq!(of(&[installed(false, whole())]), [("app.installations", Verdict::Good)]);
        assert_eq!(of(&[installed(true, whole())]), [("app.suspended", Verdict::Warning)]);
        assert_eq!(of(&[installed(false, rights(&["metadata"]))]), [("app.accept", Verdict::Broken)]);
    }

    #[test]
    fn where_it_sends_is_looked_at() {
        let hook =
            |url: &str| AppHook { url: url.to_owned(), content_type: "json".to_owned(), verifies_tls: true };
        assert!(judged_hook(&hook("https://a/webhooks/github")).is_empty());
        assert_eq!(names(&judged_hook(&hook(""))), [("app.hook", Verdict::Broken)]);
        assert_eq!(names(&judged_hook(&hook("https://a/"))), [("app.hook", Verdict::Broken)]);
        let loose = AppHook {
            content_type: "form".to_owned(),
            verifies_tls: false,
            ..hook("https://a/webhooks/github")
        };
        assert_eq!(
            names(&judged_hook(&loose)),
            [("app.content_type", Verdict::Warning), ("app.tls", Verdict::Warning)]
        );
    }
}
