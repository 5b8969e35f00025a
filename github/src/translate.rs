//! What a delivery says, in our own words: pure, total over any bytes, borrowing from the body.
//!
//! A record of one stream is translated for that stream's account only. At *home* (the repository is the
//! account's) a payload's repository is read whatever the event; elsewhere only what concerns the account
//! is told: a star it gave, a fork it made, a repository it gave away. `RULES` lists the webhook events
//! (reference A6): adding one is a file and a line.

use domain::{
    AccountId, Event, Millis, RepoId, Second, StreamKey, Text,
    event::{RepositoryReading, TrackedBy},
};

use crate::{
    routing::{Claims, home_account},
    wire::{Field, Installation, Newest, NotJson, Payload, Repository, read_object},
};

mod account;
mod branch;
mod fork;
mod installation;
mod pull_request;
mod push;
mod repository;
mod star;

/// How far ahead of our clock a forge's time may be. Clocks of look-alikes drift; a time further ahead
/// would beat every true one for as long.
const AHEAD_MAX_SECONDS: i64 = 24 * 60 * 60;

/// A record that a delivery was appended as.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The stream that the record is in.
    pub stream: StreamKey,
    /// The webhook event name, as it was sent.
    pub event: &'a str,
    /// When we received it.
    pub received_at: Millis,
    /// The JSON.
    pub body: &'a [u8],
}

/// What a delivery says to the account of one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated<'a> {
    /// The facts, in the order in which they are to be folded.
    pub events: Vec<Event<'a>>,
    /// How it was understood.
    pub kind: TranslatedKind,
}

/// How a delivery was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TranslatedKind {
    /// It says something to this account.
    Projected,
    /// It is known, and says nothing to this account.
    Ignored,
    /// Its event or action is none that we know; a repository in it was read all the same.
    Unknown,
}

impl TranslatedKind {
    /// A label for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            TranslatedKind::Projected => "projected",
            TranslatedKind::Ignored => "ignored",
            TranslatedKind::Unknown => "unknown",
        }
    }
}

/// Why a delivery cannot be folded: it becomes a dead letter. No error quotes the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// The body is no JSON object.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// Something that is identified by its id came without one.
    #[error("`{0}` has no id, or one that is no positive integer")]
    MissingId(&'static str),
    /// A time that would beat every true one for a long time.
    #[error("a time in `{0}` is more than a day ahead of our clock")]
    FutureTime(&'static str),
}

/// Translates a record for the account of its stream.
pub fn translate<'a>(delivery: &Delivery<'a>) -> Result<Translated<'a>, TranslateError> {
    let payload: Payload<'a> = read_object(delivery.body)?;
    let rule = rule_of(delivery.event);
    let (StreamKey::Account(account), Some(Rule::Reads | Rule::Tells(_)) | None) = (delivery.stream, rule)
    else {
        let kind = if rule.is_some() { TranslatedKind::Ignored } else { TranslatedKind::Unknown };
        return Ok(Translated { events: Vec::new(), kind });
    };

    let mut telling = Telling::begin(delivery, account, payload)?;
    telling.read_repository();
    let understood = match rule {
        Some(Rule::Tells(tell)) => tell(&mut telling)?,
        Some(Rule::Reads | Rule::Skips) => Understood::Yes,
        None => Understood::No,
    };
    let kind = match understood {
        Understood::No => TranslatedKind::Unknown,
        Understood::Yes if telling.events.is_empty() => TranslatedKind::Ignored,
        Understood::Yes => TranslatedKind::Projected,
    };
    Ok(Translated { events: telling.events, kind })
}

/// The name itself if it is a webhook event that we know: for labels, which come from closed lists.
pub fn known_event(event: &str) -> Option<&'static str> {
    RULES.binary_search_by(|(name, _)| (*name).cmp(event)).ok().map(|at| RULES[at].0)
}

/// The names of all webhook events that we know.
pub fn known_events() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// What is done about a webhook event, besides reading its repository.
#[derive(Clone, Copy)]
enum Rule {
    /// This function tells the event's own facts.
    Tells(for<'t, 'a> fn(&'t mut Telling<'a>) -> Result<Understood, TranslateError>),
    /// Nothing more.
    Reads,
    /// Not even the repository is read.
    Skips,
}

/// Whether a rule knows the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Understood {
    Yes,
    No,
}

fn rule_of(event: &str) -> Option<Rule> {
    RULES.binary_search_by(|(name, _)| (*name).cmp(event)).ok().map(|at| RULES[at].1)
}

/// Every webhook event of github.com and GitHub Enterprise Server, sorted by name.
const RULES: &[(&str, Rule)] = &[
    ("branch_protection_configuration", Rule::Reads),
    ("branch_protection_rule", Rule::Reads),
    ("cache_sync", Rule::Reads),
    ("check_run", Rule::Reads),
    ("check_suite", Rule::Reads),
    ("code_scanning_alert", Rule::Reads),
    ("commit_comment", Rule::Reads),
    ("content_reference", Rule::Reads),
    ("create", Rule::Tells(branch::tell)),
    ("custom_property", Rule::Reads),
    ("custom_property_values", Rule::Reads),
    ("delete", Rule::Tells(branch::tell)),
    ("dependabot_alert", Rule::Reads),
    ("deploy_key", Rule::Reads),
    ("deployment", Rule::Reads),
    ("deployment_protection_rule", Rule::Reads),
    ("deployment_review", Rule::Reads),
    ("deployment_status", Rule::Reads),
    ("discussion", Rule::Reads),
    ("discussion_comment", Rule::Reads),
    ("enterprise", Rule::Reads),
    ("fork", Rule::Tells(fork::tell)),
    ("github_app_authorization", Rule::Reads),
    ("gollum", Rule::Reads),
    ("installation", Rule::Tells(installation::tell)),
    ("installation_repositories", Rule::Tells(installation::tell_repositories)),
    ("installation_target", Rule::Tells(account::tell_installation_target)),
    ("issue_comment", Rule::Reads),
    ("issue_dependencies", Rule::Reads),
    ("issues", Rule::Reads),
    ("label", Rule::Reads),
    ("marketplace_purchase", Rule::Reads),
    ("member", Rule::Reads),
    ("membership", Rule::Reads),
    ("merge_group", Rule::Reads),
    ("meta", Rule::Skips),
    ("milestone", Rule::Reads),
    ("org_block", Rule::Reads),
    ("organization", Rule::Tells(account::tell_organization)),
    ("package", Rule::Reads),
    ("page_build", Rule::Reads),
    ("personal_access_token_request", Rule::Reads),
    ("ping", Rule::Skips),
    ("project", Rule::Reads),
    ("project_card", Rule::Reads),
    ("project_column", Rule::Reads),
    ("projects_v2", Rule::Reads),
    ("projects_v2_item", Rule::Reads),
    ("projects_v2_status_update", Rule::Reads),
    ("public", Rule::Tells(repository::tell_public)),
    ("pull_request", Rule::Tells(pull_request::tell)),
    ("pull_request_review", Rule::Tells(pull_request::tell)),
    ("pull_request_review_comment", Rule::Tells(pull_request::tell)),
    ("pull_request_review_thread", Rule::Tells(pull_request::tell)),
    ("pull_request_target", Rule::Tells(pull_request::tell)),
    ("push", Rule::Tells(push::tell)),
    ("registry_package", Rule::Reads),
    ("release", Rule::Reads),
    ("repository", Rule::Tells(repository::tell)),
    ("repository_advisory", Rule::Reads),
    ("repository_dispatch", Rule::Reads),
    ("repository_import", Rule::Reads),
    ("repository_ruleset", Rule::Reads),
    ("repository_vulnerability_alert", Rule::Reads),
    ("secret_scanning_alert", Rule::Reads),
    ("secret_scanning_alert_location", Rule::Reads),
    ("secret_scanning_scan", Rule::Reads),
    ("security_advisory", Rule::Reads),
    ("security_and_analysis", Rule::Reads),
    ("sponsorship", Rule::Reads),
    ("star", Rule::Tells(star::tell)),
    ("status", Rule::Reads),
    ("sub_issues", Rule::Reads),
    ("team", Rule::Reads),
    ("team_add", Rule::Reads),
    ("user", Rule::Reads),
    // The former name of starring: `star` is sent with it.
    ("watch", Rule::Reads),
    ("workflow_dispatch", Rule::Reads),
    ("workflow_job", Rule::Reads),
    ("workflow_run", Rule::Reads),
];

/// What the rules work with: a payload, seen by one account, and what was told so far.
struct Telling<'a> {
    payload: Payload<'a>,
    /// The account of the stream.
    account: AccountId,
    /// Whom the payload belongs to.
    home: Option<AccountId>,
    /// The repository of the payload.
    repo: Option<RepoId>,
    received_at: Second,
    /// The newest of the forge's times in the payload.
    newest: Option<Second>,
    events: Vec<Event<'a>>,
}

impl<'a> Telling<'a> {
    fn begin(
        delivery: &Delivery<'a>,
        account: AccountId,
        payload: Payload<'a>,
    ) -> Result<Self, TranslateError> {
        let received_at = delivery.received_at.to_second();
        let Newest { at: newest, field } = payload.newest();
        if newest.is_some_and(|at| at.0 > received_at.0.saturating_add(AHEAD_MAX_SECONDS)) {
            return Err(TranslateError::FutureTime(field));
        }
        let repo = match &payload.repository {
            Field::Absent | Field::Null => None,
            Field::Value(repository) => Some(repo_id(repository, "repository")?),
        };
        let claims = Claims {
            owner: payload.repository.value().and_then(Repository::owner_id),
            organization: payload.organization.value().and_then(|organization| organization.id.get()),
            installed_on: payload.installation.value().and_then(Installation::account_id),
            account: payload.account.value().and_then(|account| account.id.get()),
        };
        let home = home_account(delivery.event, &claims).map(AccountId::github);
        // Most payloads tell that the account is kept, its repository, and one fact.
        Ok(Telling { payload, account, home, repo, received_at, newest, events: Vec::with_capacity(3) })
    }

    fn is_home(&self) -> bool {
        self.home == Some(self.account)
    }

    /// The repository, where it is the account's own.
    fn own_repo(&self) -> Option<RepoId> {
        self.repo.filter(|_| self.is_home())
    }

    fn action(&self) -> &str {
        self.payload.action.value().map_or("", Text::as_str)
    }

    /// When the repository last changed, by the forge; only where it does not say, by us.
    fn changed_at(&self) -> Second {
        let repository = self.payload.repository.value();
        repository.and_then(|repository| repository.updated_at.get()).unwrap_or(self.received_at)
    }

    fn tell(&mut self, event: Event<'a>) {
        self.events.push(event);
    }

    fn tell_reading(&mut self, reading: RepositoryReading<'a>) {
        self.tell(Event::Repository(Box::new(reading)));
    }

    /// Any payload with a repository tells about it, and that its account is to be kept.
    fn read_repository(&mut self) {
        let (Some(repo), Some(repository)) = (self.own_repo(), self.payload.repository.value()) else {
            return;
        };
        let mut reading = repository.reading(repo, self.home);
        reading.counted_at = self.payload.counted_at();
        reading.as_of = self.newest;
        self.tell(Event::Tracked(TrackedBy::Delivery));
        self.tell_reading(reading);
    }
}

fn repo_id(repository: &Repository<'_>, object: &'static str) -> Result<RepoId, TranslateError> {
    repository.id.get().map(RepoId::github).ok_or(TranslateError::MissingId(object))
}

#[cfg(test)]
mod tests;
