//! How clients of librdkafka are set up, and what becomes of what they say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{debug, error, info, warn};

use super::{
    address::KafkaAddress,
    settings::{KafkaLogSettings, KafkaObserver},
};

/// How often librdkafka tells its statistics; parsing them takes well under a millisecond.
const STATISTICS_EVERY_MS: &str = "5000";
/// The largest message: the largest delivery has 25 MiB, and what surrounds it needs room.
pub(super) const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// One sort of trouble is told at most so often; librdkafka repeats itself several times a second.
const TROUBLE_EVERY: Duration = Duration::from_secs(60);
/// Sorts of trouble that are told apart; what comes beyond is not told at all.
const TROUBLES_MAX: usize = 64;

/// Settings that only a consumer knows; a producer would warn about each.
const CONSUMER_ONLY: &[&str] = &[
    "group.instance.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "coordinator.query.interval.ms",
    "fetch.",
    "queued.",
    "max.partition.fetch.bytes",
];
/// Settings that only a producer knows.
const PRODUCER_ONLY: &[&str] = &[
    "linger.ms",
    "batch.",
    "compression.",
    "delivery.timeout.ms",
    "message.timeout.ms",
    "request.timeout.ms",
    "retry.backoff.",
    "queue.",
];

/// The settings of the client that appends (engineering notes in docs: every acknowledgement is that of all
/// in-sync replicas, a retry neither doubles nor reorders, and nothing waits for company).
pub(super) fn producer_config(address: &KafkaAddress, settings: &KafkaLogSettings) -> ClientConfig {
    let mut config = base_config(settings);
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "10000")
        .set("compression.type", "lz4")
        .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
        .set("queue.buffering.max.messages", "200000")
        // Ours is the bound that is told; this one only stands behind it.
        .set("queue.buffering.max.kbytes", (settings.waiting_bytes_max / 1024 + (8 << 10)).to_string())
        .set("delivery.timeout.ms", "120000")
        .set("request.timeout.ms", "5000")
        .set("statistics.interval.ms", STATISTICS_EVERY_MS);
    add_given(&mut config, address, CONSUMER_ONLY);
    // The producer's id is needed before the first message, and only this tells that it has one.
    let debug = config.get("debug").map_or_else(|| "eos".to_owned(), |given| format!("{given},eos"));
    config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
    config
}

/// What Kafka calls a group. Groups belong to the cluster, and two logs on one cluster have nothing to do with each
/// other.
pub(super) fn group_id(address: &KafkaAddress, group: &str) -> String {
    format!("{}.{group}", address.topic())
}

/// The settings of a member of a group.
pub(super) fn member_config(
    address: &KafkaAddress,
    settings: &KafkaLogSettings,
    group: &str,
) -> ClientConfig {
    let mut config = reader_config(address, settings);
    config
        .set("group.id", group)
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "30000")
        .set("max.poll.interval.ms", "120000")
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", "65536")
        .set("enable.partition.eof", "false")
        .set("statistics.interval.ms", STATISTICS_EVERY_MS);
    add_given(&mut config, address, PRODUCER_ONLY);
    config
}

/// The settings of a client that reads without being in a group.
pub(super) fn reader_config(address: &KafkaAddress, settings: &KafkaLogSettings) -> ClientConfig {
    let mut config = base_config(settings);
    config
        // librdkafka wants a name even where nothing is joined or committed.
        .set("group.id", format!("{}.read", address.topic()))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.min.bytes", "1")
        .set("fetch.message.max.bytes", "4194304")
        .set("receive.message.max.bytes", "100000000")
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "8192")
        .set("isolation.level", "read_uncommitted")
        .set("check.crcs", "true");
    add_given(&mut config, address, PRODUCER_ONLY);
    config.remove("group.instance.id");
    config
}

/// The settings of a client that only asks about topics or makes them.
pub(super) fn admin_config(address: &KafkaAddress, settings: &KafkaLogSettings) -> ClientConfig {
    let mut config = base_config(settings);
    let others: Vec<&str> = CONSUMER_ONLY.iter().chain(PRODUCER_ONLY).copied().collect();
    add_given(&mut config, address, &others);
    config
}

fn base_config(settings: &KafkaLogSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", &settings.client_id)
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("reconnect.backoff.max.ms", "2000")
        // What of it is kept is for whoever listens to `tracing` to say.
        .set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Adds what the address gives, except what this sort of client does not know.
fn add_given(config: &mut ClientConfig, address: &KafkaAddress, unknown: &[&str]) {
    for (name, value) in address.client_config().config_map() {
        let is_unknown = unknown
            .iter()
            .any(|prefix| name == *prefix || (prefix.ends_with('.') && name.starts_with(prefix)));
        if !is_unknown {
            config.set(name, value);
        }
        if name == "debug" {
            config.set_log_level(RDKafkaLogLevel::Debug);
        }
    }
}

/// Takes what a client says to the log of the process and to the observer.
pub(super) struct Voice {
    /// Which client speaks.
    name: &'static str,
    pub(super) observer: Option<Arc<dyn KafkaObserver>>,
    told: Mutex<HashMap<String, Told>>,
}

struct Told {
    at: Instant,
    untold: u64,
}

impl Voice {
    pub(super) fn new(name: &'static str, settings: &KafkaLogSettings) -> Self {
        Voice { name, observer: settings.observer.clone(), told: Mutex::default() }
    }

    /// A line of librdkafka. None of them holds a setting's value, except those about settings, which are not
    /// passed on: what can be wrong with them was told when the address was read.
    pub(super) fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility.starts_with("CONF") {
            return;
        }
        match level {
            RDKafkaLogLevel::Debug => debug!(client = self.name, facility, "{line}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => info!(client = self.name, facility, "{line}"),
            _ => self.trouble(facility, line),
        }
    }

    /// An error of a client; whether it is one that the client overcomes by itself.
    pub(super) fn error(&self, cause: &KafkaError, reason: &str) {
        if let Some(observer) = &self.observer {
            observer.trouble();
        }
        if cause.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            error!(client = self.name, reason, "the Kafka client cannot go on");
            return;
        }
        let sort = cause.rdkafka_error_code().map_or_else(|| cause.to_string(), |code| format!("{code:?}"));
        self.trouble(&sort, reason);
    }

    /// Tells one sort of trouble once a minute, and how often it was not told meanwhile.
    fn trouble(&self, sort: &str, reason: &str) {
        let mut told = self.told.lock().expect("nothing panics while it holds what was told");
        let now = Instant::now();
        if let Some(last) = told.get_mut(sort) {
            if now.duration_since(last.at) < TROUBLE_EVERY {
                last.untold += 1;
                return;
            }
        } else if told.len() >= TROUBLES_MAX {
            return;
        }
        let untold = told.insert(sort.to_owned(), Told { at: now, untold: 0 }).map_or(0, |last| last.untold);
        drop(told);
        warn!(client = self.name, sort, reason, untold, "Kafka is in trouble; it is tried again");
    }
}
