//! Settings: one table of names, read from flags, variables, a file and defaults, in that order, and the
//! typed values that the roles use.

mod github_app;
mod secret;
pub(crate) mod source;
pub(crate) mod table;
mod value;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use boot::telemetry::LogFormat;
use domain::Second;
use github::client::{AppSettings, Reserve};
use ipnet::IpNet;
use query_api::Quota;
use secrecy::SecretString;

use crate::places::{self, Places, Wrong};
pub(crate) use source::{Origin, Raw};
pub(crate) use value::Invalid;

/// What was set wrongly; the sentence names the flag and the variable. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SettingsError(pub(crate) String);

/// Everything that can be set, as the roles use it.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) ops_listen: Vec<SocketAddr>,
    pub(crate) ops_url: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) log_retention: Option<Duration>,
    pub(crate) log_retention_bytes: Option<u64>,
    pub(crate) places: Places,
    pub(crate) webhook_secrets: Vec<(String, SecretString)>,
    pub(crate) github_tokens: Vec<SecretString>,
    pub(crate) github_app: Option<AppSettings>,
    pub(crate) repair_share: Reserve,
    pub(crate) github_api_url: String,
    pub(crate) github_concurrency: usize,
    pub(crate) bitbucket_api_url: String,
    pub(crate) bitbucket_token: Option<SecretString>,
    pub(crate) bitbucket_concurrency: usize,
    pub(crate) track: Vec<String>,
    pub(crate) track_on_read: bool,
    pub(crate) track_on_read_per_hour: u32,
    pub(crate) read_limit: Option<Quota>,
    pub(crate) write_limit: Option<Quota>,
    pub(crate) key_limit: Option<Quota>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) api_token: Option<SecretString>,
    pub(crate) admin_token: Option<SecretString>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) recount: bool,
    pub(crate) reconcile: Option<Duration>,
    pub(crate) deliveries_poll: Option<Duration>,
    pub(crate) pull: bool,
    pub(crate) hook_url: Option<String>,
    pub(crate) latest_poll: Option<Duration>,
    pub(crate) gist_poll: Option<Duration>,
    pub(crate) gists_since: Option<Second>,
    pub(crate) pipedrive_api_url: Option<String>,
    pub(crate) pipedrive_token: Option<SecretString>,
    pub(crate) outbox_unknown_wait: Duration,
    pub(crate) cache_bytes: usize,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) log_format: LogFormat,
}

impl Settings {
    /// Reads the typed values.
    pub(crate) fn read(raw: &Raw) -> Result<Self, SettingsError> {
        Ok(Settings {
            listen: raw.value("listen", value::addresses)?,
            ops_listen: raw.value("ops_listen", value::addresses)?,
            ops_url: raw.value("ops_url", value::url)?,
            data_dir: raw.value("data_dir", value::path)?,
            log_retention: raw.value("log_retention", value::duration_or_off)?,
            log_retention_bytes: raw.value("log_retention_bytes", value::bytes_or_off)?,
            places: places(raw)?,
            webhook_secrets: secret::webhook_secrets(raw)?,
            github_tokens: secret::list(raw, "github_token")?,
            github_app: github_app::read(raw)?,
            repair_share: raw.value("repair_share", value::share)?,
            github_api_url: raw.value("github_api_url", value::url)?,
            github_concurrency: raw.value("github_concurrency", value::count)?,
            bitbucket_api_url: raw.value("bitbucket_api_url", value::url)?,
            bitbucket_token: secret::read(raw, "bitbucket_token")?,
            bitbucket_concurrency: raw.value("bitbucket_concurrency", value::count)?,
            track: raw.value("track", value::list)?,
            track_on_read: raw.value("track_on_read", value::boolean)?,
            track_on_read_per_hour: raw.value("track_on_read_per_hour", value::number)?,
            read_limit: raw.value("read_limit", value::quota)?,
            write_limit: raw.value("write_limit", value::quota)?,
            key_limit: raw.value("key_limit", value::quota)?,
            trusted_proxies: raw.value("trusted_proxies", value::networks)?,
            api_token: secret::read(raw, "api_token")?,
            admin_token: secret::read(raw, "admin_token")?,
            cors_origins: raw.value("cors_origins", value::list)?,
            recount: raw.value("recount", value::boolean)?,
            reconcile: raw.value("reconcile", value::duration_or_off)?,
            deliveries_poll: raw.value("deliveries_poll", value::duration_or_off)?,
            pull: raw.value("pull", value::boolean)?,
            hook_url: raw.value("hook_url", value::url_or_none)?,
            latest_poll: raw.value("latest_poll", value::duration_or_off)?,
            gist_poll: raw.value("gist_poll", value::duration_or_off)?,
            gists_since: raw.value("gists_since", value::second_or_none)?,
            pipedrive_api_url: raw.value("pipedrive_api_url", value::url_or_none)?,
            pipedrive_token: secret::read(raw, "pipedrive_token")?,
            outbox_unknown_wait: raw.value("outbox_unknown_wait", value::duration)?,
            cache_bytes: raw.value("cache_bytes", value::bytes)?,
            shutdown_timeout: raw.value("shutdown_timeout", value::duration)?,
            log_format: raw.value("log_format", value::log_format)?,
        })
    }

    /// Every setting with its value and where it came from, secrets hidden.
    pub(crate) fn shown(raw: &Raw) -> BTreeMap<&'static str, (String, Origin)> {
        table::TABLE
            .iter()
            .map(|setting| {
                let (value, origin) = raw.get(setting.name);
                let value = match (setting.name, setting.is_secret, value.is_empty()) {
                    // An address may hold a password among what a person wants to see.
                    ("log" | "store", ..) => places::shown(value),
                    (_, true, false) => "(hidden)".to_owned(),
                    _ => value.to_owned(),
                };
                (setting.name, (value, origin))
            })
            .collect()
    }
}

/// Where log and store are; an error never repeats an address, which may hold a password.
fn places(raw: &Raw) -> Result<Places, SettingsError> {
    let both = |name: &str| table::find(name).map_or_else(|| name.to_owned(), table::Setting::both);
    let (log, store) = (raw.get("log"), raw.get("store"));
    Places::read(log.0, store.0).map_err(|wrong| {
        SettingsError(match wrong {
            Wrong::Log(why) => format!("{}, from {}: {why}", both("log"), log.1),
            Wrong::Store(why) => format!("{}, from {}: {why}", both("store"), store.1),
            Wrong::Together => format!(
                "{} and {}: log and store are both in the data folder (`embedded:`) or both in a cluster",
                both("log"),
                both("store")
            ),
        })
    })
}
