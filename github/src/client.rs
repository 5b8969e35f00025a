//! Asking GitHub: a REST and GraphQL client that keeps GitHub's rules (reference A3) and says what the caller does next.
//!
//! A question goes through the `gate` (may anything be sent now?), the `transport` (one HTTP exchange), as whoever
//! may ask it (a token of the settings, or an installation of the `app`),
//! and back through the rules of `limits`; `asks` are the questions themselves, each of which turns its
//! answer into one of our own readings. Redirects are followed here and not in the HTTP library, because a
//! token must never follow one to another host. Nothing here retries on its own but the polling of a 202:
//! waiting and backing off are the caller's, who knows what else there is to ask.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::Semaphore;
use url::Url;

mod answer;
mod app;
mod asks;
mod date;
mod gate;
mod graphql;
mod limits;
mod links;
mod owned;
mod path;
mod settings;
mod spender;
mod transport;

pub use answer::{Answer, AskError, Asking, Fresh, WaitWhy};
pub use app::{AppKey, AppKeyError, AppSettings, Installation};
pub use asks::{
    APP_EVENTS, APP_PERMISSIONS, AboutApp, Administered, AppHook, AppMade, DeliveriesPage, GistsPage,
    GivenStar, HOOK_EVENTS, Hook, HookOwner, ListedDelivery, ListedGist, ListedPull, NewHook,
    ORGANIZATION_HOOK_EVENTS, PublicPage, PullCount, PullOrder, PullsPage, Reception, RecordedDelivery,
    RepositoriesPage, StargazersPage, StarredPage, ToldRepository, WHOLE_PAGE_MAX, Whole, WholePage,
    WholePulls, WholeRepository, whole_points,
};
pub use limits::{Part, RateBudget, Standing};
pub use links::Links;
pub use path::{AccountPath, RepoPath};
pub use settings::{Observer, Outcome, Settings, SettingsError, Timing, Unobserved};
pub use spender::{Reserve, Spender};

use app::{App, Asked, Holder, installations::Held};
use gate::{Gate, Pass, Purses, Wanted};
use limits::Cost;
use transport::{Failure, Response, Transport};

/// GitHub moves a repository once per rename; a longer way is a loop.
const REDIRECTS_MAX: usize = 5;

/// So often a question is begun anew because whoever asked it may not ask any more: its token has ended, it is
/// suspended, or it is gone.
const ASKERS_MAX: usize = 6;

/// How often an answer that is being computed (202) is asked for again.
const ACCEPTED_POLLS_MAX: usize = 5;

/// A client of one GitHub. Copies share its connections, its budget and its gate.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    spender: Spender,
    /// Of which account the questions are.
    about: Option<domain::AccountId>,
}

struct Shared {
    api_url: Url,
    transport: Transport,
    tokens: usize,
    app: Option<App>,
    reserve: Reserve,
    in_flight: Semaphore,
    gate: Arc<Mutex<Gate>>,
    graphql: Mutex<graphql::Graphql>,
    observer: Arc<dyn Observer>,
    timing: Timing,
}

/// What is sent: a method, an address, and how errors name it.
struct Request<'a> {
    method: Method,
    /// What is asked, as `GET /users/{login}`: for errors, which end in logs and may name nobody.
    endpoint: &'static str,
    /// Which limit it counts against.
    resource: &'static str,
    url: Url,
    etag: Option<&'a str>,
    json: Option<Bytes>,
    /// The form in which the answer is wanted, where it is not the usual one.
    accept: Option<&'static str>,
    now: domain::Second,
}

impl Client {
    /// A client after these settings. Sends nothing.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let api_url = settings.checked_api_url()?;
        if settings.concurrency == 0 {
            return Err(SettingsError::NoConcurrency);
        }
        let transport = Transport::new(&api_url, &settings.tokens, settings.concurrency, &settings.timing)?;
        let mut gate = Gate::new(settings.tokens.len(), settings.reserve);
        let app = settings.app.map(|app| App::new(app, gate.open_app_purse()));
        Ok(Client {
            shared: Arc::new(Shared {
                api_url,
                transport,
                tokens: settings.tokens.len(),
                app,
                reserve: settings.reserve,
                in_flight: Semaphore::new(settings.concurrency.min(Semaphore::MAX_PERMITS)),
                gate: Arc::new(Mutex::new(gate)),
                graphql: Mutex::default(),
                observer: settings.observer,
                timing: settings.timing,
            }),
            spender: Spender::Command,
            about: None,
        })
    }

    /// The same client, whose questions are asked for this.
    #[must_use]
    pub fn spending_as(&self, spender: Spender) -> Self {
        Client { spender, ..self.clone() }
    }

    /// What is known of the rate limits: one entry per resource that GitHub told of, all who ask together.
    pub fn budgets(&self) -> Vec<RateBudget> {
        gate::lock(&self.shared.gate).budgets()
    }

    /// The same for each token by itself, in the order of the settings, with what this process spent of it. Without
    /// a token there is one entry.
    pub fn standings(&self) -> Vec<Vec<Standing>> {
        gate::lock(&self.shared.gate).standings()
    }

    /// What of every limit is kept for repair.
    pub fn reserve(&self) -> Reserve {
        self.shared.reserve
    }

    /// What of a limit of so many is kept for repair.
    pub fn kept_of(&self, limit: u64) -> u64 {
        self.shared.reserve.of(limit)
    }

    /// Takes a part of every budget where several processes ask with the same token; unless told, all of it.
    /// Questions that are in flight when it is used up still count against it, so that it may be exceeded by
    /// their number.
    pub fn take_part(&self, part: Part) {
        gate::lock(&self.shared.gate).take_part(part);
    }

    /// Whether questions are asked with a token: of the settings, or of an App's installation.
    pub fn has_token(&self) -> bool {
        self.shared.tokens > 0 || self.is_app()
    }

    /// With how many tokens of the settings questions are asked.
    pub fn tokens(&self) -> usize {
        self.shared.tokens
    }

    /// Asks with GET, follows redirects, polls while the answer is being computed.
    async fn get(&self, mut request: Request<'_>) -> Result<Answer<Bytes>, AskError> {
        let (mut redirects, mut polls) = (0, 0);
        loop {
            let response = self.exchange(&request).await?;
            match response.status.as_u16() {
                202 if polls < ACCEPTED_POLLS_MAX => {
                    polls += 1;
                    tokio::time::sleep(self.shared.timing.accepted_pause).await;
                }
                202 => return Err(request.retry("the answer is still being computed")),
                301 | 302 | 307 | 308 => {
                    redirects += 1;
                    if redirects > REDIRECTS_MAX {
                        return Err(request.retry("redirects go in a circle"));
                    }
                    request.url = self.redirected(&request, &response)?;
                }
                304 if request.etag.is_some() => {
                    return Ok(Answer::NotModified { date: date::of(&response.headers, request.now) });
                }
                _ => return answer(&request, response),
            }
        }
    }

    /// Sends with POST, which follows nothing: what moved is to be named anew.
    async fn post(&self, request: Request<'_>) -> Result<Answer<Bytes>, AskError> {
        let response = self.exchange(&request).await?;
        if response.status.is_redirection() {
            return Err(request.give_up("it was renamed or moved; use its new name"));
        }
        answer(&request, response)
    }

    /// One request and its response, unless the answer concerns more than this question: a limit, a
    /// forge that is down, a token that is refused.
    async fn exchange(&self, request: &Request<'_>) -> Result<Response, AskError> {
        let _permit = self.shared.in_flight.acquire().await.expect("the semaphore is never closed");
        if let Some(app) = &self.shared.app
            && !self.asked(request).is_of_app
        {
            self.know_installations(app, request.now).await?;
        }
        self.exchange_at_once(request).await
    }

    /// The same for what is asked on the way of another question, which has a place among those in flight already.
    async fn exchange_at_once(&self, request: &Request<'_>) -> Result<Response, AskError> {
        for _ in 0..ASKERS_MAX {
            if let Some(response) = self.attempt(request).await? {
                return Ok(response);
            }
        }
        Err(request.retry("none of the tokens that were made for it is accepted"))
    }

    /// `None`: whoever was to ask may not ask any more, and another is to be found.
    async fn attempt(&self, request: &Request<'_>) -> Result<Option<Response>, AskError> {
        let shared = &*self.shared;
        let pass = Pass::admit(&shared.gate, &self.wanted(request), Instant::now())?;
        let purse = pass.purse();
        let holder = shared.app.as_ref().map_or(Some(Holder::Token), |app| app.holder(purse));
        let (pass, bearer) = match (holder, &shared.app) {
            (Some(Holder::App), Some(app)) => (pass, Some(app.bearer(request.now))),
            (Some(Holder::Installation(id)), Some(app)) => {
                let held = app.known().held(id, Instant::now());
                match held {
                    Held::Fresh(bearer) => (pass, Some(bearer)),
                    Held::Due => {
                        // It is asked for by way of the gate, like anything else.
                        drop(pass);
                        self.have_token(app, id, request.now).await?;
                        return Ok(None);
                    }
                }
            }
            (None, _) => return Ok(None),
            _ => (pass, shared.transport.token(purse)),
        };
        let sent = shared.transport.send(request, bearer.clone()).await;
        let response = match sent {
            Ok(response) => response,
            Err(failure) => {
                shared.observer.answered(request.resource, failure.outcome());
                match failure {
                    Failure::Unreachable => pass.unreachable(Instant::now()),
                    Failure::TimedOut | Failure::NoAnswer => pass.failed(Instant::now(), None),
                    // The forge answers; only this body did not arrive.
                    Failure::CutShort | Failure::TooLarge => pass.answered(),
                }
                return Err(request.retry(failure.sentence()));
            }
        };
        self.take_note(request, &response, purse, bearer.is_some());
        if let Some(app) = &shared.app {
            match app.holder(purse) {
                Some(Holder::App) if response.status == StatusCode::UNAUTHORIZED => {
                    pass.answered();
                    return Self::unknown_app(app, request, &response);
                }
                Some(Holder::App) if app::is_unknown(&response) => {
                    pass.answered();
                    return Err(request.give_up("there is no such App (404); its id is not the right one"));
                }
                Some(Holder::Installation(id)) if response.status == StatusCode::UNAUTHORIZED => {
                    pass.answered();
                    if let Some(bearer) = bearer {
                        app.known().refuse(id, &bearer);
                    }
                    return Ok(None);
                }
                Some(Holder::Installation(id))
                    if response.status == StatusCode::FORBIDDEN && app::is_suspended(&response) =>
                {
                    pass.answered();
                    app.known().suspend(id);
                    return Ok(None);
                }
                _ => {}
            }
        }
        self.judge(request, response, pass).map(Some)
    }

    /// GitHub does not accept a JWT. Where our clock is to blame it is made for GitHub's.
    fn unknown_app(
        app: &App,
        request: &Request<'_>,
        response: &Response,
    ) -> Result<Option<Response>, AskError> {
        if app.corrects_clock(date::of(&response.headers, request.now), request.now) {
            return Ok(None);
        }
        let message = response.message().map(|message| format!(": {message}")).unwrap_or_default();
        Err(request.give_up(&format!(
            "the App is not accepted (401{message}); its id or its private key is not the right one"
        )))
    }

    fn asked<'r>(&self, request: &'r Request<'_>) -> Asked<'r> {
        Asked::of(&self.shared.api_url, &request.url, self.about)
    }

    /// What a question needs to be let through.
    fn wanted(&self, request: &Request<'_>) -> Wanted {
        let own = own(&request.url);
        let of_app = self.shared.app.as_ref();
        let of_app = of_app.and_then(|app| app.purses(&self.asked(request), self.shared.tokens, own));
        let purses = of_app.unwrap_or_else(|| purses(&request.url, own));
        Wanted { resource: request.resource, spender: self.spender, purses }
    }

    /// Remembers and tells what the headers say about the rate limit.
    fn take_note(&self, request: &Request<'_>, response: &Response, purse: usize, is_known: bool) {
        let shared = &*self.shared;
        let resource = limits::resource(&response.headers);
        shared.observer.answered(resource, Outcome::Status(response.status.as_u16()));
        let date = date::of(&response.headers, request.now);
        let Some(budget) = limits::budget(&response.headers) else { return };
        let count = match resource {
            limits::GRAPHQL => graphql::points(&response.body),
            // What has not changed costs nothing where a token is used.
            _ => u64::from(response.status != StatusCode::NOT_MODIFIED || !is_known),
        };
        let cost = Cost { spender: self.spender, count };
        let mut gate = gate::lock(&shared.gate);
        gate.note(purse, budget, cost, date, Instant::now());
        let together = gate.budgets().into_iter().find(|known| known.resource == resource);
        drop(gate);
        shared.observer.budget(together.unwrap_or(budget));
        if count > 0 {
            shared.observer.spent(resource, self.spender, count);
        }
    }

    fn judge(&self, request: &Request<'_>, response: Response, pass: Pass) -> Result<Response, AskError> {
        let now = Instant::now();
        let date = date::of(&response.headers, request.now);
        if let Some(limit) = limits::limit_of(&response, date) {
            return Err(pass.limited(now, limit));
        }
        match response.status {
            StatusCode::NOT_IMPLEMENTED => {}
            // They concern this way of asking, or this query: too heavy for one, not offered, not for this token.
            StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::UNAUTHORIZED
            | StatusCode::BAD_REQUEST
                if request.resource == limits::GRAPHQL => {}
            status if status.is_server_error() => {
                let retry_after = limits::retry_after(&response.headers, date);
                pass.failed(now, retry_after);
                return Err(match retry_after {
                    Some(after) => AskError::Wait { after, why: WaitWhy::Unavailable },
                    None => request.retry(&format!("status {}", status.as_u16())),
                });
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
                pass.answered();
                return Err(request.retry(&format!("status {}", response.status.as_u16())));
            }
            StatusCode::UNAUTHORIZED => {
                if pass.not_accepted() {
                    return Err(request.retry("a token is not accepted (401); the others are used"));
                }
                return Err(request.give_up(if self.shared.tokens > 0 {
                    "the token is not accepted (401); give a valid one"
                } else {
                    "a token is needed (401)"
                }));
            }
            StatusCode::BAD_REQUEST => {
                pass.answered();
                return Err(request.give_up(&format!(
                    "the request is not understood (400){}",
                    response.message().map(|message| format!(": {message}")).unwrap_or_default()
                )));
            }
            _ => {}
        }
        pass.answered();
        Ok(response)
    }

    fn redirected(&self, request: &Request<'_>, response: &Response) -> Result<Url, AskError> {
        let location = response.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| request.url.join(location).ok());
        let target = target.ok_or_else(|| request.retry("a redirect without a usable address"))?;
        if self.is_ours(&target) {
            Ok(target)
        } else {
            Err(request.give_up("a redirect leads away from the configured API address"))
        }
    }

    /// Whether an address is on the configured server, so that it may see the token.
    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.shared.api_url.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Reads an address that the forge gave for the next page; it is followed as it is.
    fn given(&self, endpoint: &'static str, url: &str) -> Result<Url, AskError> {
        match self.shared.api_url.join(url) {
            Ok(url) if self.is_ours(&url) => Ok(url),
            _ => Err(AskError::Final(format!(
                "{endpoint}: the address of the next page is not on the configured API address"
            ))),
        }
    }
}

/// With which tokens a question may be asked. Whose webhooks and stargazers are told, and who "I" am, depends on the
/// token; what is public does not.
fn purses(url: &Url, own: usize) -> Purses {
    let mut segments = url.path_segments().into_iter().flatten();
    if url.path().ends_with("/user") || segments.any(|segment| matches!(segment, "hooks" | "stargazers")) {
        return Purses::First;
    }
    Purses::Any { own }
}

/// A number of a question's own.
fn own(url: &Url) -> usize {
    let mut hasher = DefaultHasher::new();
    (url.path(), url.query()).hash(&mut hasher);
    usize::try_from(hasher.finish() >> 32).unwrap_or(0)
}

impl Request<'_> {
    fn retry(&self, what: &str) -> AskError {
        AskError::Retry(format!("{}: {what}", self.endpoint))
    }

    fn give_up(&self, what: &str) -> AskError {
        AskError::Final(format!("{}: {what}", self.endpoint))
    }
}

/// Sorts a response that concerns this question alone.
fn answer(request: &Request<'_>, response: Response) -> Result<Answer<Bytes>, AskError> {
    let date = date::of(&response.headers, request.now);
    match response.status.as_u16() {
        200..=299 => Ok(Answer::Fresh(Fresh {
            etag: etag(&response.headers),
            links: Links::parse(&response.headers, &response.url),
            date,
            url: response.url.into(),
            body: response.body,
        })),
        409 if request.method == Method::GET => Ok(Answer::Empty { date }),
        status @ (400..=499 | 501) => Ok(Answer::Refused { status, date, message: response.message() }),
        status => Err(request.retry(&format!("status {status}"))),
    }
}

fn etag(headers: &HeaderMap) -> Option<String> {
    headers.get(header::ETAG)?.to_str().ok().map(str::to_owned)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("api_url", &self.shared.api_url.as_str()).finish_non_exhaustive()
    }
}
