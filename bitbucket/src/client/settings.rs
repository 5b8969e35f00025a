//! What a client is told when it is made: where Bitbucket is, with which token, how much at once, and who
//! watches.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use url::Url;

/// How to reach Bitbucket.
pub struct Settings {
    /// The API's address without its version: `https://api.bitbucket.org`, or a fake.
    pub api_url: String,
    /// Sent as a bearer token; without one Bitbucket allows 60 requests an hour.
    pub token: Option<SecretString>,
    /// How many requests may be in flight.
    pub concurrency: usize,
    /// Until an answer is there whole.
    pub timeout: Duration,
    /// Who is told of requests.
    pub observer: Arc<dyn Observer>,
}

impl Settings {
    /// Settings with 8 requests at once, 30 s each, no token and nobody watching.
    pub fn new(api_url: impl Into<String>) -> Self {
        Settings {
            api_url: api_url.into(),
            token: None,
            concurrency: 8,
            timeout: Duration::from_secs(30),
            observer: Arc::new(Unobserved),
        }
    }

    pub(super) fn checked_api_url(&self) -> Result<Url, SettingsError> {
        let url = Url::parse(&self.api_url).map_err(|error| SettingsError::Address(error.to_string()))?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            let wrong =
                "it must begin with http:// or https:// and hold no user name, password, query or fragment";
            return Err(SettingsError::Address(wrong.to_owned()));
        }
        Ok(url)
    }
}

/// What is wrong with the settings; the operator must change them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address cannot be used.
    #[error("the API address cannot be used: {0}")]
    Address(String),
    /// The token has characters that no header may hold.
    #[error("the token holds characters that cannot be sent")]
    Token,
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Told of every request, so that metrics need no part in this crate. Must not block.
pub trait Observer: Send + Sync {
    /// A request ended.
    fn answered(&self, outcome: Outcome);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn answered(&self, _outcome: Outcome) {}
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With this status.
    Status(u16),
    /// No connection could be made.
    Unreachable,
    /// No whole answer in time.
    TimedOut,
    /// The connection ended within the answer, or the answer was too large.
    Broken,
}

impl fmt::Display for Outcome {
    /// As a label: `200`, `unreachable`, `timed_out`, `broken`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Status(status) => write!(f, "{status}"),
            Outcome::Unreachable => f.write_str("unreachable"),
            Outcome::TimedOut => f.write_str("timed_out"),
            Outcome::Broken => f.write_str("broken"),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("api_url", &self.api_url)
            .field("has_token", &self.token.is_some())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
