//! `/app…`: what concerns a GitHub App itself, and the making of one out of a manifest.

use std::{collections::BTreeMap, fmt};

use domain::AccountId;
use secrecy::SecretString;
use serde::Deserialize;

use crate::client::{
    Answer, AskError, Asking, Client, Installation, app, asks::hooks::HOOK_EVENTS, path::Path,
};

/// What an App must be allowed, so that everything that is shown can be asked for.
pub const APP_PERMISSIONS: &[(&str, &str)] =
    &[("contents", "read"), ("issues", "read"), ("metadata", "read"), ("pull_requests", "read")];

/// The events that an App should send: of installations it hears whatever is chosen.
pub const APP_EVENTS: &[&str] = HOOK_EVENTS;

/// An App, as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutApp {
    /// Its id.
    pub id: u64,
    /// The name in addresses.
    pub slug: String,
    /// Where people see it and install it.
    pub html_url: String,
    /// What it asks installations to allow it.
    pub permissions: BTreeMap<String, String>,
    /// Which events it sends.
    pub events: Vec<String>,
}

/// Where an App sends deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppHook {
    /// The address; empty where it sends none.
    pub url: String,
    /// How it sends bodies: `json` or `form`.
    pub content_type: String,
    /// Whether it looks at the certificate of the address that it sends to.
    pub verifies_tls: bool,
}

/// An App that was made just now. What is secret about it is told this once.
#[derive(Debug)]
pub struct AppMade {
    /// Its id.
    pub id: u64,
    /// Where people see it and install it.
    pub html_url: String,
    /// What it signs with, in PEM form.
    pub private_key: SecretString,
    /// What it signs deliveries with.
    pub webhook_secret: Option<SecretString>,
}

#[derive(Deserialize)]
struct WireInstallation {
    id: u64,
    account: Option<WireAccount>,
    #[serde(default)]
    suspended_at: Option<String>,
    #[serde(default)]
    repository_selection: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

#[derive(Deserialize)]
struct WireAccount {
    id: u64,
    login: Option<String>,
}

#[derive(Deserialize)]
struct WireApp {
    id: u64,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

#[derive(Deserialize)]
struct WireConfig {
    url: Option<String>,
    content_type: Option<String>,
    insecure_ssl: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct WireMade {
    id: u64,
    #[serde(default)]
    html_url: String,
    pem: SecretText,
    webhook_secret: Option<SecretText>,
}

/// A text that is shown nowhere.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl From<SecretText> for SecretString {
    fn from(text: SecretText) -> Self {
        text.0.into()
    }
}

/// Reads a page of installations. Those on enterprises are left out: they have no repositories of their own.
pub(in crate::client) fn installations(body: &[u8]) -> Option<Vec<Installation>> {
    let wire: Vec<WireInstallation> = serde_json::from_slice(body).ok()?;
    let on_accounts = wire.into_iter().filter_map(|wire| {
        let account = wire.account?;
        Some(Installation {
            id: wire.id,
            account: AccountId::github(account.id),
            login: account.login?,
            is_suspended: wire.suspended_at.is_some(),
            selects: wire.repository_selection.as_deref() == Some("selected"),
            permissions: wire.permissions,
            events: wire.events,
        })
    });
    Some(on_accounts.collect())
}

impl Client {
    /// Asks who the App is that we ask as.
    pub async fn about_app(&self, asking: &Asking<'_>) -> Result<Answer<AboutApp>, AskError> {
        let endpoint = "GET /app";
        self.get_path(endpoint, Path::new("/app"), asking).await?.read(endpoint, |fresh| {
            let WireApp { id, slug, html_url, permissions, events } =
                serde_json::from_slice(&fresh.body).ok()?;
            Some(AboutApp { id, slug, html_url, permissions, events })
        })
    }

    /// Asks where the App sends deliveries.
    pub async fn app_hook(&self, asking: &Asking<'_>) -> Result<Answer<AppHook>, AskError> {
        let endpoint = "GET /app/hook/config";
        self.get_path(endpoint, Path::new("/app/hook/config"), asking).await?.read(endpoint, |fresh| {
            let wire: WireConfig = serde_json::from_slice(&fresh.body).ok()?;
            let is_insecure = wire.insecure_ssl.is_some_and(|flag| flag == "1" || flag == 1);
            Some(AppHook {
                url: wire.url.unwrap_or_default(),
                content_type: wire.content_type.unwrap_or_else(|| "form".to_owned()),
                verifies_tls: !is_insecure,
            })
        })
    }

    /// Has an App made of the manifest that somebody agreed to; `code` says which. It can be done once, within an hour.
    pub async fn make_app(&self, code: &str, asking: &Asking<'_>) -> Result<Answer<AppMade>, AskError> {
        let endpoint = "POST /app-manifests/{code}/conversions";
        let path = Path::new("/app-manifests").name(code).fixed("/conversions");
        self.post_path(endpoint, path, None, asking).await?.read(endpoint, |fresh| {
            let WireMade { id, html_url, pem, webhook_secret } = serde_json::from_slice(&fresh.body).ok()?;
            Some(AppMade {
                id,
                html_url,
                private_key: pem.into(),
                webhook_secret: webhook_secret.map(Into::into),
            })
        })
    }
}

/// That a key can be read is known before it is kept.
impl AppMade {
    /// The key, ready to sign with.
    pub fn key(&self) -> Result<app::AppKey, app::AppKeyError> {
        app::AppKey::parse(&self.private_key)
    }
}
