//! The topic, for `tallyhook migrate`.

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
};

use super::{CONNECT_TIME_MAX, HintsError, unusable};

/// Everybody hears everything, so more would only be more connections.
const PARTITIONS: i32 = 1;

/// Who was away for longer looks at everything again.
const RETENTION_MS: &str = "600000";

/// Small files, so that what is older than its time goes soon.
const SEGMENT_BYTES: &str = "16777216";

/// Deletes a topic of hints that nobody needs any more; whether there was one.
///
/// # Errors
/// The brokers did not answer or refused.
pub async fn delete_topic(config: &ClientConfig, topic: &str) -> Result<bool, HintsError> {
    let client: AdminClient<DefaultClientContext> =
        config.create().map_err(|error| unusable(topic, error))?;
    let results = client.delete_topics(&[topic], &options()).await.map_err(|error| unusable(topic, error))?;
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))) => {
            Ok(false)
        }
        Some(Err((_, code))) => Err(unusable(topic, code)),
        None => Err(unusable(topic, "no answer to its deletion")),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CONNECT_TIME_MAX)).operation_timeout(Some(CONNECT_TIME_MAX))
}

/// Makes the topic of hints unless it is there; whether it was made. `replication`: copies of each message, as the
/// cluster has it by default where `None`.
///
/// # Errors
/// The brokers did not answer or refused.
pub async fn create_topic(
    config: &ClientConfig,
    topic: &str,
    replication: Option<u16>,
) -> Result<bool, HintsError> {
    let client: AdminClient<DefaultClientContext> =
        config.create().map_err(|error| unusable(topic, error))?;
    let replication = replication.map_or(-1, i32::from);
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(replication))
        .set("retention.ms", RETENTION_MS)
        .set("segment.bytes", SEGMENT_BYTES)
        .set("cleanup.policy", "delete");
    let results = client.create_topics([&new], &options()).await.map_err(|error| unusable(topic, error))?;
    match results.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(unusable(topic, code)),
        None => Err(unusable(topic, "no answer to its creation")),
    }
}
