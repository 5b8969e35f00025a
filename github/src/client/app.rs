//! Asking as a GitHub App: which of its installations a question belongs to, and the tokens of installations, which
//! are made when they are needed, renewed before they end, and kept in memory only.
//!
//! A question about an account on which the App is installed is asked with that installation's token, and counts
//! against that installation's limits. All others are asked with the tokens of the settings, or else with any
//! installation's: what is public they all may read. What concerns the App itself is asked with a JWT.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{AccountId, Second, Text};
use http::{HeaderValue, Method};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

pub(crate) mod installations;
mod key;

use self::installations::{Held, Installations, Token};
pub use self::{
    installations::Installation,
    key::{AppKey, AppKeyError},
};
use super::{
    Answer, AskError, Client, Request, answer, date,
    gate::{self, Purses},
    limits::{CORE, Standing},
    path::Path,
    transport::{self, Response},
};
use crate::wire::{Field, object, read_object};

/// An App has some; ten thousand are more than a process can look after.
const PAGES_MAX: usize = 100;
/// GitHub's clock and ours differ by less, or a JWT is made for the wrong time.
const SKEW_SECONDS_MIN: i64 = 30;
/// A token whose end cannot be read is taken to last so long.
const LIFE_USUAL: Duration = Duration::from_secs(60 * 60);

/// A GitHub App, as settings name it.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// Its id, or its client id.
    pub id: String,
    /// What it signs with.
    pub key: AppKey,
}

/// What is shared by all who ask as an App.
pub(crate) struct App {
    settings: AppSettings,
    /// Where the App's own limits are.
    place: usize,
    /// What is to be added to our seconds to get the forge's.
    skew: AtomicI64,
    known: Mutex<Installations>,
    /// Held by whoever reads the list.
    listing: AsyncMutex<()>,
}

/// Who asks from a purse.
pub(crate) enum Holder {
    /// A token of the settings, or nobody.
    Token,
    /// The App itself.
    App,
    /// An installation.
    Installation(u64),
}

impl App {
    pub(crate) fn new(settings: AppSettings, place: usize) -> Self {
        App {
            settings,
            place,
            skew: AtomicI64::new(0),
            known: Mutex::default(),
            listing: AsyncMutex::default(),
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Installations> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks from a purse; `None` for an installation that is gone.
    pub(crate) fn holder(&self, purse: usize) -> Option<Holder> {
        if purse < self.place {
            Some(Holder::Token)
        } else if purse == self.place {
            Some(Holder::App)
        } else {
            self.known().at(purse).map(Holder::Installation)
        }
    }

    /// Says that we are the App.
    pub(crate) fn bearer(&self, now: Second) -> HeaderValue {
        let now = Second(now.0 + self.skew.load(Ordering::Relaxed));
        let jwt = SecretString::from(self.settings.key.jwt(&self.settings.id, now));
        transport::bearer(&jwt).expect("a JWT is letters, digits and a few signs")
    }

    /// The forge did not accept a JWT: whether it may with its own time in it.
    pub(crate) fn corrects_clock(&self, date: Second, now: Second) -> bool {
        let skew = date.0 - now.0;
        let before = self.skew.swap(skew, Ordering::Relaxed);
        (skew - before).abs() >= SKEW_SECONDS_MIN
    }

    /// With which purses a question may be asked that is no secret between a token and the forge.
    pub(crate) fn purses(&self, asked: &Asked<'_>, tokens: usize, own: usize) -> Option<Purses> {
        if asked.is_of_app {
            return Some(Purses::Only(self.place));
        }
        if asked.is_of_token && tokens > 0 {
            return None;
        }
        let known = self.known();
        if let Some(place) = known.place_of(asked.account, asked.login.as_deref()) {
            return Some(Purses::Only(place));
        }
        let places = known.places();
        (tokens == 0 && !asked.is_of_token && !places.is_empty())
            .then(|| Purses::Only(places[own % places.len()]))
    }
}

/// Whom a question is about, as far as its address and whoever asks it tell.
pub(crate) struct Asked<'a> {
    /// It concerns the App itself.
    pub(crate) is_of_app: bool,
    /// The answer depends on whose token it is.
    pub(crate) is_of_token: bool,
    pub(crate) account: Option<AccountId>,
    pub(crate) login: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    /// Of an address; `about`: of which account it is known to be.
    pub(crate) fn of(api_url: &Url, url: &'a Url, about: Option<AccountId>) -> Self {
        let path = url.path().strip_prefix(api_url.path().trim_end_matches('/')).unwrap_or(url.path());
        let mut segments = path.split('/').skip(1);
        let (first, second) = (segments.next().unwrap_or_default(), segments.next());
        let login = second
            .filter(|_| matches!(first, "users" | "repos" | "orgs"))
            .map(|login| percent_encoding::percent_decode_str(login).decode_utf8_lossy());
        let id = second.filter(|_| first == "user").and_then(|id| id.parse().ok()).map(AccountId::github);
        Asked {
            is_of_app: first == "app",
            is_of_token: (first == "user" && id.is_none()) || segments.any(|segment| segment == "hooks"),
            account: about.or(id),
            login,
        }
    }
}

/// An answer to `POST /app/installations/{id}/access_tokens`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireToken<'a> {
    #[serde(borrow)]
    token: Field<Text<'a>>,
    expires_at: Field<Second>,
}
object!(WireToken<'a>);

impl Client {
    /// The same client, whose questions are about this account.
    #[must_use]
    pub fn asking_about(&self, account: Option<AccountId>) -> Self {
        Client { about: account, ..self.clone() }
    }

    /// Whether questions are asked as an App.
    pub fn is_app(&self) -> bool {
        self.shared.app.is_some()
    }

    /// The App may have been installed on this account: it is looked for before the next question.
    pub fn look_for_installation(&self, account: AccountId) {
        if let Some(app) = &self.shared.app {
            app.known().want(account);
        }
    }

    /// The limits of each installation, with what this process spent of them.
    pub fn installation_standings(&self) -> Vec<(u64, Vec<Standing>)> {
        let Some(app) = &self.shared.app else { return Vec::new() };
        let places: Vec<(u64, usize)> = app.known().all().map(|(one, place)| (one.id, place)).collect();
        let gate = gate::lock(&self.shared.gate);
        places.into_iter().map(|(id, place)| (id, gate.standings_at(place))).collect()
    }

    /// The App's installations, read anew.
    pub async fn installations(&self, now: Second) -> Result<Vec<Installation>, AskError> {
        let Some(app) = &self.shared.app else { return Ok(Vec::new()) };
        self.read_installations(app, now).await?;
        Ok(app.known().all().map(|(installation, _)| installation.clone()).collect())
    }

    /// Whether what one may not ask for now another may: there are several tokens, or there is an App.
    pub fn has_several_askers(&self) -> bool {
        self.shared.tokens > 1 || self.is_app()
    }

    /// Reads the list of installations, where that is due. Only one reads it; the others wait.
    pub(crate) async fn know_installations(&self, app: &App, now: Second) -> Result<(), AskError> {
        if !app.known().is_due(Instant::now()) {
            return Ok(());
        }
        let _turn = app.listing.lock().await;
        if !app.known().is_due(Instant::now()) {
            return Ok(());
        }
        match self.read_installations(app, now).await {
            // The older list will do.
            Err(_) if app.known().is_listed() => Ok(()),
            read => read,
        }
    }

    async fn read_installations(&self, app: &App, now: Second) -> Result<(), AskError> {
        const ENDPOINT: &str = "GET /app/installations";
        app.known().tried(Instant::now());
        let mut url = Path::new("/app/installations?per_page=100").below(&self.shared.api_url);
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(asked) = url.take() else { break };
            let request = Request::get(ENDPOINT, asked, now);
            let response = Box::pin(self.exchange_at_once(&request)).await?;
            let Answer::Fresh(fresh) = answer(&request, response)? else {
                return Err(request.retry("the App's installations are not told"));
            };
            let page = super::asks::app::installations(&fresh.body)
                .ok_or_else(|| request.retry("the answer has another shape than expected"))?;
            all.extend(page);
            url = fresh.links.next().map(|next| self.given(ENDPOINT, next)).transpose()?;
        }
        let gate = &self.shared.gate;
        app.known().listed(all, Instant::now(), || gate::lock(gate).open_purse());
        Ok(())
    }

    /// Sees to it that an installation has a token, if one is to be had. Only one question asks for it; the others
    /// wait, and hear of its error.
    pub(crate) async fn have_token(&self, app: &App, id: u64, now: Second) -> Result<(), AskError> {
        let begun = Instant::now();
        let Some(flight) = app.known().flight(id) else { return Ok(()) };
        let mut flight = flight.lock().await;
        if matches!(app.known().held(id, Instant::now()), Held::Fresh(_)) {
            return Ok(());
        }
        if let Some((at, error)) = &flight.failed
            && *at >= begun
        {
            return Err(error.clone());
        }
        let asked = self.ask_for_token(app, id, now).await;
        let Err(error) = asked else {
            flight.failed = None;
            return Ok(());
        };
        if app.known().may_go_on(id, Instant::now()) {
            return Ok(());
        }
        flight.failed = Some((Instant::now(), error.clone()));
        Err(error)
    }

    async fn ask_for_token(&self, app: &App, id: u64, now: Second) -> Result<(), AskError> {
        let path = Path::new("/app/installations").number(id).fixed("/access_tokens");
        let endpoint = "POST /app/installations/{id}/access_tokens";
        let Some(url) = path.below(&self.shared.api_url) else { return Ok(()) };
        let request = Request { method: Method::POST, ..Request::get(endpoint, url, now) };
        let response = Box::pin(self.exchange_at_once(&request)).await?;
        match response.status.as_u16() {
            201 | 200 => {
                let token = read_token(&response, now);
                let token = token.ok_or_else(|| request.retry("the answer holds no token"))?;
                app.known().give(id, token);
                Ok(())
            }
            403 if is_suspended(&response) => {
                app.known().suspend(id);
                Ok(())
            }
            404 => {
                app.known().remove(id);
                Ok(())
            }
            status => Err(request.retry(&format!("status {status}"))),
        }
    }
}

/// Whether an answer says that the installation is suspended.
pub(crate) fn is_suspended(response: &Response) -> bool {
    response.message().is_some_and(|message| message.to_ascii_lowercase().contains("suspended"))
}

/// Whether an answer to the App says that there is no such App.
pub(crate) fn is_unknown(response: &Response) -> bool {
    response.status.as_u16() == 404
        && response.message().is_some_and(|message| message.starts_with("Integration not found"))
}

fn read_token(response: &Response, now: Second) -> Option<Token> {
    let wire: WireToken<'_> = read_object(&response.body).ok()?;
    let bearer = transport::bearer(&wire.token.value()?.as_str().into())?;
    let date = date::of(&response.headers, now);
    let seconds = wire.expires_at.get().map(|ends| u64::try_from(ends.0 - date.0).unwrap_or(0));
    let life = seconds.map_or(LIFE_USUAL, Duration::from_secs);
    Some(Token::new(bearer, life, Instant::now()))
}

impl<'a> Request<'a> {
    /// A plain question.
    pub(crate) fn get(endpoint: &'static str, url: Url, now: Second) -> Self {
        Request {
            method: Method::GET,
            endpoint,
            resource: CORE,
            url,
            etag: None,
            json: None,
            accept: None,
            now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_question_is_about_stands_in_its_address() {
        let api = Url::parse("https://ghe.example/api/v3/").unwrap();
        let asked = |path: &str, about: Option<u64>| {
            let url = api.join(path).unwrap();
            let asked = Asked::of(&api, &url, about.map(AccountId::github));
            let id = asked.account.and_then(AccountId::as_github);
            (asked.is_of_app, asked.is_of_token, id, asked.login.map(std::borrow::Cow::into_owned))
        };
        let login = |login: &str| Some(login.to_owned());
        assert_eq!(asked("users/ada/repos?per_page=100", None), (false, false, None, login("ada")));
        assert_eq!(asked("repos/gu%20ild/app", None), (false, false, None, login("gu ild")));
        assert_eq!(asked("user/7", None), (false, false, Some(7), None));
        assert_eq!(asked("repositories/7/pulls", Some(8)), (false, false, Some(8), None));
        assert_eq!(asked("user", None), (false, true, None, None));
        assert_eq!(asked("user/repos", None), (false, true, None, None));
        assert_eq!(asked("orgs/guild/hooks/7/deliveries", None), (false, true, None, login("guild")));
        assert_eq!(asked("app/hook/deliveries", None), (true, false, None, None));
    }
}
