//! The table of settings: names, defaults and what they mean. Flags, variables, the file's keys and
//! docs/reference/settings.md all come from here.

/// A setting.
pub(crate) struct Setting {
    /// Its key in `tallyhook.toml`; the flag is `--` and this with dashes, the variable `TALLYHOOK_` and
    /// this in capitals.
    pub(crate) name: &'static str,
    /// What it is when nothing sets it; empty means none.
    pub(crate) default: &'static str,
    /// The default in words, where the value says too little.
    pub(crate) default_words: Option<&'static str>,
    /// Whether it may be given as the path of a file that holds it, and is never shown.
    pub(crate) is_secret: bool,
    /// What it means, for people.
    pub(crate) about: &'static str,
}

const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, default_words: None, is_secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Setting {
    Setting { name, default: "", default_words: Some("none"), is_secret: true, about }
}

/// Every setting, in the order of the reference page.
pub(crate) const TABLE: &[Setting] = &[
    plain("listen", "127.0.0.1:8080", "Address for webhooks and the API."),
    plain(
        "ops_listen",
        "127.0.0.1:9464",
        "Address for `/metrics`, `/healthz`, `/readyz` and the admin routes.",
    ),
    plain(
        "ops_url",
        "http://127.0.0.1:9464",
        "Where `track`, `backfill`, `dead-letters` and the like find a running process.",
    ),
    plain("data_dir", "./data", "Folder of the embedded log and store."),
    Setting {
        name: "log",
        default: "embedded:",
        default_words: Some("`embedded:` (in the data folder)"),
        is_secret: true,
        about: "Where the log is: `embedded:`, or `kafka://host:9092[,host…]/topic[?name=value…]` with settings of \
                librdkafka (TLS, SASL). Log and store are both in the data folder or both in a cluster.",
    },
    Setting {
        name: "store",
        default: "embedded:",
        default_words: Some("`embedded:` (in the data folder)"),
        is_secret: true,
        about: "Where the store is: `embedded:`, or `scylla://[user:password@]host:9042[,host…]/keyspace`, which is \
                ScyllaDB or Apache Cassandra.",
    },
    plain(
        "log_retention",
        "30d",
        "How long the log of a data folder keeps what was delivered and answered. Before older records go, the rows that \
         were made of them are appended as a base, from which rows can be built anew; commands stay. `off`: for ever. \
         Kafka keeps everything: its topic must have `retention.ms=-1`.",
    ),
    plain(
        "log_retention_bytes",
        "off",
        "How large the log of a data folder may become, such as `20GiB`, before its oldest records go the same way.",
    ),
    secret(
        "webhook_secret",
        "Secret with which GitHub signs deliveries; read again on SIGHUP and when its file changes. With none, `serve` \
         makes one, keeps it in the data folder and says where; in a cluster it must be set.",
    ),
    secret("webhook_secret_previous", "The secret before it, accepted too while hooks are being changed."),
    Setting {
        name: "github_token",
        default: "",
        default_words: Some("`GITHUB_TOKEN`, else none"),
        is_secret: true,
        about: "Token for GitHub's API. Without one GitHub allows 60 requests an hour, and no GraphQL. Several with \
                commas between them are used in turn; webhooks and `@me` are the first one's.",
    },
    Setting {
        name: "github_app_id",
        default: "",
        default_words: Some("none"),
        is_secret: false,
        about: "Id, or client id, of a GitHub App: accounts on which it is installed are asked about with its \
                installations' tokens, each of which has limits of its own; all others with the token, or where there is \
                none with any installation's. With its key; `/setup` on the ops address makes one.",
    },
    Setting {
        name: "github_app_private_key",
        default: "",
        default_words: Some("none"),
        is_secret: true,
        about: "The App's private key: the PEM file that GitHub gave, or what is in it.",
    },
    plain("github_api_url", "https://api.github.com", "GitHub's API; or a GHES, or a fake."),
    plain("github_concurrency", "8", "Requests to GitHub in flight."),
    plain(
        "repair_share",
        "20%",
        "Part of each of GitHub's hourly limits that only the repair of numbers in doubt may spend, so that loading \
         accounts never starves it; `off`: none.",
    ),
    plain("bitbucket_api_url", "https://api.bitbucket.org", "Bitbucket's API; or a fake."),
    secret("bitbucket_token", "Token for Bitbucket's API. Without one Bitbucket allows 60 requests an hour."),
    plain("bitbucket_concurrency", "8", "Requests to Bitbucket in flight."),
    Setting {
        name: "track",
        default: "",
        default_words: Some("none"),
        is_secret: false,
        about: "Logins to keep from the start, comma-separated; `@me` is the token's owner. The first is the \
                default of `/githubPayload`.",
    },
    plain("track_on_read", "true", "Whether an unknown account that somebody reads is kept from then on."),
    plain(
        "track_on_read_per_hour",
        "600",
        "So many accounts an hour at most are kept because they were read.",
    ),
    plain("read_limit", "off", "GETs per client address, such as `600/min`."),
    plain(
        "write_limit",
        "60/min",
        "Requests per client address to our API's POST routes; never `/webhooks`.",
    ),
    plain("key_limit", "600/min", "Requests per API key of `/repos/{owner}/{repo}/starneighbours`."),
    Setting {
        name: "trusted_proxies",
        default: "",
        default_words: Some("none"),
        is_secret: false,
        about: "Networks whose `X-Forwarded-For` is believed, comma-separated, such as `10.0.0.0/8`.",
    },
    secret("api_token", "When set, our API wants it as a bearer token."),
    secret(
        "admin_token",
        "When set, the admin routes on the ops address want it as a bearer token; they stay shut on an ops \
         address that is not loopback without one.",
    ),
    plain("cors_origins", "*", "Origins that browsers may read the API from, comma-separated."),
    plain(
        "recount",
        "true",
        "Whether what a delivery leaves in doubt (a forced push, a gap between two) is asked for within seconds. Without it \
         such a number is not called complete until the sweep has asked.",
    ),
    plain(
        "reconcile",
        "24h",
        "The sweep interval: everything about every account is asked again this often. `off` ends it.",
    ),
    plain(
        "deliveries_poll",
        "60s",
        "How often it is looked through what our webhooks have sent, as GitHub remembers it for three days, for \
         deliveries that we did not acknowledge: those are taken from there. Of the webhooks that the token may \
         administer, of accounts that are kept; with more than ten the interval stretches. `off` ends it.",
    ),
    plain(
        "pull",
        "false",
        "Whether every delivery is taken so, acknowledged or not: then nothing of ours needs to be reached from GitHub. \
         The webhook's address may be any, such as `https://example.invalid/webhooks/github`.",
    ),
    Setting {
        name: "hook_url",
        default: "",
        default_words: Some("any host, `/webhooks/github`"),
        is_secret: false,
        about: "The address that our webhooks send to, by which they are known among others.",
    },
    plain(
        "latest_poll",
        "60s",
        "How often the newest public repositories (`/repos`, `/stats`) are asked for; without a token at most every \
         30 minutes. They take up to half of the token's requests. `off` ends it, and these paths with it.",
    ),
    plain(
        "gist_poll",
        "15m",
        "How often the gists of a user (`/latestgists`, `/v1/accounts/{login}/gists`) are asked for; those of a quiet one \
         up to four times less often. `off` ends it.",
    ),
    Setting {
        name: "gists_since",
        default: "",
        default_words: Some("none"),
        is_secret: false,
        about: "Gists that were made before this are neither shown nor sent, such as `2026-11-21T10:00:00Z`: for moving \
                over without posting again what is already there.",
    },
    Setting {
        name: "pipedrive_api_url",
        default: "",
        default_words: Some("none"),
        is_secret: false,
        about: "Where the files of users' new gists are sent: `https://COMPANY.pipedrive.com`, without `/api/v2`. Nothing \
                is sent without it and its token.",
    },
    secret("pipedrive_token", "Token for Pipedrive's API, sent as `x-api-token`."),
    plain(
        "outbox_unknown_wait",
        "2m",
        "How long a call to Pipedrive whose outcome is not known waits before the activity is searched for; twice, before \
         it is made again.",
    ),
    plain("cache_bytes", "256MiB", "Memory for ready answers."),
    plain("shutdown_timeout", "10s", "How long requests in flight get at the end."),
    Setting {
        name: "log_format",
        default: "",
        default_words: Some("`text` on a terminal, else `json`"),
        is_secret: false,
        about: "`text` or `json`. `RUST_LOG` chooses what is logged.",
    },
];

impl Setting {
    /// `--data-dir`
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.long())
    }

    /// `data-dir`
    pub(crate) fn long(&self) -> String {
        self.name.replace('_', "-")
    }

    /// `TALLYHOOK_DATA_DIR`
    pub(crate) fn variable(&self) -> String {
        format!("TALLYHOOK_{}", self.name.to_uppercase())
    }

    /// The default, in words where it says too little.
    pub(crate) fn shown_default(&self) -> &'static str {
        self.default_words.unwrap_or(self.default)
    }

    /// How errors name it.
    pub(crate) fn both(&self) -> String {
        format!("{} ({})", self.flag(), self.variable())
    }
}

/// The setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// The reference page.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         *Generated by `cargo xtask docs` from `tallyhook/src/settings/table.rs`.*\n\n\
         A flag wins over a variable, a variable over `tallyhook.toml` (`--config FILE`), that over the default. \
         Keys of the file are the names below without `TALLYHOOK_`, in lower case. Durations are `500ms`, `1s`, \
         `15m`, `24h`, `90d`; sizes `64KiB`, `256MiB`; `off` ends a poll or a limit. Every secret may be given as a \
         file instead: `TALLYHOOK_…_FILE`, `--…-file`. More than two webhook secrets are `[[webhook_secret]]` tables \
         in the file, each with a `name` (the label of its metric) and a `secret` or `secret_file`.\n\n\
         `tallyhook config` shows the merged settings and where each came from.\n\n\
         | variable | flag | default | meaning |\n|---|---|---|---|\n",
    );
    for setting in TABLE {
        let default = match setting.default_words {
            Some(words) => words.to_owned(),
            None => format!("`{}`", setting.default),
        };
        let twin = if setting.is_secret { " (or `…_FILE`)" } else { "" };
        page.push_str(&format!(
            "| `{}`{twin} | `{}` | {default} | {} |\n",
            setting.variable(),
            setting.flag(),
            setting.about
        ));
    }
    page
}
