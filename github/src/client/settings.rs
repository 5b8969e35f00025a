//! What a client is told when it is made: where GitHub is, with which token, how much at once, and who
//! watches.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{
    app::AppSettings,
    limits::RateBudget,
    spender::{Reserve, Spender},
};

/// How to reach GitHub.
pub struct Settings {
    /// The API's address: `https://api.github.com`, a GHES's `https://host/api/v3`, or a look-alike.
    pub api_url: String,
    /// Sent as bearer tokens. Each has limits of its own; the first is asked with where the answer depends on
    /// whose it is. Without one GitHub allows 60 requests an hour, and no GraphQL.
    pub tokens: Vec<SecretString>,
    /// The App as which is asked about accounts on which it is installed; and about all others, where there is no
    /// token.
    pub app: Option<AppSettings>,
    /// What of every limit only repair may spend.
    pub reserve: Reserve,
    /// How many requests may be in flight.
    pub concurrency: usize,
    /// How long things may take.
    pub timing: Timing,
    /// Who is told of requests and budgets.
    pub observer: Arc<dyn Observer>,
}

impl Settings {
    /// Settings with the usual timing and reserve, 8 requests at once, no token and nobody watching.
    pub fn new(api_url: impl Into<String>) -> Self {
        Settings {
            api_url: api_url.into(),
            tokens: Vec::new(),
            app: None,
            reserve: Reserve::default(),
            concurrency: 8,
            timing: Timing::default(),
            observer: Arc::new(Unobserved),
        }
    }

    pub(crate) fn checked_api_url(&self) -> Result<Url, SettingsError> {
        let url = Url::parse(&self.api_url).map_err(|error| SettingsError::Address(error.to_string()))?;
        let wrong = if !matches!(url.scheme(), "http" | "https") {
            Some("it must begin with http:// or https://")
        } else if !url.username().is_empty() || url.password().is_some() {
            Some("it must not hold a user name or password")
        } else if url.query().is_some() || url.fragment().is_some() {
            Some("it must not hold a query or fragment")
        } else {
            None
        };
        match wrong {
            Some(wrong) => Err(SettingsError::Address(wrong.to_owned())),
            None => Ok(url),
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until an answer is there whole; GitHub itself gives up after 10 s.
    pub whole_timeout: Duration,
    /// Between two questions for an answer that is being computed (202).
    pub accepted_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            connect_timeout: Duration::from_secs(5),
            whole_timeout: Duration::from_secs(30),
            accepted_pause: Duration::from_secs(1),
        }
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
    /// Nothing could ever be sent.
    #[error("at least one request must be allowed in flight")]
    NoConcurrency,
    /// TLS cannot be set up on this machine.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Told of every request, so that metrics need no part in this crate. Must not block.
pub trait Observer: Send + Sync {
    /// A request ended. `resource` is the rate limit that it counts against, out of a closed list.
    fn answered(&self, resource: &'static str, outcome: Outcome);
    /// GitHub told how much is left; of all tokens together.
    fn budget(&self, budget: RateBudget);
    /// An answer took so much of a limit: a request, or points of GraphQL.
    fn spent(&self, resource: &'static str, spender: Spender, count: u64);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn answered(&self, _resource: &'static str, _outcome: Outcome) {}
    fn budget(&self, _budget: RateBudget) {}
    fn spent(&self, _resource: &'static str, _spender: Spender, _count: u64) {}
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
            .field("tokens", &self.tokens.len())
            .field("app", &self.app)
            .field("reserve", &self.reserve)
            .field("concurrency", &self.concurrency)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_used_are_refused_with_the_reason() {
        for good in ["https://api.github.com", "https://ghe.example/api/v3", "http://127.0.0.1:8080/"] {
            assert!(Settings::new(good).checked_api_url().is_ok(), "{good}");
        }
        for (bad, reason) in [
            ("api.github.com", "relative URL without a base"),
            ("ftp://a.b", "http:// or https://"),
            ("https://me:hush@a.b", "user name or password"),
            ("https://a.b?x=1", "query or fragment"),
        ] {
            let error = Settings::new(bad).checked_api_url().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
            assert!(!error.contains("hush"));
        }
    }

    #[test]
    fn the_token_is_never_shown() {
        let settings = Settings { tokens: vec!["hush".into()], ..Settings::new("https://a.b") };
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
