//! Making a base: the rows of a partition, read while folding goes on, and appended to it.
//!
//! Of an account first all rows are read and then it is looked whether any of them was written by a record newer than
//! what was folded before; if so they are read again. So they are the account's rows of one moment, and what a rebuild
//! folds on top of them is what a start after a crash at that moment would have folded. An account that never rests is
//! taken as it is after a few attempts: like rows of which a crash left some newer than others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use domain::{
    AccountId, EntityKey, Row, RowKey, ScanKey, StreamKey, Version,
    base::{self as parts, Begin, Cutter, Found},
    directory::Alias,
    key::BUCKETS,
    record::BASE,
};
use event_log::{AppendError, Appended, EventLog, Partition, Position, Record};
use futures::TryStreamExt;
use view_store::ViewStore;

use super::{Aliases, READ, Trouble};
use crate::ask::now;

/// So often an account's rows are read until they are of one moment.
const ATTEMPTS_MAX: u32 = 4;
/// The projector notes every quarter of a second how far everything is folded.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(300);
/// A log that takes nothing for so many attempts is busy with more important things.
const APPENDS_MAX: u32 = 20;
const APPEND_PAUSE: Duration = Duration::from_millis(250);

/// Up to where a partition is folded with all its rows written, as its row says; `None` where nothing is.
pub(super) async fn folded(store: &dyn ViewStore, partition: Partition) -> Result<Option<Version>, Trouble> {
    let row = store.get(&RowKey::Seen(partition.0)).await?;
    Ok(row.map(|row| row.version))
}

/// What makes bases.
pub(super) struct Maker<'a> {
    pub(super) log: &'a dyn EventLog,
    pub(super) store: &'a dyn ViewStore,
    pub(super) aliases: &'a Aliases,
    /// How long it is waited after each record.
    pub(super) pace: Duration,
    /// Whether the log does not hold everything from its beginning on, see [`Begin`].
    pub(super) is_needed: bool,
}

/// A base on its way into the log.
struct Making {
    cutter: Cutter,
    id: u128,
    appended: u64,
    bytes: u64,
}

impl Maker<'_> {
    /// Makes a base of a partition; `None` where nothing is folded of it yet.
    pub(super) async fn make(&self, partition: Partition) -> Result<Option<Found>, Trouble> {
        let Some(folded) = folded(self.store, partition).await? else { return Ok(None) };
        let is_ours = |stream: StreamKey| self.log.partition_of(stream) == partition;
        let from = Version::new(folded.epoch(), folded.offset() + 1);
        let streams = self.streams(partition, from.offset()).await?;
        let mut aliases = self.aliases_by_account(is_ours).await?;

        let begin = Begin { id: uuid::Uuid::new_v4().as_u128(), from, is_needed: self.is_needed };
        let (cutter, body) = Cutter::begin(begin);
        let carrier = parts::carrier(is_ours);
        let mut making = Making { cutter, id: begin.id, appended: 0, bytes: 0 };
        let first = self.append(&mut making, carrier, body).await?;
        for account in streams {
            let aliases = aliases.remove(&account).unwrap_or_default();
            self.account(&mut making, partition, account, aliases).await?;
        }
        if is_ours(StreamKey::Service) {
            self.service(&mut making).await?;
        }
        self.dead_letters(&mut making, is_ours).await?;
        let end = making.cutter.end();
        let last = self.append(&mut making, carrier, end).await?;
        Ok(Some(Found { begin, first: first.offset, last: last.offset, bytes: making.bytes }))
    }

    /// Every account that the partition has rows of: each has records in it, or is in its last base.
    async fn streams(&self, partition: Partition, before: u64) -> Result<BTreeSet<AccountId>, Trouble> {
        let bounds = self.log.bounds().await?;
        let start =
            bounds.iter().find(|bounds| bounds.partition == partition).map_or(0, |bounds| bounds.start);
        let mut next = Position { partition, offset: start };
        let mut streams = BTreeSet::new();
        while next.offset < before {
            let read = self.log.read(next, READ).await?;
            let Some((last, _)) = read.last() else { break };
            next.offset = last.offset + 1;
            streams.extend(read.iter().filter_map(|(_, record)| record.stream.account()));
            tokio::time::sleep(self.pace).await;
        }
        Ok(streams)
    }

    /// The logins of the partition's accounts: some hundred bytes for each.
    async fn aliases_by_account(
        &self,
        is_ours: impl Fn(StreamKey) -> bool,
    ) -> Result<BTreeMap<AccountId, Vec<Row>>, Trouble> {
        let mut aliases = BTreeMap::<AccountId, Vec<Row>>::new();
        let mut rows = (self.aliases)()?;
        while let Some(row) = rows.try_next().await? {
            if let Ok(alias) = Alias::decode(&row.value)
                && is_ours(StreamKey::Account(alias.account))
            {
                aliases.entry(alias.account).or_default().push(row);
            }
        }
        Ok(aliases)
    }

    async fn account(
        &self,
        making: &mut Making,
        partition: Partition,
        account: AccountId,
        aliases: Vec<Row>,
    ) -> Result<(), Trouble> {
        let stream = StreamKey::Account(account);
        for row in aliases {
            self.take(making, stream, row).await?;
        }
        for attempt in 1..=ATTEMPTS_MAX {
            let before = folded(self.store, partition).await?.unwrap_or_default();
            let mut newest = Version::NONE;
            let mut ranges: VecDeque<ScanKey> = parts::ranges(stream).into();
            while let Some(range) = ranges.pop_front() {
                let mut rows = self.store.scan(&range).await?;
                while let Some(row) = rows.try_next().await? {
                    newest = newest.max(row.version);
                    if let RowKey::Entity(_, EntityKey::Repository(repo)) = row.key {
                        ranges.push_back(ScanKey::Trail(account, repo));
                    }
                    self.take(making, stream, row).await?;
                }
            }
            self.cut(making, stream).await?;
            // What was read too early does no harm beside what is read now: of each row the newest counts.
            if newest <= before || attempt == ATTEMPTS_MAX {
                break;
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
        Ok(())
    }

    /// What belongs to no account. Its rows stand alone, and each is a record of its own, so that what must be erased
    /// can be.
    async fn service(&self, making: &mut Making) -> Result<(), Trouble> {
        let stream = StreamKey::Service;
        let mut logins = Vec::new();
        for range in parts::ranges(stream) {
            let mut rows = self.store.scan(&range).await?;
            while let Some(row) = rows.try_next().await? {
                if let RowKey::Entity(_, EntityKey::Login(forge, login)) = &row.key {
                    logins.push(RowKey::Alias(*forge, login.clone()));
                }
                self.take(making, stream, row).await?;
                self.cut(making, stream).await?;
            }
        }
        // A login that somebody asked for may lead to an account that has another one.
        for key in parts::single_rows(stream).into_iter().chain(logins) {
            if let Some(row) = self.store.get(&key).await? {
                self.take(making, stream, row).await?;
                self.cut(making, stream).await?;
            }
        }
        Ok(())
    }

    async fn dead_letters(
        &self,
        making: &mut Making,
        is_ours: impl Fn(StreamKey) -> bool,
    ) -> Result<(), Trouble> {
        for bucket in 0..BUCKETS {
            let mut rows = self.store.scan(&ScanKey::DeadLetters(bucket)).await?;
            while let Some(row) = rows.try_next().await? {
                let Some(stream) = row.key.stream().filter(|stream| is_ours(*stream)) else { continue };
                self.take(making, stream, row).await?;
                self.cut(making, stream).await?;
            }
        }
        Ok(())
    }

    async fn take(&self, making: &mut Making, stream: StreamKey, row: Row) -> Result<(), Trouble> {
        if let Some(body) = making.cutter.take(row) {
            self.append(making, stream, body).await?;
        }
        Ok(())
    }

    async fn cut(&self, making: &mut Making, stream: StreamKey) -> Result<(), Trouble> {
        if let Some(body) = making.cutter.cut() {
            self.append(making, stream, body).await?;
        }
        Ok(())
    }

    async fn append(
        &self,
        making: &mut Making,
        stream: StreamKey,
        body: Vec<u8>,
    ) -> Result<Position, Trouble> {
        making.bytes += body.len() as u64;
        let record = Record {
            stream,
            id: format!("base-{:032x}-{}", making.id, making.appended),
            dedupe: None,
            kind: BASE.to_owned(),
            received_at: now(),
            headers: Vec::new(),
            body: body.into(),
        };
        making.appended += 1;
        let mut attempts = 0;
        loop {
            match self.log.append(vec![record.clone()]).await {
                Ok(Appended::New(positions)) => {
                    tokio::time::sleep(self.pace).await;
                    return positions
                        .first()
                        .copied()
                        .ok_or_else(|| Trouble::Later("a record got no position".to_owned()));
                }
                Ok(Appended::Duplicate) => {
                    return Err(Trouble::Later("a record of a base was taken for a delivery".to_owned()));
                }
                // It may be there twice then, which counts once.
                Err(AppendError::Full | AppendError::Retry(_)) if attempts < APPENDS_MAX => {
                    attempts += 1;
                    tokio::time::sleep(APPEND_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
