//! One HTTP exchange: a time-out, a bound on the body. It follows no redirect and knows no rule.

use std::{sync::Once, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;
use url::Url;

use super::settings::{Outcome, Settings, SettingsError};

/// A page of 100 repositories with the fields that are asked for is under 100 KiB; more than this is no answer
/// of Bitbucket's.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("tallyhook/", env!("CARGO_PKG_VERSION"));

pub(super) struct Transport {
    http: reqwest::Client,
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Unreachable,
    TimedOut,
    /// The connection ended before or within the answer.
    Broken,
    TooLarge,
}

impl Transport {
    pub(super) fn new(api_url: &Url, settings: &Settings) -> Result<Self, SettingsError> {
        install_crypto_once();
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &settings.token {
            let bearer = format!("Bearer {}", token.expose_secret());
            let mut bearer = HeaderValue::try_from(bearer).map_err(|_| SettingsError::Token)?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(settings.concurrency)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout);
        if api_url.scheme() == "http" {
            // A machine without root certificates can still talk to a fake next door.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SettingsError::Tls(error.to_string()))?;
        Ok(Transport { http })
    }

    pub(super) async fn get(&self, url: &Url) -> Result<Response, Failure> {
        let mut response = self.http.get(url.clone()).send().await.map_err(|error| Failure::of(&error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::of(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Response { status: response.status(), headers, body: body.freeze() })
    }
}

impl Failure {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Failure::Unreachable
        } else if error.is_timeout() {
            Failure::TimedOut
        } else {
            Failure::Broken
        }
    }

    /// Whether nobody answers at all.
    pub(super) fn is_certain(self) -> bool {
        self == Failure::Unreachable
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Failure::Unreachable => "no connection",
            Failure::TimedOut => "no whole answer in time",
            Failure::Broken => "the connection ended within the answer",
            Failure::TooLarge => "the answer is too large",
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Failure::Unreachable => Outcome::Unreachable,
            Failure::TimedOut => Outcome::TimedOut,
            Failure::Broken | Failure::TooLarge => Outcome::Broken,
        }
    }
}

/// The TLS library takes its cryptography from whoever installs one first.
fn install_crypto_once() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that the process has one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
