//! The setup page: a GitHub App made with three clicks. It asks where deliveries are to be sent, hands a manifest to
//! GitHub by way of the browser, and takes what GitHub makes of it: id, key and webhook secret, which go into the data
//! folder and are shown nowhere.
//!
//! It stands on the ops address. Who begins must give the admin token, where one is set; who comes back from GitHub
//! must bring the state that was given out at the beginning, which is good once and for an hour.

mod manifest;
mod page;
mod tickets;

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::Millis;
use github::client::{Answer, Asking, Client};
use ingest::SharedSecrets;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use tracing::{info, warn};
use url::{Url, form_urlencoded};

use self::{manifest::Wanted, page::Page, tickets::Tickets};
use crate::{
    app_file::{self, NotKept},
    settings::Settings,
    webhook_secret,
};

/// A form of four short fields.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What the page works with.
pub(crate) struct Setup {
    settings: Settings,
    /// Told of a new secret at once: GitHub sends before anybody restarts anything.
    secrets: Option<SharedSecrets>,
    is_guarded: bool,
    tickets: Mutex<Tickets>,
}

/// Why there is nothing to set up here.
enum Standing {
    /// Nobody may: the address is open, and there is no token.
    Shut,
    /// Processes of a cluster share no folder.
    Cluster,
    /// The settings name an App.
    Set(String),
    /// One was made here.
    Kept {
        id: u64,
        html_url: String,
    },
    Unreadable(String),
    Free,
}

impl Setup {
    /// `is_guarded`: the ops address is loopback, or there is an admin token.
    pub(crate) fn new(settings: &Settings, secrets: Option<SharedSecrets>, is_guarded: bool) -> Self {
        Setup { settings: settings.clone(), secrets, is_guarded, tickets: Mutex::default() }
    }

    /// `GET /setup`, `POST /setup`, `GET /setup/done?code&state`
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/setup", get(show).post(begin))
            .route("/setup/done", get(done))
            .route("/setup/style.css", get(style))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::new(self))
    }

    fn standing(&self) -> Standing {
        if !self.is_guarded {
            return Standing::Shut;
        }
        if self.settings.places.is_cluster() {
            return Standing::Cluster;
        }
        match app_file::read(&self.settings.data_dir) {
            Ok(Some(kept)) => Standing::Kept { id: kept.id, html_url: kept.html_url },
            Ok(None) => match &self.settings.github_app {
                Some(app) => Standing::Set(app.id.clone()),
                None => Standing::Free,
            },
            Err(failure) => Standing::Unreadable(failure.to_string()),
        }
    }

    fn tickets(&self) -> std::sync::MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody gave the admin token, where one is set; else whether the browser was sent to this machine by
    /// its address, and not by a name that leads here only for a while.
    fn may_begin(&self, headers: &HeaderMap, given: &str) -> bool {
        match &self.settings.admin_token {
            Some(token) => token.expose_secret().as_bytes().ct_eq(given.as_bytes()).into(),
            None => host(headers).is_some_and(|host| is_address(&host)),
        }
    }
}

async fn show(State(setup): State<Arc<Setup>>) -> Response {
    page_of(&setup.standing())
        .unwrap_or_else(|| {
            let asks_token = setup.settings.admin_token.is_some();
            let hook_url = setup.settings.hook_url.as_deref().unwrap_or_default();
            page::form(asks_token, &Wanted { hook_url: hook_url.to_owned(), ..Wanted::default() }, None)
        })
        .respond(None)
}

async fn begin(State(setup): State<Arc<Setup>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(page) = page_of(&setup.standing()) {
        return page.respond(None);
    }
    let field = |name: &str| {
        let found = form_urlencoded::parse(&body).find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let wanted =
        Wanted { name: field("name"), hook_url: field("hook_url"), organization: field("organization") };
    let asks_token = setup.settings.admin_token.is_some();
    let again = |why: &str| page::form(asks_token, &wanted, Some(why)).respond(None);
    if !setup.may_begin(&headers, &field("admin_token")) {
        return again(if asks_token {
            "This is not the admin token (TALLYHOOK_ADMIN_TOKEN)."
        } else {
            "Open this page by the address of this machine, such as 127.0.0.1, and not by a name."
        });
    }
    if let Err(why) = wanted.check() {
        return again(why);
    }
    let Some(back) = here(&headers).and_then(|here| here.join("/setup/done").ok()) else {
        return again("The browser does not say where it found this page.");
    };
    let Some(web) = manifest::web_address(&setup.settings.github_api_url) else {
        return again("The address of GitHub's API cannot be read.");
    };
    let state = setup.tickets().give(Instant::now());
    let action = wanted.action(&web, &state);
    page::go_on(&action, &wanted.manifest(back.as_str())).respond(Some(&web))
}

async fn done(State(setup): State<Arc<Setup>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let field = |name: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    };
    let is_known = field("state").is_some_and(|state| setup.tickets().take(&state, Instant::now()));
    let code = field("code").filter(|code| !code.is_empty() && code.len() <= 200);
    let (true, Some(code)) = (is_known, code) else {
        return Page::refusal(
            StatusCode::BAD_REQUEST,
            "This way was gone before",
            "The address that GitHub led to is good once, and for an hour. Nothing was changed.",
        )
        .respond(None);
    };
    if let Some(page) = page_of(&setup.standing()) {
        return page.respond(None);
    }
    match take(&setup, &code).await {
        Ok(page) | Err(page) => page.respond(None),
    }
}

/// Takes what GitHub made, and keeps it.
async fn take(setup: &Setup, code: &str) -> Result<Page, Page> {
    let failed = |what: &str| {
        warn!(what, "no GitHub App was set up");
        Page::refusal(StatusCode::BAD_GATEWAY, "No App was set up", what)
    };
    // As nobody: what is told is for whoever has the code.
    let settings = github::client::Settings::new(setup.settings.github_api_url.clone());
    let client = Client::new(settings).map_err(|error| failed(&error.to_string()))?;
    let asking = Asking::anew(Millis(boot::clock::now_ms()).to_second());
    let made = match client.make_app(code, &asking).await {
        Ok(Answer::Fresh(fresh)) => fresh.body,
        Ok(_) => return Err(failed("GitHub does not know what was agreed to any more. Begin again.")),
        Err(error) => return Err(failed(&format!("GitHub could not be asked: {error}. Begin again."))),
    };
    made.key().map_err(|error| failed(&format!("GitHub gave a key that cannot be used: {error}.")))?;
    let path = app_file::keep(&setup.settings.data_dir, &made).map_err(|error| match error {
        NotKept::Taken => failed("Another App was set up meanwhile. Delete one of the two at GitHub."),
        NotKept::Failed(_) => failed(&format!(
            "The App cannot be kept in the data folder: {error}. Delete it at GitHub, and begin again."
        )),
    })?;
    if let Some(secrets) = &setup.secrets {
        match webhook_secret::verifying(&setup.settings) {
            Ok(verifying) => secrets.replace(verifying),
            Err(failure) => warn!(%failure, "the new App's deliveries are verified after a restart"),
        }
    }
    info!(app_id = made.id, path = %path.display(), "a GitHub App was set up; restart to ask as it");
    Ok(page::made(made.id, &made.html_url))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("setup/style.css"))
}

fn page_of(standing: &Standing) -> Option<Page> {
    Some(match standing {
        Standing::Free => return None,
        Standing::Shut => Page::refusal(
            StatusCode::FORBIDDEN,
            "The setup page is shut",
            "The ops address is not loopback, so that this page needs TALLYHOOK_ADMIN_TOKEN to be set.",
        ),
        Standing::Cluster => Page::refusal(
            StatusCode::CONFLICT,
            "In a cluster an App is set, not kept",
            "Processes of a cluster share no folder. Make an App at GitHub by hand (docs/OPERATIONS.md), and give each \
             process TALLYHOOK_GITHUB_APP_ID, TALLYHOOK_GITHUB_APP_PRIVATE_KEY and TALLYHOOK_WEBHOOK_SECRET.",
        ),
        Standing::Set(id) => Page::refusal(
            StatusCode::CONFLICT,
            "An App is set up already",
            &format!("The settings name the App {id} (TALLYHOOK_GITHUB_APP_ID)."),
        ),
        Standing::Unreadable(why) => Page::refusal(StatusCode::CONFLICT, "An App is set up already", why),
        Standing::Kept { id, html_url } => page::kept(*id, html_url),
    })
}

/// The host that the browser was sent to, with its port.
fn host(headers: &HeaderMap) -> Option<String> {
    headers.get(header::HOST)?.to_str().ok().map(str::to_owned)
}

/// Whether a host is an address, or this machine.
fn is_address(host: &str) -> bool {
    let url = Url::parse(&format!("http://{host}/")).ok();
    match url.as_ref().and_then(Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(_) => true,
        None => false,
    }
}

/// Where the browser found us: as it says itself, which a proxy in between may have made https of.
fn here(headers: &HeaderMap) -> Option<Url> {
    let host = host(headers)?;
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.filter(|origin| origin.split_once("://").is_some_and(|(_, named)| named == host));
    Url::parse(&origin.map_or_else(|| format!("http://{host}"), str::to_owned)).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_name_that_leads_here_for_a_while_is_no_address() {
        for good in ["127.0.0.1:9464", "[::1]:9464", "localhost:9464", "10.1.2.3"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["evil.example:9464", "localhost.evil.example", "", "127.0.0.1.evil.example"] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn the_way_back_is_where_the_browser_came_from() {
        let headers = |origin: &'static str| {
            HeaderMap::from_iter([
                (header::HOST, HeaderValue::from_static("ops.example")),
                (header::ORIGIN, HeaderValue::from_static(origin)),
            ])
        };
        assert_eq!(here(&headers("https://ops.example")).unwrap().as_str(), "https://ops.example/");
        assert_eq!(here(&headers("https://evil.example")).unwrap().as_str(), "http://ops.example/");
        assert_eq!(here(&HeaderMap::new()), None);
    }
}
