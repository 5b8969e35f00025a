//! Pipedrive's activities, API v2. It knows no key by which a call could be repeated safely: what was made is found
//! by the marker in `public_description`.

use std::time::Duration;

use async_trait::async_trait;
use domain::Millis;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    SettingsError,
    sink::{Activity, Search, SendOutcome, Sink},
    texts::{USER_AGENT, install_crypto_once},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After a 429 that does not say how long: bursts are counted over two seconds, the budget over a day.
const LIMITED_WAIT: Duration = Duration::from_secs(10);
/// No `Retry-After` is believed beyond this; the daily budget begins anew by then.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// A token that is not taken is tried again after this: an operator may have given it its rights.
const TOKEN_WAIT: Duration = Duration::from_secs(60);
/// Pipedrive is away.
const AWAY_WAIT: Duration = Duration::from_secs(5);

/// Its clock and ours may differ by so much.
const CLOCKS_MS: i64 = 10 * 60 * 1_000;

/// So many activities a page, and pages a search: fifty thousand activities within a few minutes are nobody's.
const PAGE: &str = "500";
const PAGES_MAX: usize = 100;

/// Of an error's sentence this much is kept.
const REASON_CHARS_MAX: usize = 200;

/// How to reach Pipedrive.
#[derive(Debug, Clone)]
pub struct PipedriveSettings {
    /// `https://COMPANY.pipedrive.com`, without `/api/v2`.
    pub api_url: String,
    /// Sent as `x-api-token`.
    pub token: SecretString,
    /// After so long the outcome of a call counts as unknown.
    pub call_timeout: Duration,
}

impl PipedriveSettings {
    /// A call takes under a second.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);
}

/// Pipedrive as a sink.
pub struct Pipedrive {
    http: reqwest::Client,
    activities: Url,
}

#[derive(Serialize)]
struct Body<'a> {
    subject: &'a str,
    note: &'a str,
    public_description: &'a str,
    done: bool,
}

#[derive(Deserialize)]
struct Made {
    success: bool,
    data: MadeData,
}

#[derive(Deserialize)]
struct MadeData {
    id: u64,
}

#[derive(Deserialize)]
struct Page {
    success: bool,
    data: Option<Vec<Listed>>,
    #[serde(default)]
    additional_data: Option<Additional>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    public_description: Option<String>,
}

#[derive(Deserialize)]
struct Additional {
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: String,
}

impl Pipedrive {
    /// A client after these settings.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: &PipedriveSettings) -> Result<Self, SettingsError> {
        install_crypto_once();
        let base = settings.api_url.trim_end_matches('/');
        let activities = Url::parse(&format!("{base}/api/v2/activities"))
            .map_err(|error| SettingsError::Address(error.to_string()))?;
        let mut token =
            HeaderValue::try_from(settings.token.expose_secret()).map_err(|_| SettingsError::Token)?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-api-token", token);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.call_timeout);
        if activities.scheme() == "http" {
            // A machine without root certificates can still talk to a look-alike next door.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SettingsError::Tls(error.to_string()))?;
        Ok(Pipedrive { http, activities })
    }

    async fn page(&self, since: &str, cursor: Option<&str>) -> Result<Page, Search> {
        let later = |wait, sentence: String| Search::Later { wait, sentence };
        let mut url = self.activities.clone();
        url.query_pairs_mut().append_pair("updated_since", since).append_pair("limit", PAGE);
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let answer = self.http.get(url).send().await;
        let answer = answer.map_err(|_| later(AWAY_WAIT, "Pipedrive does not answer".to_owned()))?;
        let status = answer.status();
        if status != StatusCode::OK {
            let wait = wait_of(status, answer.headers());
            return Err(later(wait, format!("Pipedrive answered a search with {status}")));
        }
        let page = answer.bytes().await.ok().and_then(|body| serde_json::from_slice::<Page>(&body).ok());
        page.filter(|page| page.success)
            .ok_or_else(|| later(AWAY_WAIT, "Pipedrive answered a search with something else".to_owned()))
    }
}

#[async_trait]
impl Sink for Pipedrive {
    async fn send(&self, activity: &Activity) -> SendOutcome {
        let Activity { subject, note, marker } = activity;
        let body = Body { subject, note, public_description: marker, done: false };
        let answer = match self.http.post(self.activities.clone()).json(&body).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                return SendOutcome::NotMade {
                    wait: AWAY_WAIT,
                    sentence: "no connection to Pipedrive".to_owned(),
                };
            }
            Err(_) => return unknown("Pipedrive did not answer in time, or the connection broke"),
        };
        let (status, wait) = (answer.status(), wait_of(answer.status(), answer.headers()));
        let body = answer.bytes().await.unwrap_or_default();
        match status {
            status if status.is_success() => match serde_json::from_slice(&body) {
                Ok(Made { success: true, data: MadeData { id: 1.. } }) => SendOutcome::Made,
                _ => unknown("Pipedrive took it, but answered something else"),
            },
            StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                SendOutcome::NotMade { wait, sentence: format!("Pipedrive answered {status}") }
            }
            StatusCode::REQUEST_TIMEOUT => unknown("Pipedrive answered that the request took too long"),
            status if status.is_server_error() => unknown(&format!("Pipedrive answered {status}")),
            status => SendOutcome::Refused { reason: reason(status, &body) },
        }
    }

    async fn find(&self, marker: &str, since: Millis) -> Search {
        let since = since.plus(-CLOCKS_MS).to_second().to_string();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = match self.page(&since, cursor.as_deref()).await {
                Ok(page) => page,
                Err(later) => return later,
            };
            let mut listed = page.data.into_iter().flatten();
            if listed.any(|activity| activity.public_description.is_some_and(|text| text.trim() == marker)) {
                return Search::Found;
            }
            cursor = page.additional_data.and_then(|additional| additional.next_cursor);
            if cursor.is_none() {
                return Search::NotFound;
            }
        }
        let sentence = "Pipedrive's list of activities does not end".to_owned();
        Search::Later { wait: TOKEN_WAIT, sentence }
    }
}

fn unknown(sentence: &str) -> SendOutcome {
    SendOutcome::Unknown { sentence: sentence.to_owned() }
}

/// How long nothing is asked after such an answer.
fn wait_of(status: StatusCode, headers: &HeaderMap) -> Duration {
    let told = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    match (status, told) {
        (_, Some(seconds)) => Duration::from_secs(seconds).min(WAIT_MAX),
        (StatusCode::TOO_MANY_REQUESTS, None) => LIMITED_WAIT,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => TOKEN_WAIT,
        _ => AWAY_WAIT,
    }
}

/// Why it was refused, in Pipedrive's words as far as it has any.
fn reason(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Failed>(body) {
        Ok(Failed { error }) => {
            let error: String =
                error.chars().filter(|letter| !letter.is_control()).take(REASON_CHARS_MAX).collect();
            format!("Pipedrive answered {status}: {error}")
        }
        Err(_) => format!("Pipedrive answered {status}"),
    }
}
