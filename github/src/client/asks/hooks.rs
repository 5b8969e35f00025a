//! `/repos/{owner}/{name}/hooks` and `/orgs/{organization}/hooks`: the webhooks that send us deliveries.

use bytes::Bytes;
use domain::Text;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    client::{Answer, AskError, Asking, Client, Request, limits::CORE, path::Path},
    wire::{Field, List, object, read_array, read_object},
};

/// The events that a repository's hook should send: those that tell something.
pub const HOOK_EVENTS: &[&str] =
    &["create", "delete", "fork", "issues", "meta", "public", "pull_request", "push", "repository", "star"];

/// The same for an organisation's hook.
pub const ORGANIZATION_HOOK_EVENTS: &[&str] = &[
    "create",
    "delete",
    "fork",
    "issues",
    "meta",
    "organization",
    "public",
    "pull_request",
    "push",
    "repository",
    "star",
];

/// What a hook is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOwner<'a> {
    /// All repositories of an organisation.
    Organization(&'a str),
    /// One repository.
    Repository {
        /// The owner's login.
        owner: &'a str,
        /// The repository's name.
        name: &'a str,
    },
    /// Every account that the App is installed on; it has one hook, which has no id.
    App,
}

/// A hook to create.
#[derive(Debug, Clone, Copy)]
pub struct NewHook<'a> {
    /// Where deliveries are sent.
    pub url: &'a str,
    /// What they are signed with.
    pub secret: &'a SecretString,
    /// Which events: [`HOOK_EVENTS`] or [`ORGANIZATION_HOOK_EVENTS`].
    pub events: &'a [&'a str],
}

/// A hook as GitHub knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: u64,
    /// Where it sends deliveries.
    pub url: String,
    /// Whether it sends any.
    pub active: bool,
    /// Which events it sends.
    pub events: Vec<String>,
    /// What its latest delivery came to, in GitHub's words: `active`, `unused`, `timeout`.
    pub last_status: Option<String>,
    /// The status with which that was answered.
    pub last_code: Option<u64>,
    /// How it sends bodies: `json` or `form`.
    pub content_type: String,
    /// Whether it looks at the certificate of the address that it sends to.
    pub verifies_tls: bool,
}

impl HookOwner<'_> {
    pub(super) fn hooks(self) -> Path {
        match self {
            HookOwner::Organization(organization) => Path::new("/orgs").name(organization),
            HookOwner::Repository { owner, name } => Path::new("/repos").name(owner).name(name),
            HookOwner::App => Path::new("/app"),
        }
        .fixed("/hooks")
    }

    /// One of its hooks.
    pub(super) fn hook(self, hook: u64) -> Path {
        match self {
            HookOwner::App => Path::new("/app/hook"),
            owner => owner.hooks().number(hook),
        }
    }
}

impl Client {
    /// Asks which hooks there are: the first hundred, of at most twenty for each event.
    pub async fn hooks(
        &self,
        owner: HookOwner<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<Hook>>, AskError> {
        let endpoint = "GET /hooks";
        let answer = self.get_path(endpoint, owner.hooks().fixed("?per_page=100"), asking).await?;
        answer.read(endpoint, |fresh| {
            let hooks = read_array::<WireHook<'_>>(&fresh.body)?;
            hooks.iter().map(WireHook::hook).collect()
        })
    }

    /// Creates a hook; GitHub pings it at once.
    pub async fn create_hook(
        &self,
        owner: HookOwner<'_>,
        hook: &NewHook<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Hook>, AskError> {
        let endpoint = "POST /hooks";
        let body = Creation {
            name: "web",
            active: true,
            events: hook.events,
            config: Config {
                url: hook.url,
                content_type: "json",
                insecure_ssl: "0",
                secret: hook.secret.expose_secret(),
            },
        };
        let json = serde_json::to_vec(&body).expect("strings are JSON");
        let answer = self.post_path(endpoint, owner.hooks(), Some(json.into()), asking).await?;
        answer.read(endpoint, |fresh| read_object::<WireHook<'_>>(&fresh.body).ok()?.hook())
    }

    /// Has GitHub send a ping through a hook.
    pub async fn ping_hook(
        &self,
        owner: HookOwner<'_>,
        hook: u64,
        asking: &Asking<'_>,
    ) -> Result<Answer<()>, AskError> {
        let endpoint = "POST /hooks/{id}/pings";
        let path = owner.hook(hook).fixed("/pings");
        let answer = self.post_path(endpoint, path, None, asking).await?;
        answer.read(endpoint, |_| Some(()))
    }

    pub(super) async fn post_path(
        &self,
        endpoint: &'static str,
        path: Path,
        json: Option<Bytes>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let Some(url) = path.below(&self.shared.api_url) else {
            return Ok(Answer::Refused { status: 404, date: asking.now, message: None });
        };
        self.post(Request {
            method: Method::POST,
            endpoint,
            resource: CORE,
            url,
            etag: None,
            json,
            accept: None,
            now: asking.now,
        })
        .await
    }
}

#[derive(Serialize)]
struct Creation<'a> {
    name: &'a str,
    active: bool,
    events: &'a [&'a str],
    config: Config<'a>,
}

#[derive(Serialize)]
struct Config<'a> {
    url: &'a str,
    content_type: &'a str,
    insecure_ssl: &'a str,
    secret: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireHook<'a> {
    id: Field<u64>,
    active: Field<bool>,
    #[serde(borrow)]
    events: Field<List<Text<'a>>>,
    #[serde(borrow)]
    config: Field<WireConfig<'a>>,
    #[serde(borrow)]
    last_response: Field<LastResponse<'a>>,
}
object!(WireHook<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireConfig<'a> {
    #[serde(borrow)]
    url: Field<Text<'a>>,
    #[serde(borrow)]
    content_type: Field<Text<'a>>,
    /// `0` or `1`, as a text.
    #[serde(borrow)]
    insecure_ssl: Field<Text<'a>>,
}
object!(WireConfig<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LastResponse<'a> {
    #[serde(borrow)]
    status: Field<Text<'a>>,
    code: Field<u64>,
}
object!(LastResponse<'a>);

impl WireHook<'_> {
    fn hook(&self) -> Option<Hook> {
        let events = self.events.value().map(|events| events.0.as_slice()).unwrap_or_default();
        let config = self.config.value();
        let url = config.and_then(|config| config.url.value());
        let content_type = config.and_then(|config| config.content_type.value());
        let insecure = config.and_then(|config| config.insecure_ssl.value());
        let last_status = self.last_response.value().and_then(|last| last.status.value());
        Some(Hook {
            id: self.id.get()?,
            url: url.map(ToString::to_string).unwrap_or_default(),
            active: self.active.get().unwrap_or(true),
            events: events.iter().map(ToString::to_string).collect(),
            last_status: last_status.map(ToString::to_string),
            last_code: self.last_response.value().and_then(|last| last.code.get()),
            content_type: content_type.map_or("form".to_owned(), ToString::to_string),
            verifies_tls: insecure.is_none_or(|insecure| insecure.as_str() != "1"),
        })
    }
}
