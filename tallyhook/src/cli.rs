//! The command line: subcommands here, settings' flags from their table.

use std::{path::PathBuf, time::Duration};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand, value_parser};

use crate::{failure::Failure, settings::table::TABLE};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Call {
    /// Show everything in one process against a built-in fake GitHub: no token, no account, no network
    Demo(DemoArguments),
    /// Run for real: webhooks in, payloads out, all in this process
    Serve,
    /// One role of a cluster: take deliveries in
    Ingest,
    /// One role of a cluster: fold the log, and ask forges for the partitions it holds
    Projector,
    /// One role of a cluster: answer readers, take commands
    QueryApi,
    /// Make or upgrade the topics and the schema of a cluster; safe to repeat
    Migrate {
        /// How many partitions a new log has; never changes afterwards
        #[arg(long, default_value_t = 12, value_parser = value_parser!(u16).range(1..=1_000))]
        partitions: u16,
        /// How many servers hold each record and row that is kept in what is made; by default three where there are as many
        #[arg(long)]
        replication: Option<u16>,
    },
    /// Drop the rows of older generations in a cluster, once no process of an older release runs; refused before this
    /// one has caught up with the log
    Retire,
    /// Move a stopped data folder to a cluster that `migrate` has made and nothing else has used. A copy that was
    /// interrupted is begun again with the same words
    Copy {
        /// The folder: embedded:DIR
        #[arg(long, value_name = "embedded:DIR")]
        from: String,
        /// The cluster's log and store: kafka://HOST:PORT/TOPIC,scylla://HOST:PORT/KEYSPACE
        #[arg(long, value_name = "kafka://…,scylla://…")]
        to: String,
    },
    /// The lives of the log's offsets
    Epoch {
        /// What to do
        #[command(subcommand)]
        action: Epoch,
    },
    /// Start keeping accounts
    Track {
        /// Logins; `@me` is the token's owner
        #[arg(required = true)]
        logins: Vec<String>,
    },
    /// Stop keeping accounts; they stay muted until they are tracked again
    Untrack {
        /// Logins
        #[arg(required = true)]
        logins: Vec<String>,
    },
    /// List the accounts that are kept, since when, and how complete they are
    Accounts,
    /// Read an account anew from GitHub, now
    Backfill {
        /// The account's login
        login: String,
        /// Only tell what it would cost; send nothing
        #[arg(long)]
        plan: bool,
    },
    /// Erase everything about an account: rows, what the log holds of it, ready answers. It stays muted until it is
    /// tracked again
    Forget {
        /// The account's login
        login: String,
        /// Do not ask whether that is meant
        #[arg(long)]
        yes: bool,
        /// For people or for programs
        #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
        format: DoctorFormat,
    },
    /// Write a copy of a running process's data folder, of one moment and checked by opening it
    Backup {
        /// The folder to make, on the machine of that process
        dir: PathBuf,
    },
    /// Deliveries that could not be folded into the numbers
    DeadLetters {
        /// What to do with them
        #[command(subcommand)]
        action: DeadLetters,
    },
    /// Files of new gists that could not be sent, or not yet
    Outbox {
        /// What to do with them
        #[command(subcommand)]
        action: Outbox,
    },
    /// API keys of readers
    Key {
        /// What to do with them
        #[command(subcommand)]
        action: Key,
    },
    /// Webhooks at GitHub
    Hook {
        /// What to do with them
        #[command(subcommand)]
        action: Hook,
    },
    /// Find what is wrong and say the fix: settings, disk, the running process, the token, webhooks. It pings the webhooks
    /// that it looks at. Exit 1 when something is broken
    Doctor {
        /// Whose webhooks: OWNER/REPO, or OWNER for an organisation; by default those of the organisations that are kept
        targets: Vec<String>,
        /// For people or for programs
        #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
        format: DoctorFormat,
    },
    /// Exit 0 when the process is ready; for containers without a shell
    Healthcheck {
        /// Where to look; by default `/readyz` at the ops address
        url: Option<String>,
    },
    /// Show the merged settings and where each came from, secrets hidden
    Config,
    /// Print a generated reference page
    #[command(hide = true)]
    Reference {
        /// Which
        page: Page,
    },
}

/// What the demo shows.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArguments {
    /// The history to show; the same number shows the same history
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many accounts to show
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(1..=200))]
    pub(crate) accounts: u16,
    /// How fast to show it: 2 is twice as fast
    #[arg(long, default_value_t = 1.0)]
    pub(crate) speed: f64,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List them
    List,
    /// Show one whole, with the delivery's body
    Show {
        /// As `list` shows it
        id: String,
    },
    /// Fold them again
    Retry {
        /// As `list` shows them
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Give them up
    Drop {
        /// As `list` shows them
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// What to do with files that are not sent.
#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// List them
    List,
    /// Show one whole
    Show {
        /// As `list` shows it
        id: String,
    },
    /// Send refused ones again
    Retry {
        /// As `list` shows them
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Give them up
    Drop {
        /// As `list` shows them
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make one; the last line printed is the key, which is shown this once
    Create {
        /// What it is for
        name: String,
        /// Whom to write to about it
        email: String,
        /// For how long it works, such as 90d; without it, until it is revoked
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
    },
    /// List them, without the keys themselves
    List,
    /// End one, now
    Revoke {
        /// As `list` shows it
        id: String,
    },
}

/// What to do about the log's epochs.
#[derive(Debug, Subcommand)]
pub(crate) enum Epoch {
    /// Begin a new one, after the log was lost or replaced: it is folded again, and counts from then on. Stop every
    /// process first
    Open,
}

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum Hook {
    /// Create the webhook at GitHub with our secret and events, and ping it
    Add {
        /// OWNER for an organisation, OWNER/REPO for a repository
        target: String,
        /// Where GitHub reaches this Tallyhook, such as https://example.org/webhooks/github
        #[arg(long)]
        url: String,
    },
    /// List the webhooks there
    List {
        /// OWNER for an organisation, OWNER/REPO for a repository
        target: String,
    },
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A generated page.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Page {
    Settings,
    Metrics,
    Openapi,
}

impl Call {
    /// What the command line asks for.
    pub(crate) fn read(matches: &ArgMatches) -> Result<Self, Failure> {
        Call::from_arg_matches(matches).map_err(|error| Failure::Usage(error.to_string()))
    }
}

/// The whole command line.
pub(crate) fn command() -> Command {
    let command = Command::new("tallyhook")
        .version(env!("CARGO_PKG_VERSION"))
        .about("GitHub's webhooks in, ready numbers out")
        .after_help("Settings may be flags, TALLYHOOK_* variables, or keys of tallyhook.toml; see --help.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("Read settings from this file instead of ./tallyhook.toml"),
        );
    let command = TABLE.iter().fold(command, |command, setting| {
        let flag = Arg::new(setting.name)
            .long(setting.long())
            .value_name("VALUE")
            .global(true)
            .hide_short_help(true)
            .help_heading("Settings")
            .help(format!(
                "{} [{}] [default: {}]",
                setting.about,
                setting.variable(),
                setting.shown_default()
            ));
        let command = command.arg(flag);
        if !setting.is_secret {
            return command;
        }
        command.arg(
            Arg::new(format!("{}_file", setting.name))
                .long(format!("{}-file", setting.long()))
                .value_name("FILE")
                .global(true)
                .hide_short_help(true)
                .help_heading("Settings")
                .help(format!("A file that holds it [{}_FILE]", setting.variable())),
        )
    });
    Call::augment_subcommands(command)
}
