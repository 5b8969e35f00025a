//! A decorator that breaks a working log in one chosen way.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::StreamKey;
use event_log::{
    AppendError, Appended, Bounds, DedupeKey, EventLog, Identity, Limit, LogError, Partition, Position,
    Record, Subscription, Trimmed,
};

use super::{Break, subscription::BrokenSubscription};
use crate::sample::ALL;

/// What a broken adapter keeps, wrongly, outside of the log; lives as long as the harness.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    keys: HashSet<DedupeKey>,
    ids: HashSet<String>,
    bounds: Option<Vec<Bounds>>,
    torn: bool,
    /// Commits by group, of the start in which they came.
    pub(crate) commits: HashMap<(u64, String, Partition), u64>,
}

pub(crate) struct BrokenLog {
    inner: Arc<dyn EventLog>,
    how: Break,
    /// How often the log was opened before.
    start: u64,
    memory: Memory,
}

impl BrokenLog {
    pub(crate) fn new(inner: Arc<dyn EventLog>, how: Break, start: u64, memory: Memory) -> Self {
        BrokenLog { inner, how, start, memory }
    }

    /// Appends the first only, and says that all are there.
    async fn append_first(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        let count = records.len();
        let partitions: Vec<Partition> =
            records.iter().map(|record| self.inner.partition_of(record.stream)).collect();
        let Appended::New(first) = self.inner.append(records.into_iter().take(1).collect()).await? else {
            return Ok(Appended::Duplicate);
        };
        let invented = (1..count).map(|index| Position { partition: partitions[index], offset: 0 });
        Ok(Appended::New(first.iter().copied().chain(invented).collect()))
    }

    /// Appends one after the other, and is interrupted once.
    async fn append_singly(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        let is_interrupted = !std::mem::replace(&mut self.memory.state.lock().unwrap().torn, true);
        let mut positions = Vec::new();
        for record in records {
            if let Appended::New(position) = self.inner.append(vec![record]).await? {
                positions.extend(position);
            }
            if is_interrupted {
                return pending().await;
            }
        }
        Ok(Appended::New(positions))
    }

    /// Looks for the key, and appends a little later.
    async fn append_checked(&self, records: Vec<Record>) -> Result<Appended, AppendError> {
        let key = records[0].dedupe;
        if key.is_some_and(|key| self.memory.state.lock().unwrap().keys.contains(&key)) {
            return Ok(Appended::Duplicate);
        }
        let appended = self.inner.append(without_keys(records)).await;
        self.memory.state.lock().unwrap().keys.extend(key);
        appended
    }
}

fn without_keys(records: Vec<Record>) -> Vec<Record> {
    records.into_iter().map(|record| Record { dedupe: None, ..record }).collect()
}

#[async_trait]
impl EventLog for BrokenLog {
    async fn append(&self, mut records: Vec<Record>) -> Result<Appended, AppendError> {
        match self.how {
            Break::TearsAppends if records.len() > 1 => self.append_first(records).await,
            Break::TearsAppendsOverACrash => self.append_singly(records).await,
            Break::ChecksForDuplicatesTooEarly => self.append_checked(records).await,
            Break::ReordersAppends => {
                records.reverse();
                let appended = self.inner.append(records).await?;
                Ok(match appended {
                    Appended::New(positions) => Appended::New(positions.into_iter().rev().collect()),
                    Appended::Duplicate => Appended::Duplicate,
                })
            }
            Break::GivesOffsetsOutAgain if self.start > 0 => Ok(match self.inner.append(records).await? {
                Appended::New(positions) => {
                    let again = |p: Position| Position { offset: p.offset.saturating_sub(1), ..p };
                    Appended::New(positions.into_iter().map(again).collect())
                }
                Appended::Duplicate => Appended::Duplicate,
            }),
            Break::LeavesGaps => {
                let gap = Record { body: Bytes::from_static(b"gap"), ..records[0].clone() };
                self.inner.append(vec![gap]).await?;
                self.inner.append(records).await
            }
            Break::LosesHeaders => {
                for record in &mut records {
                    record.headers.truncate(1);
                }
                self.inner.append(records).await
            }
            Break::CutsLargeBodies => {
                for record in &mut records {
                    record.body.truncate(16 << 20);
                }
                self.inner.append(records).await
            }
            Break::KnowsNoDuplicates => self.inner.append(without_keys(records)).await,
            Break::ForgetsDuplicatesAtACrash if self.start > 0 => {
                self.inner.append(without_keys(records)).await
            }
            Break::TakesIdsForKeys => {
                let is_new = self.memory.state.lock().unwrap().ids.insert(records[0].id.clone());
                if is_new { self.inner.append(records).await } else { Ok(Appended::Duplicate) }
            }
            _ => self.inner.append(records).await,
        }
    }

    async fn subscribe(&self, group: &str) -> Result<Box<dyn Subscription>, LogError> {
        let inner = self.inner.subscribe(group).await?;
        let group = group.to_owned();
        Ok(Box::new(BrokenSubscription::new(inner, self.how, (self.start, group), self.memory.clone())))
    }

    async fn read(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        let limit = if self.how == Break::ReadsWithoutLimits { ALL } else { limit };
        let mut records = match self.inner.read(from, limit).await {
            Err(LogError::Gone { start, .. }) if self.how == Break::ReadsFromTheStart => {
                self.inner.read(Position { offset: start, ..from }, limit).await?
            }
            read => read?,
        };
        match self.how {
            Break::ReadsNothingWhenTheFirstIsLarge => {
                records.retain(|(_, record)| record.body.len() <= limit.bytes_max);
            }
            Break::DropsTheTail if self.start > 0 => {
                let bounds = self.bounds().await?;
                records.retain(|(position, _)| position.offset < bounds[position.partition.0 as usize].end);
            }
            _ => {}
        }
        Ok(records)
    }

    async fn bounds(&self) -> Result<Vec<Bounds>, LogError> {
        let mut bounds = self.inner.bounds().await?;
        match self.how {
            Break::DropsTheTail if self.start > 0 => {
                for bounds in &mut bounds {
                    bounds.end = bounds.end.saturating_sub(1);
                }
            }
            // What a log does that forgets by itself where it begins.
            Break::StartsWhereItBegan if self.start > 0 => {
                for bounds in &mut bounds {
                    bounds.start = 0;
                }
            }
            Break::TellsOldBounds => {
                let mut state = self.memory.state.lock().unwrap();
                bounds = state.bounds.get_or_insert(bounds).clone();
            }
            _ => {}
        }
        Ok(bounds)
    }

    async fn trim(&self, before: Position, kept: &[&str]) -> Result<Option<Trimmed>, LogError> {
        let kept = if self.how == Break::TrimsCommandsToo { &[] } else { kept };
        self.inner.trim(before, kept).await
    }

    async fn kept(&self, from: Position, limit: Limit) -> Result<Vec<(Position, Record)>, LogError> {
        self.inner.kept(from, limit).await
    }

    fn stored_bytes(&self) -> Option<u64> {
        self.inner.stored_bytes()
    }

    fn identity(&self) -> Identity {
        let identity = self.inner.identity();
        match self.how {
            Break::ChangesIdentity => {
                Identity { incarnation: identity.incarnation.wrapping_add(self.start.into()), ..identity }
            }
            Break::HasOneIdentityForAll => Identity { incarnation: 1, ..identity },
            _ => identity,
        }
    }

    fn partition_of(&self, stream: StreamKey) -> Partition {
        let partition = self.inner.partition_of(stream);
        if self.how == Break::MovesStreams && self.start > 0 {
            return Partition((partition.0 + 1) % self.identity().partitions);
        }
        partition
    }
}
