//! Asking Bitbucket: a client of API 2.0 that keeps its rules (reference A4) and says what the caller does
//! next.
//!
//! A question goes through the `gate` (may anything be sent now?) and the `transport` (one HTTP exchange);
//! `asks` are the questions themselves. Redirects and pages are followed on the configured server only, because
//! a token must never leave for another. Nothing here retries: waiting and backing off are the caller's.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::Second;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::Semaphore;
use url::Url;

mod answer;
mod asks;
mod gate;
mod settings;
mod transport;

pub use answer::{Answer, AskError, WaitWhy};
pub use asks::{AccountPath, PagePath};
pub use settings::{Observer, Outcome, Settings, SettingsError, Unobserved};

use gate::Gate;
use transport::{Response, Transport};

/// Bitbucket moves a repository once per rename; a longer way is a loop.
const REDIRECTS_MAX: usize = 5;

/// A limit renews itself every hour; a time further ahead is a mistake.
const WAIT_MAX: Duration = Duration::from_secs(3660);

/// A client of one Bitbucket. Copies share its connections and its gate.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    api_url: Url,
    transport: Transport,
    in_flight: Semaphore,
    gate: Mutex<Gate>,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// A client after these settings. Sends nothing.
    ///
    /// # Errors
    /// When the settings cannot work; the operator must change them.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let api_url = settings.checked_api_url()?;
        let transport = Transport::new(&api_url, &settings)?;
        Ok(Client {
            shared: Arc::new(Shared {
                api_url,
                transport,
                in_flight: Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
                gate: Mutex::default(),
                observer: settings.observer,
            }),
        })
    }

    /// Asks with GET and follows redirects. `now` is our own second; it stands in for a missing `Date`.
    async fn get(
        &self,
        endpoint: &'static str,
        mut url: Url,
        now: Second,
    ) -> Result<Answer<Bytes>, AskError> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.exchange(endpoint, &url, now).await?;
            let date = date_of(&response.headers, now);
            match response.status.as_u16() {
                200..=299 => return Ok(Answer::Fresh { body: response.body, date }),
                301 | 302 | 307 | 308 => url = self.redirected(endpoint, &url, &response)?,
                status @ (400..=499 | 501) => return Ok(Answer::Refused { status, date }),
                status => return Err(AskError::Retry(format!("{endpoint}: status {status}"))),
            }
        }
        Err(AskError::Retry(format!("{endpoint}: redirects go in a circle")))
    }

    /// One request and its response, unless the answer concerns more than this question: a limit, a forge that
    /// is down, a token that is refused.
    async fn exchange(&self, endpoint: &'static str, url: &Url, now: Second) -> Result<Response, AskError> {
        let shared = &*self.shared;
        let _permit = shared.in_flight.acquire().await.expect("the semaphore is never closed");
        self.gate().admit(Instant::now())?;
        let response = match shared.transport.get(url).await {
            Ok(response) => response,
            Err(failure) => {
                shared.observer.answered(failure.outcome());
                self.gate().failed(Instant::now(), None, failure.is_certain());
                return Err(AskError::Retry(format!("{endpoint}: {}", failure.sentence())));
            }
        };
        shared.observer.answered(Outcome::Status(response.status.as_u16()));
        let retry_after = retry_after(&response.headers, date_of(&response.headers, now));
        let mut gate = self.gate();
        let at = Instant::now();
        match response.status {
            StatusCode::TOO_MANY_REQUESTS => return Err(gate.limited(at, retry_after)),
            StatusCode::NOT_IMPLEMENTED => {}
            status if status.is_server_error() => {
                gate.failed(at, retry_after, false);
                return Err(match retry_after {
                    Some(after) => AskError::Wait { after, why: WaitWhy::Unavailable },
                    None => AskError::Retry(format!("{endpoint}: status {}", status.as_u16())),
                });
            }
            StatusCode::REQUEST_TIMEOUT => {
                gate.answered();
                return Err(AskError::Retry(format!("{endpoint}: status 408")));
            }
            StatusCode::UNAUTHORIZED => {
                gate.answered();
                return Err(AskError::Final(format!(
                    "{endpoint}: the token is not accepted or missing (401)"
                )));
            }
            _ => {}
        }
        gate.answered();
        Ok(response)
    }

    fn redirected(&self, endpoint: &'static str, from: &Url, response: &Response) -> Result<Url, AskError> {
        let location = response.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| from.join(location).ok());
        let target = target
            .ok_or_else(|| AskError::Retry(format!("{endpoint}: a redirect without a usable address")))?;
        if self.is_ours(&target) {
            return Ok(target);
        }
        Err(AskError::Final(format!("{endpoint}: a redirect leads away from the configured API address")))
    }

    /// Whether an address is on the configured server, so that it may see the token.
    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.shared.api_url.origin() && url.username().is_empty() && url.password().is_none()
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // Its parts are consistent after each step, so that a panic elsewhere does no harm.
        self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn date_of(headers: &HeaderMap, otherwise: Second) -> Second {
    let date = headers.get(header::DATE).and_then(|value| http_date(value.to_str().ok()?));
    date.unwrap_or(otherwise)
}

fn http_date(text: &str) -> Option<Second> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|time| Second(time.timestamp().as_second()))
}

/// What `Retry-After` says, in seconds or as a date; at least one second, at most an hour.
fn retry_after(headers: &HeaderMap, date: Second) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match value.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from(http_date(value)?.0 - date.0).unwrap_or(0),
    };
    Some(Duration::from_secs(after).clamp(Duration::from_secs(1), WAIT_MAX))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("api_url", &self.shared.api_url.as_str()).finish_non_exhaustive()
    }
}
