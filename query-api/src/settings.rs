//! What people may choose about the query API. Parsing of flags and files is the binary's.

use std::time::Duration;

use governor::Quota;
use ipnet::IpNet;
use secrecy::SecretString;

/// What people may choose.
#[derive(Debug, Clone)]
pub struct QuerySettings {
    /// The logins to keep from the start; `/githubPayload` without a user shows the first.
    pub track: Vec<String>,
    /// Whether an unknown account that somebody reads is tracked.
    pub track_on_read: bool,
    /// How many accounts may become tracked so within any hour; `None`: as many as are read.
    pub track_on_read_per_hour: Option<u32>,
    /// The sweep interval; what was checked longer ago than twice this is not called complete. `None`: there
    /// is no sweep, and age alone says nothing.
    pub reconcile: Option<Duration>,
    /// How often the newest public repositories are asked for; `None`: they are not followed, and not shown.
    pub latest_poll: Option<Duration>,
    /// Ready bytes kept in memory.
    pub cache_bytes: usize,
    /// How long a kept row is trusted without looking at the store again. `None` where hints come from this
    /// process and cannot be lost unnoticed; 30 s in a cluster.
    pub cache_age_max: Option<Duration>,
    /// How long the first reader of an account waits for it.
    pub first_read_wait: Duration,
    /// How long a command waits for its effect.
    pub command_wait: Duration,
    /// When set, public data needs it as a Bearer token.
    pub api_token: Option<SecretString>,
    /// When set, admin routes need it as a Bearer token.
    pub admin_token: Option<SecretString>,
    /// How often one client address may read.
    pub read_limit: Option<Quota>,
    /// How often one client address may write.
    pub write_limit: Option<Quota>,
    /// How often one API key may ask.
    pub key_limit: Option<Quota>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which web pages may read answers.
    pub cors_origins: CorsOrigins,
}

/// Which web pages may read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All.
    Any,
    /// Those of these origins, compared exactly (`https://example.org`); none if empty.
    Only(Vec<String>),
}

impl Default for QuerySettings {
    fn default() -> Self {
        QuerySettings {
            track: Vec::new(),
            track_on_read: true,
            track_on_read_per_hour: Some(600),
            reconcile: Some(Duration::from_secs(24 * 60 * 60)),
            latest_poll: Some(Duration::from_secs(60)),
            cache_bytes: 256 * 1024 * 1024,
            cache_age_max: None,
            first_read_wait: Duration::from_secs(2),
            command_wait: Duration::from_secs(5),
            api_token: None,
            admin_token: None,
            read_limit: None,
            write_limit: None,
            key_limit: Some(crate::api_keys::usual_limit()),
            trusted_proxies: Vec::new(),
            cors_origins: CorsOrigins::Any,
        }
    }
}
