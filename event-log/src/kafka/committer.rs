//! The thread that commits for one member of a group.
//!
//! It is a thread of its own because librdkafka's binding tells the outcome of a commit only to who waits for it, and
//! the thread that polls must not wait: the group would take the member for dead.

use std::{collections::BTreeMap, sync::Arc};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{debug, warn};

use super::{context::Context, offsets::Outcome, reader::index, shared::Shared, topic::client_reason};
use crate::port::Partition;

/// Commits what the caller says, in order.
pub(super) struct Committer {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) shared: Arc<Shared>,
    pub(super) topic: String,
    pub(super) group: String,
}

impl Committer {
    /// Works until the member has left.
    pub(super) fn run(self) {
        while let Some(offsets) = self.shared.next_commit() {
            let outcome = self.outcome(self.commit(offsets));
            self.shared.lock().offsets.settle(&outcome);
        }
    }

    /// Waits for the group's answer; librdkafka bounds that by the session's length.
    fn commit(&self, offsets: BTreeMap<Partition, u64>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let offset = Offset::Offset(i64::try_from(offset).expect("an offset of Kafka fits i64"));
            list.add_partition_offset(&self.topic, index(partition.0), offset)?;
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }

    fn outcome(&self, outcome: Result<(), KafkaError>) -> Outcome {
        let Err(error) = outcome else { return Outcome::Made };
        let reason = client_reason(&error);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::FencedInstanceId) => {
                warn!(
                    group = self.group,
                    reason, "the group went on without this process; nothing was committed"
                );
                Outcome::Refused(format!("the group went on without this process ({reason})"))
            }
            _ => {
                debug!(group = self.group, reason, "offsets were not committed yet; it is tried again");
                Outcome::Failed
            }
        }
    }
}
