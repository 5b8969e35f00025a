//! Asking GitHub: a REST client that keeps GitHub's rules (reference A3) and says what the caller does next.
//!
//! A question goes through the `gate` (may anything be sent now?), the `transport` (one HTTP exchange)
//! and back through the rules of `limits`; `asks` are the questions themselves, each of which turns its
//! answer into one of our own readings. Redirects are followed here and not in the HTTP library, because a
//! token must never follow one to another host. Nothing here retries on its own but the polling of a 202:
//! waiting and backing off are the caller's, who knows what else there is to ask.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use url::Url;

mod answer;
mod asks;
mod date;
mod gate;
mod limits;
mod links;
mod owned;
mod path;
mod settings;
mod transport;

pub use answer::{Answer, AskError, Asking, Fresh, WaitWhy};
pub use asks::{
    Administered, DeliveriesPage, GistsPage, GivenStar, HOOK_EVENTS, Hook, HookOwner, ListedDelivery,
    ListedGist, ListedPull, NewHook, ORGANIZATION_HOOK_EVENTS, PublicPage, PullCount, PullOrder, PullsPage,
    RecordedDelivery, RepositoriesPage, StargazersPage, StarredPage, ToldRepository,
};
pub use limits::{Part, RateBudget};
pub use links::Links;
pub use path::{AccountPath, RepoPath};
pub use settings::{Observer, Outcome, Settings, SettingsError, Timing, Unobserved};

use gate::{Gate, Pass};

use transport::{Failure, Response, Transport};

/// GitHub moves a repository once per rename; a longer way is a loop.
const REDIRECTS_MAX: usize = 5;

/// How often an answer that is being computed (202) is asked for again.
const ACCEPTED_POLLS_MAX: usize = 5;

/// A client of one GitHub. Copies share its connections, its budget and its gate.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    api_url: Url,
    transport: Transport,
    has_token: bool,
    in_flight: Semaphore,
    gate: Arc<Mutex<Gate>>,
    observer: Arc<dyn Observer>,
    timing: Timing,
}

/// What is sent: a method, an address, and how errors name it.
struct Request<'a> {
    method: Method,
    /// What is asked, as `GET /users/{login}`: for errors, which end in logs and may name nobody.
    endpoint: &'static str,
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
        let token = settings.token.as_ref().map(|token| token.expose_secret());
        let transport = Transport::new(&api_url, token, settings.concurrency, &settings.timing)?;
        Ok(Client {
            shared: Arc::new(Shared {
                api_url,
                transport,
                has_token: settings.token.is_some(),
                in_flight: Semaphore::new(settings.concurrency.min(Semaphore::MAX_PERMITS)),
                gate: Arc::new(Mutex::new(Gate::default())),
                observer: settings.observer,
                timing: settings.timing,
            }),
        })
    }

    /// What is known of the rate limits: one entry per resource that GitHub told of.
    pub fn budgets(&self) -> Vec<RateBudget> {
        gate::lock(&self.shared.gate).budgets.all()
    }

    /// Takes a part of every budget where several processes ask with the same token; unless told, all of it.
    /// Questions that are in flight when it is used up still count against it, so that it may be exceeded by
    /// their number.
    pub fn take_part(&self, part: Part) {
        gate::lock(&self.shared.gate).budgets.take_part(part);
    }

    /// Whether questions are asked with a token.
    pub fn has_token(&self) -> bool {
        self.shared.has_token
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
        let shared = &*self.shared;
        let _permit = shared.in_flight.acquire().await.expect("the semaphore is never closed");
        let pass = Pass::admit(&shared.gate, Instant::now())?;
        let sent = shared.transport.send(request).await;
        let response = match sent {
            Ok(response) => response,
            Err(failure) => {
                shared.observer.answered(limits::CORE, failure.outcome());
                match failure {
                    Failure::Unreachable => pass.unreachable(Instant::now()),
                    Failure::TimedOut | Failure::NoAnswer => pass.failed(Instant::now(), None),
                    // The forge answers; only this body did not arrive.
                    Failure::CutShort | Failure::TooLarge => pass.answered(),
                }
                return Err(request.retry(failure.sentence()));
            }
        };
        self.take_note(&response, request.now);
        self.judge(request, response, pass)
    }

    /// Remembers and tells what the headers say about the rate limit.
    fn take_note(&self, response: &Response, now: domain::Second) {
        let resource = limits::resource(&response.headers);
        self.shared.observer.answered(resource, Outcome::Status(response.status.as_u16()));
        let date = date::of(&response.headers, now);
        if let Some(budget) = limits::budget(&response.headers) {
            // What has not changed costs nothing where a token is used.
            let is_counted = response.status != StatusCode::NOT_MODIFIED || !self.shared.has_token;
            gate::lock(&self.shared.gate).budgets.note(budget, is_counted, date, Instant::now());
            self.shared.observer.budget(budget);
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
                pass.answered();
                return Err(request.give_up(if self.shared.has_token {
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
