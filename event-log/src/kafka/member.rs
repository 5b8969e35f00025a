//! The thread of one member of a group: it joins, fetches, commits and leaves.
//!
//! Everything that librdkafka says about the group is heard here, while polling, and polling never stops for
//! longer than [`STALL_MAX`]. A partition is handed to librdkafka for fetching only once `seek` said from where, so
//! nothing is ever fetched to be thrown away, and no reset of offsets can happen behind our back.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext as _, Message, Offset, TopicPartitionList,
    config::ClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{debug, info, warn};

use super::{
    committer::Committer,
    context::{Change, Context},
    message,
    reader::index,
    shared::Shared,
    topic::client_reason,
};
use crate::{
    port::{Assignment, Partition, Position},
    record::Record,
};

/// How long one look for messages takes at most: what the caller asks (seek, commit, let go) waits as long.
const LOOK: Duration = Duration::from_millis(10);
/// So much is taken from the client before the caller is told of it.
const BATCH_RECORDS_MAX: usize = 512;
/// The same in bytes of bodies.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How long the thread waits for room before it polls again. Beyond it the partitions are paused, which throws
/// away what the client has fetched ahead, so a caller that is merely busy should not reach it.
const STALL_MAX: Duration = Duration::from_secs(1);
/// How long the brokers may take to tell what a group committed, before it is asked again.
const COMMITTED_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a member that leaves waits for its last commits and for its partitions to be taken back.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(5);

/// A member's client and what it keeps between two looks.
pub(super) struct Member {
    consumer: Arc<BaseConsumer<Context>>,
    shared: Arc<Shared>,
    topic: String,
    partitions: u32,
    group: String,
    /// How long a caller may take to let partitions go.
    patience: Duration,
    /// What librdkafka fetches.
    fetching: BTreeSet<Partition>,
    is_paused: bool,
    full_since: Option<Instant>,
    leaving_since: Option<Instant>,
    rebalances: Vec<Change>,
}

impl Member {
    /// Joins; the group answers while [`Member::run`] runs.
    pub(super) fn join(
        config: &ClientConfig,
        context: Context,
        shared: Arc<Shared>,
        topic: &str,
        partitions: u32,
    ) -> Result<Self, KafkaError> {
        let group = context.group().to_owned();
        let patience = config.get("max.poll.interval.ms").and_then(|ms| ms.parse().ok()).unwrap_or(120_000);
        let consumer: BaseConsumer<Context> = config.create_with_context(context)?;
        consumer.subscribe(&[topic])?;
        let consumer = Arc::new(consumer);
        Ok(Member {
            consumer,
            shared,
            topic: topic.to_owned(),
            partitions,
            group,
            patience: Duration::from_millis(patience),
            fetching: BTreeSet::new(),
            is_paused: false,
            full_since: None,
            leaving_since: None,
            rebalances: Vec::new(),
        })
    }

    /// What makes the commits; its thread ends with the member.
    pub(super) fn committer(&self) -> Committer {
        let consumer = Arc::clone(&self.consumer);
        Committer {
            consumer,
            shared: self.shared.clone(),
            topic: self.topic.clone(),
            group: self.group.clone(),
        }
    }

    /// Works until the subscription is dropped or cannot go on, then leaves the group.
    pub(super) fn run(mut self) {
        loop {
            self.serve_group();
            self.serve_caller();
            {
                let places = self.shared.lock();
                if places.is_closing || places.is_stopped() {
                    break;
                }
            }
            if self.has_room() {
                self.fetch();
            }
        }
        self.leave();
    }

    /// Carries out what the group decided.
    fn serve_group(&mut self) {
        self.rebalances.append(&mut self.consumer.context().take_changes());
        let changes = std::mem::take(&mut self.rebalances);
        let mut changes = changes.into_iter();
        while let Some(change) = changes.next() {
            let is_done = match &change {
                Change::Assign(partitions) => self.assign(partitions),
                Change::Revoke(partitions) => {
                    self.revoke(partitions);
                    true
                }
            };
            if !is_done {
                self.rebalances = [change].into_iter().chain(changes).collect();
                return;
            }
        }
        self.serve_leaving();
    }

    /// Reads what the group committed, and only then says that the partitions are taken. Returns whether it could.
    fn assign(&mut self, partitions: &[Partition]) -> bool {
        let assignments = match self.committed(partitions) {
            Ok(assignments) => assignments,
            Err(error) => {
                self.consumer.context().error(error, "the group's offsets could not be read");
                return false;
            }
        };
        // Fetching begins with a seek; to the group they are taken now.
        if let Err(error) = self.consumer.incremental_assign(&TopicPartitionList::new()) {
            self.stop(format!("partitions could not be taken ({})", client_reason(&error)));
            return true;
        }
        info!(group = self.group, partitions = ?numbers(partitions), "partitions were given to this process");
        self.shared.lock().assign(assignments);
        self.shared.ready.notify_one();
        true
    }

    fn committed(&self, partitions: &[Partition]) -> Result<Vec<Assignment>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, index(partition.0));
        }
        let found = self.consumer.committed_offsets(list, COMMITTED_WAIT_MAX)?;
        let mut assignments = Vec::with_capacity(partitions.len());
        for element in found.elements() {
            element.error()?;
            let partition = Partition(u32::try_from(element.partition()).unwrap_or(0));
            let committed = match element.offset() {
                Offset::Offset(offset) => u64::try_from(offset).ok(),
                _ => None,
            };
            assignments.push(Assignment { partition, committed });
        }
        assignments.sort_unstable_by_key(|assignment| assignment.partition);
        Ok(assignments)
    }

    fn revoke(&mut self, partitions: &[Partition]) {
        let is_lost = self.consumer.assignment_lost();
        info!(group = self.group, partitions = ?numbers(partitions), is_lost, "partitions go to another process");
        if is_lost || partitions.is_empty() {
            self.shared.lock().lose(partitions.to_vec());
            self.unassign(partitions);
        } else {
            self.shared.lock().revoke(partitions.to_vec());
            self.leaving_since = Some(Instant::now());
        }
        self.shared.ready.notify_one();
    }

    /// Lets go what was revoked, once the caller came back for more or cannot help it any more.
    fn serve_leaving(&mut self) {
        let Some(since) = self.leaving_since else { return };
        let let_go = self.shared.lock().let_go();
        let gone = if let Some(partitions) = let_go {
            partitions
        } else if self.consumer.assignment_lost() || since.elapsed() > self.patience {
            let partitions = self.shared.lock().lose_leaving();
            warn!(
                group = self.group,
                partitions = ?numbers(&partitions),
                "partitions were not let go in time; what was folded of them and not committed is folded again"
            );
            self.shared.ready.notify_one();
            partitions
        } else {
            return;
        };
        self.leaving_since = None;
        self.unassign(&gone);
    }

    /// Stops fetching, and tells the group that these are free.
    fn unassign(&mut self, partitions: &[Partition]) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            if self.fetching.remove(partition) {
                list.add_partition(&self.topic, index(partition.0));
            }
        }
        if let Err(error) = self.consumer.incremental_unassign(&list) {
            self.stop(format!("partitions could not be given back ({})", client_reason(&error)));
        }
    }

    /// Begins where the caller said.
    fn serve_caller(&mut self) {
        // An assignment that waits for the brokers must be answered first.
        if !self.rebalances.is_empty() {
            return;
        }
        let seeks = self.shared.lock().take_seeks();
        for (partition, offset) in seeks {
            self.start(Position { partition, offset });
        }
    }

    /// Fetches a partition from there on.
    fn start(&mut self, from: Position) {
        let mut list = TopicPartitionList::new();
        let partition = index(from.partition.0);
        let started = i64::try_from(from.offset)
            .map_err(|_| KafkaError::Seek("it is no offset of Kafka".to_owned()))
            .and_then(|offset| list.add_partition_offset(&self.topic, partition, Offset::Offset(offset)))
            .and_then(|()| {
                if !self.fetching.insert(from.partition) {
                    // What was fetched before belongs to another place.
                    self.consumer.incremental_unassign(&list)?;
                }
                self.consumer.incremental_assign(&list)?;
                if self.is_paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) }
            });
        if let Err(error) = started {
            self.stop(format!("{from} could not be sought ({})", client_reason(&error)));
        }
    }

    /// Whether more may be fetched. Waits a little for room; a caller that takes long makes the partitions pause.
    fn has_room(&mut self) -> bool {
        let places = self.shared.lock();
        if self.is_paused {
            if places.is_half_empty() {
                drop(places);
                self.pause(false);
            }
            return true;
        }
        if !places.is_full() {
            self.full_since = None;
            return true;
        }
        if self.full_since.get_or_insert_with(Instant::now).elapsed() > STALL_MAX {
            drop(places);
            self.full_since = None;
            self.pause(true);
            return true;
        }
        self.shared.wait_for_room(places, LOOK);
        false
    }

    fn pause(&mut self, is_paused: bool) {
        let mut list = TopicPartitionList::new();
        for partition in &self.fetching {
            list.add_partition(&self.topic, index(partition.0));
        }
        let outcome = if is_paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        if let Err(error) = outcome {
            self.stop(format!("partitions could not be paused or resumed ({})", client_reason(&error)));
        }
        self.is_paused = is_paused;
    }

    /// Takes what the client has, waiting a little when it has nothing.
    fn fetch(&mut self) {
        let mut records: Vec<(Position, Record)> = Vec::new();
        let mut bytes = 0;
        let mut patience = LOOK;
        while records.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            match self.consumer.poll(patience) {
                Some(Ok(message)) => {
                    let (Ok(partition), Ok(offset)) =
                        (u32::try_from(message.partition()), u64::try_from(message.offset()))
                    else {
                        continue;
                    };
                    let position = Position { partition: Partition(partition), offset };
                    let record = message::record(&message, position, self.partitions);
                    bytes += record.body.len();
                    records.push((position, record));
                    patience = Duration::ZERO;
                }
                Some(Err(error)) => {
                    if let Some(reason) = self.reason_to_stop(&error) {
                        self.stop(reason);
                    }
                    break;
                }
                None => break,
            }
        }
        if !records.is_empty() && self.shared.lock().fetched(&mut records) {
            self.shared.ready.notify_one();
        }
    }

    fn reason_to_stop(&self, error: &KafkaError) -> Option<String> {
        match error {
            KafkaError::MessageConsumptionFatal(code) => {
                Some(format!("the Kafka client cannot go on ({code})"))
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => Some(format!(
                "topic {} does not hold the records that group {} asked for: it was cut, trimmed or made anew; look at \
                 the topic before anything is folded from it again",
                self.topic, self.group
            )),
            // The client was told (see its voice) and tries again by itself.
            _ => None,
        }
    }

    fn stop(&self, reason: String) {
        self.shared.lock().stop(reason);
        self.shared.ready.notify_one();
    }

    /// Waits for the last commits, gives the partitions back, and closes the client, which tells the group.
    fn leave(mut self) {
        let deadline = Instant::now() + LEAVE_WAIT_MAX;
        while !self.shared.lock().offsets.is_idle() && Instant::now() < deadline {
            let _ = self.consumer.poll(LOOK);
        }
        self.shared.end_commits();
        self.consumer.context().close();
        // Closing starts with what the group decided last, so that is answered first.
        self.rebalances.append(&mut self.consumer.context().take_changes());
        let is_assigned = self.rebalances.iter().any(|change| matches!(change, Change::Assign(_)));
        if is_assigned {
            let _ = self.consumer.incremental_assign(&TopicPartitionList::new());
        }
        let leaving = self.shared.lock().lose_leaving();
        if !leaving.is_empty() {
            self.unassign(&leaving);
        }
        // librdkafka leaves only where it knows the coordinator just then: after an outage it must find it again.
        let mut one = TopicPartitionList::new();
        one.add_partition(&self.topic, 0);
        let is_known = self.consumer.committed_offsets(one, LEAVE_WAIT_MAX).is_ok();
        debug!(group = self.group, is_known, "leaving the group");
        // Closing, unless a commit is on its way still: then the thread that waits for it closes.
        drop(self.consumer);
    }
}

fn numbers(partitions: &[Partition]) -> Vec<u32> {
    partitions.iter().map(|partition| partition.0).collect()
}
