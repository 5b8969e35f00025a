//! Webhooks at GitHub: whether there is one that leads here, what it sends, and what comes of a ping.

use std::time::Duration;

use domain::{Millis, Second};
use github::client::{
    AccountPath, Answer, AskError, Asking, Client, HOOK_EVENTS, Hook, HookOwner, ORGANIZATION_HOOK_EVENTS,
    RepoPath,
};
use prometheus::Registry;
use reqwest::StatusCode;
use tokio::time::Instant;
use url::Url;

use super::{Finding, Verdict, process::Running};
use crate::{
    admin,
    commands::owner_of,
    failure::{Failure, failed},
};

/// Where deliveries are taken in.
const PATHS: [&str; 2] = ["/webhooks/github", "/api/github/webhooks"];

/// GitHub gives up on a delivery after 10 s; until then the ping may still be under way.
const PING_WAIT: Duration = Duration::from_secs(12);
/// GitHub's word about a webhook's latest delivery may be about the one before for so long.
const PING_SETTLES: Duration = Duration::from_secs(3);
const PING_LOOK_EVERY: Duration = Duration::from_millis(500);

/// A server that does not answer a plain question within this answers GitHub too late.
const REACH_WAIT: Duration = Duration::from_secs(10);

/// So many webhooks that lead elsewhere are looked at for a wrong path.
const STRANGERS_MAX: usize = 5;

const RIGHTS: &str = "give the token the right to webhooks: `Webhooks: read and write` (fine-grained), `admin:repo_hook` \
                      or `admin:org_hook` (classic), of an account that administers it";

/// Nobody counts what the doctor asks.
pub(super) fn unobserved() -> Result<backfill::Metrics, Failure> {
    backfill::Metrics::register(&Registry::new()).map_err(failed)
}

pub(super) async fn look(client: &Client, running: Option<&Running>, targets: &[String]) -> Vec<Finding> {
    if targets.is_empty() {
        let found = "none was looked at: name OWNER/REPO, or OWNER for an organisation";
        return vec![Finding::good("hook", found)];
    }
    let mut findings = Vec::new();
    for target in targets {
        let Ok(owner) = owner_of(target) else { continue };
        let found = Look { client, running, owner, target }.look().await;
        findings.extend(found.into_iter().map(|finding| match finding.about {
            Some(_) => finding,
            None => finding.about(target.clone()),
        }));
    }
    findings
}

/// A look at the webhooks of one target.
struct Look<'a> {
    client: &'a Client,
    running: Option<&'a Running>,
    owner: HookOwner<'a>,
    target: &'a str,
}

/// Who answers at an address.
enum Answers {
    /// The door of a Tallyhook.
    Door,
    Status(StatusCode),
    Nobody(String),
}

impl Look<'_> {
    async fn look(&self) -> Vec<Finding> {
        let hooks = match self.hooks().await {
            Ok(hooks) => hooks,
            Err(finding) => return vec![finding],
        };
        let (ours, others): (Vec<&Hook>, Vec<&Hook>) = hooks.iter().partition(|hook| leads_here(&hook.url));
        if ours.is_empty() {
            return vec![self.missing(&others).await];
        }
        let mut findings = Vec::new();
        for (place, hook) in ours.iter().enumerate() {
            if ours[..place].iter().any(|other| other.url == hook.url && other.active && hook.active) {
                findings.push(Finding::warning(
                    "hook.several",
                    format!("several webhooks send the same to {}", hook.url),
                    format!("delete all but one at GitHub under Settings, Webhooks of {}", self.target),
                ));
            }
            findings.extend(self.settings_of(hook));
            if hook.active {
                findings.push(self.way_of(hook).await);
            }
        }
        findings
    }

    async fn hooks(&self) -> Result<Vec<Hook>, Finding> {
        match self.client.hooks(self.owner, &asking()).await {
            Ok(Answer::Fresh(fresh)) => Ok(fresh.body),
            Ok(Answer::Refused { status: 404, .. }) => Err(self.refused().await),
            Ok(Answer::Refused { status, message, .. }) => {
                let why = message.unwrap_or_else(|| "no reason given".to_owned());
                Err(Finding::broken(
                    "token.rights",
                    format!("GitHub refuses its webhooks ({status}): {why}"),
                    RIGHTS,
                ))
            }
            Ok(Answer::NotModified { .. } | Answer::Empty { .. }) => Ok(Vec::new()),
            Err(error) => Err(unasked(&error)),
        }
    }

    /// GitHub says 404 for what is not there and for what we may not see.
    async fn refused(&self) -> Finding {
        let unknown = || {
            Finding::broken(
                "hook.target",
                "GitHub knows nothing of this name, or hides it from the token",
                "look at the spelling, and whether the token may see it",
            )
        };
        match self.owner {
            HookOwner::Repository { owner, name } => {
                match self.client.repository(RepoPath::Name { owner, name }, &asking()).await {
                    Ok(Answer::Fresh(_)) => {
                        Finding::broken("token.rights", "the token has no right to its webhooks", RIGHTS)
                    }
                    Ok(_) => unknown(),
                    Err(error) => unasked(&error),
                }
            }
            HookOwner::App => unknown(),
            HookOwner::Organization(login) => {
                match self.client.profile(AccountPath::Login(login), &asking()).await {
                    Ok(Answer::Fresh(fresh)) => {
                        match fresh.body.owner.kind.as_ref().map(|kind| kind.as_str()) {
                            Some("Organization") => Finding::broken(
                                "token.rights",
                                "the token has no right to its webhooks",
                                RIGHTS,
                            ),
                            _ => Finding::broken(
                                "hook.target",
                                "it is a user, and GitHub has webhooks of organisations and repositories only",
                                "name a repository: OWNER/REPO",
                            ),
                        }
                    }
                    Ok(_) => unknown(),
                    Err(error) => unasked(&error),
                }
            }
        }
    }

    /// None leads here: perhaps one was meant to.
    async fn missing(&self, others: &[&Hook]) -> Finding {
        for hook in others.iter().take(STRANGERS_MAX) {
            let Some(meant) = at_path(&hook.url, PATHS[0]) else { continue };
            if matches!(answers(&meant).await, Answers::Door) {
                return Finding::broken(
                    "hook.path",
                    format!("its webhook sends to {}, where nothing takes deliveries", shown(&hook.url)),
                    format!("change its address at GitHub to {}", shown(&meant)),
                );
            }
        }
        Finding::broken(
            "hook.missing",
            "no webhook of it leads to a Tallyhook",
            format!("`tallyhook hook add {} --url https://…{}` makes one", self.target, PATHS[0]),
        )
    }

    fn settings_of(&self, hook: &Hook) -> Vec<Finding> {
        let edit = |what: &str| format!("{what} at GitHub under Settings, Webhooks of {}", self.target);
        let mut findings = Vec::new();
        if !hook.active {
            findings.push(Finding::broken(
                "hook.inactive",
                "its webhook is switched off",
                edit("tick `Active`"),
            ));
        }
        let wanted = match self.owner {
            HookOwner::Organization(_) => ORGANIZATION_HOOK_EVENTS,
            HookOwner::Repository { .. } | HookOwner::App => HOOK_EVENTS,
        };
        let missing = missing_events(&hook.events, wanted);
        if !missing.is_empty() {
            findings.push(Finding::broken(
                "hook.events",
                format!("its webhook does not send {}", missing.join(", ")),
                edit("choose these events too, or `Send me everything`,"),
            ));
        }
        if hook.content_type != "json" {
            findings.push(Finding::warning(
                "hook.content_type",
                "its webhook sends forms, which are larger and whose bodies GitHub cuts off later",
                edit("choose the content type application/json"),
            ));
        }
        if !hook.verifies_tls {
            findings.push(Finding::warning(
                "hook.tls",
                "GitHub does not look at the certificate of the address that it sends to",
                edit("enable SSL verification"),
            ));
        }
        findings
    }

    /// The way from GitHub to a door.
    async fn way_of(&self, hook: &Hook) -> Finding {
        let url = shown(&hook.url);
        match answers(&hook.url).await {
            Answers::Door => self.ping(hook).await,
            Answers::Nobody(why) => Finding::broken(
                "hook.unreachable",
                format!("nothing answers at {url}: {why}"),
                "start Tallyhook there, or correct the address; firewall and proxy must let GitHub through",
            ),
            Answers::Status(status) if status.is_redirection() => Finding::broken(
                "hook.redirect",
                format!("{url} redirects, and GitHub follows no redirect"),
                "give the webhook the address to which it leads",
            ),
            Answers::Status(StatusCode::NOT_FOUND) => Finding::broken(
                "hook.path",
                format!("nothing takes deliveries at {url} (404)"),
                "let the proxy pass this path on, to a process that takes deliveries in (`serve`, `ingest`)",
            ),
            Answers::Status(status) => Finding::broken(
                "hook.elsewhere",
                format!("something else than Tallyhook answers at {url} ({status})"),
                "let the proxy pass this path on to Tallyhook, with its POST requests unchanged",
            ),
        }
    }

    async fn ping(&self, hook: &Hook) -> Finding {
        let before = self.counts().await;
        match self.client.ping_hook(self.owner, hook.id, &asking()).await {
            Ok(Answer::Refused { .. }) => {
                return Finding::broken("token.rights", "the token may not ping its webhook", RIGHTS);
            }
            Ok(_) => {}
            Err(error) => return unasked(&error),
        }
        let began = Instant::now();
        while began.elapsed() < PING_WAIT {
            tokio::time::sleep(PING_LOOK_EVERY).await;
            let now = self.counts().await;
            if let (Some(before), Some(now)) = (before, now)
                && now.pongs > before.pongs
            {
                return Finding::good("hook", "its ping came in, well signed");
            }
            let told = match self.hooks().await {
                Ok(hooks) => hooks.into_iter().find(|other| other.id == hook.id),
                Err(finding) => return finding,
            };
            let Some(told) = told else { break };
            let refused = before.zip(now).is_some_and(|(before, now)| now.unsigned > before.unsigned);
            let is_settled = began.elapsed() >= PING_SETTLES;
            match (told.last_code, told.last_status.as_deref()) {
                (Some(401), _) if refused || is_settled => return wrong_secret(),
                (None, None) if refused => return wrong_secret(),
                (_, Some("active")) if is_settled => return Finding::good("hook", "its ping was answered"),
                (_, None | Some("unused" | "active")) | (Some(401), _) => {}
                (code, Some(status)) if is_settled => return failing(&told.url, code, status),
                _ => {}
            }
        }
        Finding::warning(
            "hook.silent",
            "GitHub pinged it and does not say what came of it, nor did the ping come to the process that runs here",
            "look at GitHub under Settings, Webhooks, Recent Deliveries",
        )
    }

    async fn counts(&self) -> Option<Counts> {
        let sample = self.running?.sample().await?;
        let pong = "result=\"pong\"";
        Some(Counts {
            pongs: sample.sum("tallyhook_deliveries_total", &[pong]).unwrap_or(0.0),
            unsigned: sample.sum("tallyhook_signatures_total", &["secret=\"none\""]).unwrap_or(0.0),
        })
    }
}

/// What a process that runs here counted.
#[derive(Clone, Copy)]
struct Counts {
    pongs: f64,
    unsigned: f64,
}

fn wrong_secret() -> Finding {
    Finding::broken(
        "hook.secret",
        "its ping was refused (401): the webhook signs with another secret than Tallyhook has",
        "give the webhook at GitHub the secret of TALLYHOOK_WEBHOOK_SECRET, or Tallyhook the webhook's; while both are in \
         use, TALLYHOOK_WEBHOOK_SECRET_PREVIOUS takes the other",
    )
}

fn failing(url: &str, code: Option<u64>, status: &str) -> Finding {
    let code = code.map(|code| format!(", {code}")).unwrap_or_default();
    Finding::broken(
        "hook.unreachable",
        format!("{} answers from here, but GitHub's ping came to `{status}`{code}", shown(url)),
        "firewall and proxy must let GitHub through: https://api.github.com/meta lists its addresses",
    )
}

pub(super) fn unasked(error: &AskError) -> Finding {
    let finding = Finding::broken(
        "forge.unreachable",
        format!("GitHub could not be asked: {error}"),
        "try again in a moment; https://www.githubstatus.com",
    );
    match error {
        AskError::Wait { .. } => Finding { verdict: Verdict::Warning, ..finding },
        _ => finding,
    }
}

/// Asks who takes deliveries at an address, without sending one: the door names itself.
async fn answers(url: &str) -> Answers {
    let Ok(http) = admin::client() else { return Answers::Nobody("no request can be made".to_owned()) };
    let response = match http.get(url).timeout(REACH_WAIT).send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Answers::Nobody("it takes too long".to_owned()),
        Err(_) => return Answers::Nobody("no connection".to_owned()),
    };
    let status = response.status();
    let is_post = response.headers().get("allow").is_some_and(|allow| allow.as_bytes() == b"POST");
    if status == StatusCode::METHOD_NOT_ALLOWED && is_post {
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        if body["status"] == "refused" && body["message"].is_string() {
            return Answers::Door;
        }
    }
    Answers::Status(status)
}

pub(super) fn leads_here(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| PATHS.iter().any(|path| url.path().trim_end_matches('/').ends_with(path)))
}

/// The same server at another path.
fn at_path(url: &str, path: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_path(path);
    url.set_query(None);
    Some(url.into())
}

/// An address without what may be secret in it.
pub(super) fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "an address that cannot be read".to_owned() };
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

pub(super) fn missing_events(chosen: &[String], wanted: &[&'static str]) -> Vec<&'static str> {
    if chosen.iter().any(|event| event == "*") {
        return Vec::new();
    }
    // GitHub sends `meta` to every webhook, chosen or not.
    let is_missing = |event: &&&str| **event != "meta" && !chosen.iter().any(|chosen| chosen == **event);
    wanted.iter().filter(is_missing).copied().collect()
}

pub(super) fn asking() -> Asking<'static> {
    let now: Second = Millis(boot::clock::now_ms()).to_second();
    Asking::anew(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_lead_to_a_door_are_known_behind_any_proxy() {
        for url in [
            "https://h/webhooks/github",
            "http://h:8080/api/github/webhooks/",
            "https://h/behind/a/proxy/webhooks/github?x=1",
        ] {
            assert!(leads_here(url), "{url}");
        }
        for url in ["https://h/", "https://h/webhook/github", "https://h/webhooks/gitlab", "no address"] {
            assert!(!leads_here(url), "{url}");
        }
        assert_eq!(at_path("http://h:1/hook?x=y", PATHS[0]).unwrap(), "http://h:1/webhooks/github");
        assert_eq!(shown("https://me:hush@h/p?secret=hush"), "https://h/p");
    }

    #[test]
    fn events_that_are_not_chosen_are_named() {
        let chosen = |events: &[&str]| events.iter().map(|event| (*event).to_owned()).collect::<Vec<_>>();
        assert!(missing_events(&chosen(&["*"]), HOOK_EVENTS).is_empty());
        assert!(missing_events(&chosen(HOOK_EVENTS), HOOK_EVENTS).is_empty());
        let some = missing_events(&chosen(&["push", "star", "meta", "watch"]), HOOK_EVENTS);
        assert!(
            some.contains(&"pull_request") && !some.contains(&"push") && !some.contains(&"meta"),
            "{some:?}"
        );
    }
}
