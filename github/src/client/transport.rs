//! One HTTP exchange: headers that GitHub wants, time-outs, a bound on the body. It follows no redirect
//! and knows no rule.

use std::sync::Once;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{
    Request,
    settings::{Outcome, SettingsError, Timing},
};
use crate::wire::{Field, List, object, read_object};

/// The largest page of 100 repositories is under 1 MiB; more than this is no answer of GitHub's.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How much of GitHub's own sentence is passed on.
const MESSAGE_CHARS_MAX: usize = 200;

/// GitHub asks for a name; requests without one are refused.
const USER_AGENT: &str = concat!("tallyhook/", env!("CARGO_PKG_VERSION"));

/// Without it the meaning of answers would change under us.
const API_VERSION: &str = "2022-11-28";

pub(crate) struct Transport {
    http: reqwest::Client,
    /// What says who asks, by the place of the settings' token; empty where there is none.
    tokens: Vec<HeaderValue>,
}

/// What came back, whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) url: Url,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Unreachable,
    TimedOut,
    /// The connection ended before an answer began.
    NoAnswer,
    /// The connection ended within the answer's body, or the body could not be unpacked.
    CutShort,
    TooLarge,
}

impl Transport {
    pub(crate) fn new(
        api_url: &Url,
        tokens: &[SecretString],
        concurrency: usize,
        timing: &Timing,
    ) -> Result<Self, SettingsError> {
        install_crypto_once();
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        let tokens = tokens.iter().map(|token| bearer(token).ok_or(SettingsError::Token));
        let tokens = tokens.collect::<Result<_, _>>()?;
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(concurrency)
            .connect_timeout(timing.connect_timeout)
            .timeout(timing.whole_timeout);
        if api_url.scheme() == "http" {
            // A machine without root certificates can still talk to a look-alike next door.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SettingsError::Tls(innermost(&error)))?;
        Ok(Transport { http, tokens })
    }

    /// What says who asks with the settings' token that has this place.
    pub(crate) fn token(&self, place: usize) -> Option<HeaderValue> {
        self.tokens.get(place).cloned()
    }

    /// Sends a request as whoever this is.
    pub(crate) async fn send(
        &self,
        asked: &Request<'_>,
        bearer: Option<HeaderValue>,
    ) -> Result<Response, Failure> {
        let (method, url) = (&asked.method, &asked.url);
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(etag) = asked.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(accept) = asked.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if let Some(json) = asked.json.clone() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(json);
        }
        let mut response = request.send().await.map_err(|error| Failure::of(&error, Failure::NoAnswer))?;
        let mut body = BytesMut::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Failure::of(&error, Failure::CutShort))?
        {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            url: url.clone(),
        })
    }
}

/// What says who asks; `None` for what no header may hold. It is never shown.
pub(crate) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

impl Failure {
    fn of(error: &reqwest::Error, otherwise: Failure) -> Self {
        if error.is_connect() {
            Failure::Unreachable
        } else if error.is_timeout() {
            Failure::TimedOut
        } else {
            otherwise
        }
    }

    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Failure::Unreachable => "no connection",
            Failure::TimedOut => "no whole answer in time",
            Failure::NoAnswer => "the connection ended without an answer",
            Failure::CutShort => "the answer ended too early",
            Failure::TooLarge => "the answer is too large",
        }
    }

    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Failure::Unreachable => Outcome::Unreachable,
            Failure::TimedOut => Outcome::TimedOut,
            Failure::NoAnswer | Failure::CutShort | Failure::TooLarge => Outcome::Broken,
        }
    }
}

impl Response {
    /// GitHub's own sentence about an error, with the first of its reasons.
    pub(crate) fn message(&self) -> Option<String> {
        let said: Said<'_> = read_object(&self.body).ok()?;
        let mut message = said.message.value()?.as_str().to_owned();
        let reasons = said.errors.value().map(|errors| errors.0.as_slice()).unwrap_or_default();
        if let Some(reason) = reasons.first().and_then(|reason| reason.message.value()) {
            message = format!("{message}: {reason}");
        }
        Some(message.chars().filter(|char| !char.is_control()).take(MESSAGE_CHARS_MAX).collect())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    message: Field<domain::Text<'a>>,
    #[serde(borrow)]
    errors: Field<List<Reason<'a>>>,
}
object!(Said<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason<'a> {
    #[serde(borrow)]
    message: Field<domain::Text<'a>>,
}
object!(Reason<'a>);

/// The TLS library takes its cryptography from whoever installs one first.
fn install_crypto_once() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that the process has one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
