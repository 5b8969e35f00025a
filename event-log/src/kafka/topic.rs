//! The topic that holds a log: made once, looked at by every start, and refused where it could lose a record.
//!
//! Which log a topic is cannot be read from its name: a topic that was deleted and made again has the same. Kafka
//! gives each a random id, but librdkafka's binding does not tell it, and a record of ours in front of the
//! partitions would shift their offsets. So [`create_topic`] writes 124 random bits where they change nothing and
//! vanish with the topic: into two settings that only compacted topics heed.

use std::time::Duration;

use rdkafka::{
    ClientContext,
    admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication},
    client::Client,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    address::KafkaAddress,
    client::{self, MESSAGE_BYTES_MAX, Voice},
    settings::KafkaLogSettings,
};
use crate::port::Identity;

/// How long the brokers may take to answer one question.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a new topic may take until every partition of it has a leader.
const LEADERS_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LEADERS_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Where the random bits are; heeded only with `cleanup.policy=compact`.
const MARKS: [&str; 2] = ["delete.retention.ms", "min.compaction.lag.ms"];
/// So many brokers hold each partition where the cluster has as many.
const REPLICATION_DEFAULT: usize = 3;

/// How a new topic is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// How many partitions; it can never be changed, because streams would move.
    pub partitions: u32,
    /// How many brokers hold each partition; `None`: three, or one where there are fewer.
    pub replication: Option<u16>,
}

impl Default for TopicSettings {
    fn default() -> Self {
        TopicSettings { partitions: 12, replication: None }
    }
}

/// What [`create_topic`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// There was no such topic; now there is.
    New,
    /// It was there already, as it should be.
    AlreadyThere,
}

/// Why a log on Kafka cannot be opened or made, in one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Try again later, or mend the address or the network.
    #[error("{place} did not answer ({cause})")]
    Unreachable {
        /// The address, without secrets.
        place: String,
        /// What the client says.
        cause: String,
    },
    /// Make it first.
    #[error("there is no topic at {place}: run `tallyhook migrate`")]
    NoTopic {
        /// The address, without secrets.
        place: String,
    },
    /// The topic is there and may not be used; the sentence names the remedy.
    #[error("{place} cannot be used: {reason}")]
    Refused {
        /// The address, without secrets.
        place: String,
        /// What is wrong, and what mends it.
        reason: String,
    },
}

/// Makes the topic of a log where there is none; changes nothing where there is one.
///
/// # Errors
/// See [`OpenError`]; a topic with another number of partitions, or one that may lose records, is refused.
pub async fn create_topic(address: &KafkaAddress, settings: &TopicSettings) -> Result<Created, OpenError> {
    let admin = Topic::connect(address, &KafkaLogSettings::default())?;
    let (brokers, partitions) = admin.look().await?;
    let created = if partitions.is_some() {
        Created::AlreadyThere
    } else {
        let replication = settings.replication.map_or_else(
            || if brokers >= REPLICATION_DEFAULT { REPLICATION_DEFAULT } else { 1 },
            usize::from,
        );
        admin.create(settings.partitions, replication).await?
    };
    let found = admin.wait_for_leaders().await?;
    if found != settings.partitions {
        return Err(admin.refused(format!(
            "it has {found} partitions and not {}; their number never changes, so give that one or choose another \
             topic",
            settings.partitions
        )));
    }
    admin.identity(found).await?;
    Ok(created)
}

/// Forgets a group and the offsets that it committed, unless it has members; whether it is gone.
///
/// # Errors
/// See [`OpenError`].
pub async fn delete_group(address: &KafkaAddress, group: &str) -> Result<bool, OpenError> {
    let admin = Topic::connect(address, &KafkaLogSettings::default())?;
    let group = client::group_id(address, group);
    let outcome = admin.admin.delete_groups(&[&group], &options()).await;
    match outcome.map_err(|error| admin.unreachable(&error))?.into_iter().next() {
        Some(Ok(_)) | None => Ok(true),
        Some(Err((_, RDKafkaErrorCode::GroupIdNotFound))) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::NonEmptyGroup))) => Ok(false),
        Some(Err((_, code))) => Err(admin.refused(format!("the group {group} cannot be deleted ({code})"))),
    }
}

/// A topic, and a client to ask about it.
pub(super) struct Topic {
    address: KafkaAddress,
    admin: std::sync::Arc<AdminClient<Quiet>>,
}

pub(super) struct Quiet(Voice);

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl Topic {
    pub(super) fn connect(address: &KafkaAddress, settings: &KafkaLogSettings) -> Result<Self, OpenError> {
        let config = client::admin_config(address, settings);
        let admin = config
            .create_with_context::<_, AdminClient<Quiet>>(Quiet(Voice::new("admin", settings)))
            .map_err(|error| refusal(address, client_reason(&error)))?;
        Ok(Topic { address: address.clone(), admin: std::sync::Arc::new(admin) })
    }

    /// Which log the topic is, once it is known to be one that may be used.
    pub(super) async fn open(&self) -> Result<Identity, OpenError> {
        let (_, partitions) = self.look().await?;
        let partitions = partitions.ok_or_else(|| OpenError::NoTopic { place: self.address.to_string() })?;
        self.identity(partitions).await
    }

    /// How many brokers there are, and how many partitions the topic has, if there is one.
    async fn look(&self) -> Result<(usize, Option<u32>), OpenError> {
        let topic = self.address.topic().to_owned();
        let metadata = self
            .ask(move |client| client.fetch_metadata(Some(&topic), ANSWER_WAIT_MAX))
            .await?
            .map_err(|error| self.unreachable(&error))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.address.topic());
        let partitions = match topic.map(|topic| (topic.error(), topic.partitions().len())) {
            None | Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), _)) => None,
            Some((None, partitions)) => u32::try_from(partitions).ok(),
            Some((Some(error), _)) => {
                return Err(self.refused(format!("the brokers say {}", RDKafkaErrorCode::from(error))));
            }
        };
        Ok((metadata.brokers().len(), partitions))
    }

    async fn create(&self, partitions: u32, replication: usize) -> Result<Created, OpenError> {
        let bytes_max = MESSAGE_BYTES_MAX.to_string();
        // With three brokers one may be away: an acknowledgement is that of two at least.
        let in_sync = if replication >= 3 { "2" } else { "1" };
        let marks = uuid::Uuid::new_v4().as_u64_pair();
        let marks = [marks.0 >> 2, marks.1 >> 2].map(|mark| mark.to_string());
        let topic = NewTopic::new(
            self.address.topic(),
            i32::try_from(partitions).map_err(|_| self.refused("it cannot have that many partitions"))?,
            TopicReplication::Fixed(
                i32::try_from(replication).map_err(|_| self.refused("there are not that many brokers"))?,
            ),
        )
        .set("cleanup.policy", "delete")
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("max.message.bytes", &bytes_max)
        .set("min.insync.replicas", in_sync)
        .set("unclean.leader.election.enable", "false")
        // The broker's clock: with ours, one that is an hour ahead would be refused every append.
        .set("message.timestamp.type", "LogAppendTime")
        .set(MARKS[0], &marks[0])
        .set(MARKS[1], &marks[1]);
        let outcome = self.admin.create_topics([&topic], &options()).await;
        match outcome.map_err(|error| self.unreachable(&error))?.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Created::AlreadyThere),
            Some(Err((_, code))) => Err(self.refused(format!("the brokers do not make it ({code})"))),
            Some(Ok(_)) | None => Ok(Created::New),
        }
    }

    /// How many partitions the topic has, once each has a leader.
    async fn wait_for_leaders(&self) -> Result<u32, OpenError> {
        let deadline = tokio::time::Instant::now() + LEADERS_WAIT_MAX;
        loop {
            let topic = self.address.topic().to_owned();
            let led = self
                .ask(move |client| {
                    let metadata = client.fetch_metadata(Some(&topic), ANSWER_WAIT_MAX)?;
                    let topic = metadata.topics().iter().find(|found| found.name() == topic);
                    let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
                    let is_led = partitions.iter().all(|partition| partition.leader() >= 0);
                    Ok((is_led && !partitions.is_empty()).then_some(partitions.len()))
                })
                .await?
                .map_err(|error| self.unreachable(&error))?;
            if let Some(partitions) = led.and_then(|partitions| u32::try_from(partitions).ok()) {
                return Ok(partitions);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(self.refused("its partitions have no leaders; look at the brokers"));
            }
            tokio::time::sleep(LEADERS_LOOK_EVERY).await;
        }
    }

    /// Reads the topic's settings: refuses what loses records, and tells which log it is.
    pub(super) async fn identity(&self, partitions: u32) -> Result<Identity, OpenError> {
        let described = self
            .admin
            .describe_configs([&ResourceSpecifier::Topic(self.address.topic())], &options())
            .await
            .map_err(|error| self.unreachable(&error))?;
        let settings = match described.into_iter().next() {
            Some(Ok(settings)) => settings,
            Some(Err(code)) => {
                return Err(self.refused(format!(
                    "its settings cannot be read ({code}); allow this user DescribeConfigs on the topic"
                )));
            }
            None => return Err(self.refused("the brokers tell nothing about its settings")),
        };
        self.check(&settings)?;
        // One that was made by hand has no marks, and is told from others by cluster and name only.
        let cluster = self.ask(|client| Ok(client.fetch_cluster_id(ANSWER_WAIT_MAX))).await?;
        let cluster = cluster.ok().flatten().unwrap_or_default();
        let [first, second] = MARKS.map(|name| value(&settings, name));
        let text = [cluster.as_str(), self.address.topic(), first, second].join("\0");
        Ok(Identity { incarnation: xxh3_128(text.as_bytes()), partitions })
    }

    fn check(&self, settings: &ConfigResource) -> Result<(), OpenError> {
        if value(settings, "cleanup.policy").contains("compact") {
            return Err(self.refused("it is compacted, which loses records: set cleanup.policy=delete"));
        }
        let bytes_max = value(settings, "max.message.bytes");
        if bytes_max.parse().is_ok_and(|bytes_max: usize| bytes_max < MESSAGE_BYTES_MAX) {
            return Err(self.refused(format!(
                "it takes messages of {bytes_max} bytes at most, and a delivery may have more: set \
                 max.message.bytes={MESSAGE_BYTES_MAX}"
            )));
        }
        if ["retention.ms", "retention.bytes"].iter().any(|name| value(settings, name) != "-1") {
            warn!(
                topic = self.address.topic(),
                "the topic forgets old records: what is folded stays, but it cannot be folded anew; set \
                 retention.ms=-1 and retention.bytes=-1"
            );
        }
        Ok(())
    }

    /// Asks on a thread for blocking work.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Client<Quiet>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<Result<T, KafkaError>, OpenError> {
        let admin = std::sync::Arc::clone(&self.admin);
        tokio::task::spawn_blocking(move || question(admin.inner())).await.map_err(|error| {
            OpenError::Unreachable { place: self.address.to_string(), cause: error.to_string() }
        })
    }

    fn unreachable(&self, error: &KafkaError) -> OpenError {
        OpenError::Unreachable { place: self.address.to_string(), cause: client_reason(error) }
    }

    fn refused(&self, reason: impl Into<String>) -> OpenError {
        refusal(&self.address, reason)
    }
}

/// The sentence for a client that could not be made.
pub(super) fn refusal(address: &KafkaAddress, reason: impl Into<String>) -> OpenError {
    OpenError::Refused { place: address.to_string(), reason: reason.into() }
}

/// What a client says, without the values of settings.
pub(super) fn client_reason(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => format!("the setting {name} is not taken"),
        KafkaError::ClientCreation(reason) => reason.clone(),
        error => error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string()),
    }
}

fn value<'a>(settings: &'a ConfigResource, name: &str) -> &'a str {
    settings.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or_default()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_WAIT_MAX)).operation_timeout(Some(ANSWER_WAIT_MAX))
}
