//! A webhook: where deliveries go, signed with what, and for which events.

use super::{
    id::{AccountId, HookId, RepoId},
    second::Second,
};

/// What a hook listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookTarget {
    /// One repository; the hook goes with it when it is transferred.
    Repository(RepoId),
    /// An organisation and all its repositories.
    Organization(AccountId),
    /// Every account: a GitHub App that is installed everywhere.
    App,
    /// The accounts on which the world's App is installed.
    Installations,
}

impl HookTarget {
    /// Whether it is an App's.
    pub(crate) fn is_app(self) -> bool {
        matches!(self, HookTarget::App | HookTarget::Installations)
    }
}

/// How a body is sent. The signature is over the bytes as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded` with one field, `payload`.
    Form,
}

impl ContentType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "json",
            ContentType::Form => "form",
        }
    }
}

/// What a new hook is to be.
#[derive(Debug, Clone)]
pub struct NewHook {
    /// What it listens to.
    pub target: HookTarget,
    /// Where deliveries are posted: an `http://` URL.
    pub url: String,
    /// What they are signed with; without one they are not signed.
    pub secret: Option<String>,
    /// How bodies are sent.
    pub content_type: ContentType,
    /// Event names; `*` is all.
    pub events: Vec<String>,
}

impl NewHook {
    /// A hook for all events as JSON.
    pub fn new(target: HookTarget, url: impl Into<String>, secret: impl Into<String>) -> Self {
        NewHook {
            target,
            url: url.into(),
            secret: Some(secret.into()),
            content_type: ContentType::Json,
            events: vec!["*".into()],
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: HookId,
    pub(crate) settings: NewHook,
    pub(crate) active: bool,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
}

impl Hook {
    pub(crate) fn wants(&self, event: &str) -> bool {
        // GitHub sends these to every hook, whatever it subscribes to.
        let always = matches!(event, "ping" | "meta");
        self.active && (always || self.settings.events.iter().any(|name| name == "*" || name == event))
    }
}
