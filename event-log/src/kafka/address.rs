//! Where a log on Kafka is: `kafka://host:port[,host:port…]/topic[?name=value…]`.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use rdkafka::ClientConfig;

/// The port of a host that names none: Kafka's own.
const PORT_DEFAULT: u16 = 9092;
/// Kafka's bound on a topic's name.
const TOPIC_BYTES_MAX: usize = 249;

/// Brokers, topic, and settings of librdkafka for reaching them (TLS, SASL, time-outs).
///
/// It may hold passwords: neither `Display` nor `Debug` shows a setting's value.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaAddress {
    brokers: String,
    topic: String,
    settings: Vec<(String, String)>,
}

/// Why a text is not an address. Never repeats a setting's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl KafkaAddress {
    /// The topic that holds the log.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The brokers to ask first, `host:port[,host:port…]`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The same brokers and settings for another topic.
    ///
    /// # Errors
    /// The name is none that Kafka takes.
    pub fn with_topic(&self, topic: &str) -> Result<Self, BadAddress> {
        Ok(KafkaAddress { topic: parse_topic(topic)?, ..self.clone() })
    }

    /// What librdkafka needs to reach the brokers: for clients beside the log that use the same cluster.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config
    }
}

impl FromStr for KafkaAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let rest =
            text.strip_prefix("kafka://").ok_or_else(|| bad("a Kafka address starts with kafka://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, topic) = rest
            .split_once('/')
            .ok_or_else(|| bad("a Kafka address names its topic after the hosts: kafka://host:port/topic"))?;
        let brokers = hosts.split(',').map(parse_host).collect::<Result<Vec<_>, _>>()?.join(",");
        let address = KafkaAddress { brokers, topic: parse_topic(topic)?, settings: parse_settings(query)? };
        address.check_settings()?;
        Ok(address)
    }
}

impl fmt::Display for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.brokers, self.topic)
    }
}

impl fmt::Debug for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.settings.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("KafkaAddress")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("settings", &names)
            .finish()
    }
}

impl KafkaAddress {
    /// Asks librdkafka whether it knows these names and takes these values, so that a slip of the pen is told
    /// where it was made.
    fn check_settings(&self) -> Result<(), BadAddress> {
        for (name, value) in &self.settings {
            check_promise(name)?;
            check_build(name, value)?;
            let mut config = ClientConfig::new();
            config.set(name, value);
            // What librdkafka says may quote the value, so it is not repeated.
            if config.create_native_config().is_err() {
                return Err(bad(format!(
                    "librdkafka does not know the setting {name}, or not this value of it"
                )));
            }
        }
        Ok(())
    }
}

fn bad(sentence: impl Into<String>) -> BadAddress {
    BadAddress(sentence.into())
}

fn parse_host(host: &str) -> Result<String, BadAddress> {
    if host.contains('@') {
        return Err(bad(
            "a Kafka address holds no user and password before the hosts; give sasl.username and sasl.password \
             after the topic",
        ));
    }
    let (name, port) = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, ""),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c));
    let port = if port.is_empty() && name.len() == host.len() { Ok(PORT_DEFAULT) } else { port.parse() };
    match port {
        Ok(port) if is_name => Ok(format!("{name}:{port}")),
        _ => Err(bad(format!("{host:?} is no host:port"))),
    }
}

fn parse_topic(topic: &str) -> Result<String, BadAddress> {
    let is_name = !topic.is_empty()
        && topic.len() <= TOPIC_BYTES_MAX
        && topic != "."
        && topic != ".."
        && topic.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if is_name {
        return Ok(topic.to_owned());
    }
    Err(bad(format!(
        "{topic:?} is no name of a topic: up to {TOPIC_BYTES_MAX} letters, digits, dots, dashes and underscores"
    )))
}

fn parse_settings(query: &str) -> Result<Vec<(String, String)>, BadAddress> {
    let mut settings = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(bad("a setting of a Kafka address is written name=value"));
        };
        let decoded = |part| {
            let decoded = percent_decode_str(part).decode_utf8();
            decoded
                .map(|part| part.into_owned())
                .map_err(|_| bad("a setting of a Kafka address is not UTF-8"))
        };
        settings.push((decoded(name)?, decoded(value)?));
    }
    Ok(settings)
}

/// Refuses what Tallyhook sets itself because a promise hangs on it.
fn check_promise(name: &str) -> Result<(), BadAddress> {
    let reason = match name {
        "acks" | "request.required.acks" => "an answer to the forge means that all in-sync replicas have it",
        "enable.idempotence"
        | "max.in.flight"
        | "max.in.flight.requests.per.connection"
        | "retries"
        | "message.send.max.retries"
        | "enable.gapless.guarantee"
        | "queuing.strategy" => "the order of a stream and the absence of doubles hang on it",
        "transactional.id" => "Tallyhook appends without transactions",
        "partitioner" | "partitioner_cb" | "sticky.partitioning.linger.ms" => {
            "a stream's partition is chosen by Tallyhook's own hash"
        }
        "enable.auto.commit"
        | "auto.commit.enable"
        | "auto.commit.interval.ms"
        | "enable.auto.offset.store" => "offsets are committed only after what they stand for is written",
        "auto.offset.reset" => "a lost offset is refused and never skipped",
        "group.id" | "group.protocol" | "partition.assignment.strategy" | "group.remote.assignor" => {
            "groups are joined the way that handing over partitions needs"
        }
        "isolation.level" | "check.crcs" | "enable.partition.eof" | "allow.auto.create.topics" => {
            "reading everything exactly once hangs on it"
        }
        "message.max.bytes" | "max.message.bytes" | "receive.message.max.bytes" => {
            "the largest delivery must fit"
        }
        "queue.buffering.max.messages" | "queue.buffering.max.kbytes" | "queue.buffering.max.ms" => {
            "the memory of what waits to be appended is bounded by Tallyhook"
        }
        "bootstrap.servers" | "metadata.broker.list" => "the brokers stand before the topic",
        "client.id" | "statistics.interval.ms" => "metrics are told apart by it",
        "plugin.library.paths" => "no foreign code is loaded",
        _ => return Ok(()),
    };
    Err(bad(format!("the setting {name} cannot be given in a Kafka address: {reason}")))
}

/// Refuses what only a build with TLS can do, before librdkafka gives a riddle for a reason.
fn check_build(name: &str, value: &str) -> Result<(), BadAddress> {
    if matches!(name, "sasl.mechanism" | "sasl.mechanisms") {
        let mechanism = value.to_ascii_uppercase();
        if mechanism == "OAUTHBEARER" || mechanism == "GSSAPI" {
            return Err(bad(format!("{mechanism} is not supported; use PLAIN or SCRAM over TLS")));
        }
    }
    let is_tls = name.starts_with("ssl.")
        || name == "enable.ssl.certificate.verification"
        || (name == "security.protocol" && value.to_ascii_lowercase().contains("ssl"))
        || (name.starts_with("sasl.mechanism") && value.to_ascii_uppercase().starts_with("SCRAM"));
    if is_tls && cfg!(not(feature = "kafka-tls")) {
        return Err(bad(format!(
            "the setting {name} asks for TLS or SCRAM, and this build has neither for Kafka: build it with the \
             feature kafka-tls"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<KafkaAddress, String> {
        text.parse::<KafkaAddress>().map_err(|error| error.to_string())
    }

    #[test]
    fn hosts_topic_and_settings_are_told_apart() {
        let address = parsed(
            "kafka://one:9093,two,[::1]:9095/events.v1?sasl.username=a%26b&sasl.password=p%3Dw&client.rack=x",
        )
        .unwrap();
        assert_eq!(address.brokers(), "one:9093,two:9092,[::1]:9095");
        assert_eq!(address.topic(), "events.v1");
        let config = address.client_config();
        assert_eq!(config.get("sasl.username"), Some("a&b"));
        assert_eq!(config.get("sasl.password"), Some("p=w"));
        assert_eq!(config.get("client.rack"), Some("x"));
        assert_eq!(parsed("kafka://[::1]/t").unwrap().brokers(), "[::1]:9092");
    }

    #[test]
    fn no_value_is_shown() {
        let address = parsed("kafka://one:9093/events?sasl.username=ann&sasl.password=hunter2").unwrap();
        assert_eq!(address.to_string(), "kafka://one:9093/events");
        let shown = format!("{address:?}");
        assert!(
            shown.contains("sasl.password") && !shown.contains("hunter2") && !shown.contains("ann"),
            "{shown}"
        );
        for text in [
            "kafka://one/events?session.timeout.ms=hunter2",
            "kafka://one/events?sasl.pasword=hunter2",
            "kafka://one/events?acks=hunter2",
            "kafka://ann:hunter2@one/events",
        ] {
            let refusal = parsed(text).unwrap_err();
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("http://one/events", "starts with kafka://"),
            ("kafka://one", "names its topic"),
            ("kafka:///events", "is no host:port"),
            ("kafka://one:x/events", "is no host:port"),
            ("kafka://one:/events", "is no host:port"),
            ("kafka://one,/events", "is no host:port"),
            ("kafka://ann:secret@one/events", "no user and password"),
            ("kafka://one/", "is no name of a topic"),
            ("kafka://one/a b", "is no name of a topic"),
            ("kafka://one/..", "is no name of a topic"),
            ("kafka://one/events?tls", "name=value"),
            ("kafka://one/events?no.such.setting=1", "does not know the setting no.such.setting"),
            ("kafka://one/events?session.timeout.ms=soon", "not this value"),
            ("kafka://one/events?sasl.mechanism=OAUTHBEARER", "is not supported"),
        ] {
            let refusal = parsed(text).unwrap_err();
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }

    #[test]
    fn settings_that_would_break_a_promise_are_refused() {
        for name in [
            "acks",
            "enable.idempotence",
            "enable.auto.commit",
            "auto.offset.reset",
            "max.in.flight",
            "partitioner",
            "message.max.bytes",
            "group.id",
            "transactional.id",
        ] {
            let refusal = parsed(&format!("kafka://one/events?{name}=1")).unwrap_err();
            assert!(refusal.starts_with(&format!("the setting {name} cannot be given")), "{refusal}");
        }
    }

    #[cfg(not(feature = "kafka-tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        for setting in
            ["security.protocol=SASL_SSL", "ssl.ca.location=/ca.pem", "sasl.mechanism=SCRAM-SHA-512"]
        {
            let refusal = parsed(&format!("kafka://one/events?{setting}")).unwrap_err();
            assert!(refusal.contains("feature kafka-tls"), "{refusal}");
        }
    }

    #[cfg(feature = "kafka-tls")]
    #[test]
    fn a_build_with_tls_takes_its_settings() {
        parsed("kafka://one/events?security.protocol=SASL_SSL&sasl.mechanism=SCRAM-SHA-512").unwrap();
    }
}
