//! Where a delivery is on its way, found by its id, and readers who wait until one is shown.
//!
//! The projector writes a row for each of the newest deliveries ([`domain::delivery`]) together with what they change,
//! and tells only how far it has folded. Nobody who never asks pays for more: the first question reads all rows that
//! there are, later ones those of the positions that were folded since.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
};

use domain::{
    Millis, RowKey, ScanKey, Version,
    delivery::{self, Delivery, Outcome},
    record::{ANSWER, BASE, COMMAND},
};
use event_log::{Limit, Partition, Position};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use view_store::{Positions, StoreError, ViewStore};

use crate::{
    protocol::{problem::Problem, wait_for::WaitFor},
    rows::ReadError,
    window::Window,
};

/// Rows of so many new positions of a partition are read one by one; of more all of them are.
const READS_MAX: u64 = 512;
/// So many of them at a time.
const READS_AT_A_TIME: usize = 16;

/// Of what a partition holds and nobody folded yet, so much is looked through for a delivery: more than that is a
/// backlog of minutes, and then the metrics say what is wrong.
const TAIL: Limit = Limit { records_max: 1_000, bytes_max: 16 << 20 };

/// What is known of deliveries.
pub(crate) struct Deliveries {
    index: Mutex<Index>,
    /// Rises with every word of the projector.
    news: watch::Sender<u64>,
}

/// Where the rows of remembered deliveries are, by their ids: sixteen bytes a row.
struct Index {
    hasher: RandomState,
    /// Hash of the id, partition, place in it.
    places: BTreeSet<(u64, u32, u32)>,
    /// The same by place, for what is overwritten; and up to where the rows of a partition were read.
    partitions: BTreeMap<u32, Places>,
}

#[derive(Default)]
struct Places {
    read: Version,
    ids: BTreeMap<u32, u64>,
}

/// What is remembered of a delivery: one row for each stream and hook.
#[derive(Debug)]
pub(crate) struct Trace {
    rows: Vec<(u32, Delivery)>,
}

/// A delivery that is in the log and not folded.
#[derive(Debug)]
pub(crate) struct Unfolded {
    pub(crate) received: Millis,
    pub(crate) position: Position,
}

impl Deliveries {
    pub(crate) fn new() -> Self {
        let index =
            Index { hasher: RandomState::new(), places: BTreeSet::new(), partitions: BTreeMap::new() };
        Deliveries { index: Mutex::new(index), news: watch::Sender::new(0) }
    }

    /// Something was folded, or hints of it were lost.
    pub(crate) fn wake(&self) {
        if self.news.receiver_count() > 0 {
            self.news.send_modify(|news| *news = news.wrapping_add(1));
        }
    }
}

impl Window {
    /// What is remembered of a delivery; empty where nothing is.
    pub(crate) async fn trace(&self, id: &str) -> Result<Trace, ReadError> {
        let unavailable = |error: StoreError| {
            tracing::warn!(%error, "deliveries could not be read");
            ReadError::Unavailable
        };
        let places = {
            let mut index = self.deliveries.index.lock().await;
            // Before the rows are read, so that none of a later position counts as read.
            let folded = self.folded.known();
            let partitions = self.log.identity().partitions;
            index.read_on(&*self.store, &folded, partitions).await.map_err(unavailable)?;
            index.places_of(id)
        };
        let mut rows = Vec::with_capacity(places.len());
        for (partition, slot) in places {
            let row = self.store.get(&RowKey::Delivery(partition, slot)).await.map_err(unavailable)?;
            let delivery = row.and_then(|row| Delivery::decode(&row.value).ok());
            rows.extend(delivery.filter(|found| found.id == id).map(|found| (partition, found)));
        }
        Ok(Trace { rows })
    }

    /// The deliveries that were received last, the newest first.
    pub(crate) async fn newest_deliveries(&self, count: usize) -> Result<Vec<Delivery>, ReadError> {
        let unavailable = |error: StoreError| {
            tracing::warn!(%error, "deliveries could not be read");
            ReadError::Unavailable
        };
        let slots = {
            let mut index = self.deliveries.index.lock().await;
            let folded = self.folded.known();
            let partitions = self.log.identity().partitions;
            index.read_on(&*self.store, &folded, partitions).await.map_err(unavailable)?;
            index.newest(count, partitions)
        };
        let read =
            |(partition, slot)| async move { self.store.get(&RowKey::Delivery(partition, slot)).await };
        let rows = futures::stream::iter(slots).map(read).buffered(READS_AT_A_TIME);
        let rows: Vec<_> = rows.try_collect().await.map_err(unavailable)?;
        let mut newest: Vec<Delivery> =
            rows.into_iter().flatten().filter_map(|row| Delivery::decode(&row.value).ok()).collect();
        newest.sort_by_key(|delivery| std::cmp::Reverse(delivery.received_ms));
        // One that several accounts or hooks share is one delivery to people.
        newest.dedup_by(|one, other| one.id == other.id);
        newest.truncate(count);
        Ok(newest)
    }

    /// Waits until everything that a delivery changed is shown here.
    pub(crate) async fn wait_for(&self, wait: &WaitFor) -> Result<(), Problem> {
        let deadline = Instant::now() + wait.timeout;
        let mut news = self.deliveries.news.subscribe();
        if self.is_shown(&wait.delivery).await? {
            return Ok(());
        }
        // Counts among those who wait, and keeps its place until it is done.
        let _seat = self.waiting.sit_down().ok_or_else(Problem::computing)?;
        loop {
            match tokio::time::timeout_at(deadline, news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Problem::not_shown_yet(wait.timeout)),
            }
            if self.is_shown(&wait.delivery).await? {
                return Ok(());
            }
        }
    }

    async fn is_shown(&self, id: &str) -> Result<bool, ReadError> {
        // What an older generation shows changes no more.
        Ok(!self.shows_older() && self.trace(id).await?.visible_at().is_some())
    }

    /// Looks for a delivery among what nobody folded yet.
    pub(crate) async fn unfolded(&self, id: &str) -> Option<Unfolded> {
        let folded = self.folded.known();
        for bounds in self.log.bounds().await.ok()? {
            let next = folded.get(bounds.partition.0).map_or(bounds.start, |version| version.offset() + 1);
            let newest = bounds.end.saturating_sub(TAIL.records_max as u64);
            let from = Position { partition: bounds.partition, offset: next.max(newest).max(bounds.start) };
            if from.offset >= bounds.end {
                continue;
            }
            let records = self.log.read(from, TAIL).await.ok()?;
            let is_ours = |kind: &str| [ANSWER, COMMAND, BASE].contains(&kind);
            let found = records.into_iter().find(|(_, record)| record.id == id && !is_ours(&record.kind));
            if let Some((position, record)) = found {
                return Some(Unfolded { received: record.received_at, position });
            }
        }
        None
    }
}

impl Index {
    /// Takes in the rows of what was folded since the last time.
    async fn read_on(
        &mut self,
        store: &dyn ViewStore,
        folded: &Positions,
        partitions: u32,
    ) -> Result<(), StoreError> {
        for partition in 0..partitions {
            let folded = folded.get(partition);
            let read = self.partitions.get(&partition).map(|places| places.read);
            let (since, up_to) = match (read, folded) {
                (Some(read), None) => (Some(read), read),
                (Some(read), Some(folded)) if folded <= read => continue,
                (read, folded) => (read, folded.unwrap_or(Version::NONE)),
            };
            match since {
                Some(since) if since == up_to => continue,
                Some(since) if is_short(since, up_to) => {
                    self.read_some(store, Partition(partition), since, up_to, partitions).await?;
                }
                _ => self.read_all(store, partition).await?,
            }
            self.partitions.entry(partition).or_default().read = up_to;
        }
        Ok(())
    }

    async fn read_some(
        &mut self,
        store: &dyn ViewStore,
        Partition(partition): Partition,
        since: Version,
        up_to: Version,
        partitions: u32,
    ) -> Result<(), StoreError> {
        let offsets = futures::stream::iter(since.offset() + 1..=up_to.offset());
        let slots = offsets.map(|offset| delivery::slot(offset, partitions));
        let read = |slot| async move { store.get(&RowKey::Delivery(partition, slot)).await };
        let rows: Vec<_> = slots.map(read).buffered(READS_AT_A_TIME).try_collect().await?;
        for row in rows.into_iter().flatten() {
            self.note(&row.key, &row.value);
        }
        Ok(())
    }

    async fn read_all(&mut self, store: &dyn ViewStore, partition: u32) -> Result<(), StoreError> {
        let mut rows = store.scan(&ScanKey::Deliveries(partition)).await?;
        while let Some(row) = rows.try_next().await? {
            self.note(&row.key, &row.value);
        }
        Ok(())
    }

    fn note(&mut self, key: &RowKey, value: &[u8]) {
        let RowKey::Delivery(partition, slot) = *key else { return };
        // One of a newer release is not ours to tell of.
        let Ok(delivery) = Delivery::decode(value) else { return };
        let hash = self.hasher.hash_one(delivery.id.as_str());
        let places = self.partitions.entry(partition).or_default();
        if let Some(former) = places.ids.insert(slot, hash) {
            self.places.remove(&(former, partition, slot));
        }
        self.places.insert((hash, partition, slot));
    }

    /// The places of the newest deliveries of each partition, as far back as its places go.
    fn newest(&self, count: usize, partitions: u32) -> Vec<(u32, u32)> {
        let mut newest = Vec::new();
        for (&partition, places) in &self.partitions {
            let slots = u64::from(delivery::slots(partitions));
            let last = places.read.offset();
            let offsets = (last.saturating_sub(slots - 1)..=last).rev();
            let known = offsets.map(|offset| delivery::slot(offset, partitions));
            let known = known.filter(|slot| places.ids.contains_key(slot)).take(count);
            newest.extend(known.map(|slot| (partition, slot)));
        }
        newest
    }

    fn places_of(&self, id: &str) -> Vec<(u32, u32)> {
        let hash = self.hasher.hash_one(id);
        let found = self.places.range((hash, 0, 0)..=(hash, u32::MAX, u32::MAX));
        found.map(|(_, partition, slot)| (*partition, *slot)).collect()
    }
}

/// Whether so few positions lie between that their rows are read one by one.
fn is_short(since: Version, up_to: Version) -> bool {
    since.epoch() == up_to.epoch() && up_to.offset() - since.offset() <= READS_MAX
}

impl Trace {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The forge's name of the event.
    pub(crate) fn event(&self) -> &str {
        self.rows.first().map_or("", |(_, row)| &row.event)
    }

    /// The worst that came of it in any stream.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let severity = |outcome: &Outcome| match outcome {
            Outcome::Ignored => 0,
            Outcome::Unknown => 1,
            Outcome::Projected => 2,
            Outcome::Dead => 3,
        };
        self.rows.iter().map(|(_, row)| row.outcome).max_by_key(severity)
    }

    /// When the first of it was received.
    pub(crate) fn received_at(&self) -> Option<Millis> {
        self.rows.iter().map(|(_, row)| row.received_ms).min()
    }

    /// When all of it was applied; none while a stream is behind.
    pub(crate) fn applied_at(&self) -> Option<Millis> {
        let last = self.rows.iter().map(|(_, row)| row.applied_ms).max();
        last.filter(|_| self.is_whole())
    }

    /// When all of it was shown.
    pub(crate) fn visible_at(&self) -> Option<Millis> {
        let all: Option<Vec<Millis>> = self.rows.iter().map(|(_, row)| row.visible_ms).collect();
        all?.into_iter().max().filter(|_| self.is_whole())
    }

    /// Where it is in the log.
    pub(crate) fn positions(&self) -> impl Iterator<Item = Position> {
        let position = |(partition, row): &(u32, Delivery)| Position {
            partition: Partition(*partition),
            offset: row.offset,
        };
        self.rows.iter().map(position)
    }

    /// Whether of each hook's delivery all streams are there.
    fn is_whole(&self) -> bool {
        let mut by_hook: BTreeMap<&Option<String>, (usize, u8)> = BTreeMap::new();
        for (_, row) in &self.rows {
            let (count, streams) = by_hook.entry(&row.hook).or_default();
            *count += 1;
            *streams = row.streams.max(*streams);
        }
        !by_hook.is_empty() && by_hook.values().all(|(count, streams)| *count >= usize::from(*streams))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hook: &str, streams: u8, visible: Option<i64>) -> (u32, Delivery) {
        let delivery = Delivery {
            id: "a".into(),
            event: "push".into(),
            hook: Some(hook.into()),
            streams,
            offset: 1,
            outcome: Outcome::Projected,
            received_ms: Millis(1),
            applied_ms: Millis(2),
            visible_ms: visible.map(Millis),
        };
        (0, delivery)
    }

    #[test]
    fn a_delivery_is_shown_when_all_its_streams_of_every_hook_show_it() {
        let shown = |rows: Vec<_>| Trace { rows }.visible_at();
        assert_eq!(shown(vec![]), None);
        assert_eq!(shown(vec![row("1", 1, Some(3))]), Some(Millis(3)));
        assert_eq!(shown(vec![row("1", 2, Some(3))]), None, "the other account's is not folded");
        assert_eq!(shown(vec![row("1", 2, Some(3)), row("1", 2, Some(4))]), Some(Millis(4)));
        assert_eq!(
            shown(vec![row("1", 2, Some(3)), row("2", 2, Some(4))]),
            None,
            "two hooks, one stream each"
        );
        assert_eq!(shown(vec![row("1", 1, Some(3)), row("2", 1, None)]), None, "a large view waits");
    }

    #[test]
    fn what_is_overwritten_is_found_no_more() {
        let mut index =
            Index { hasher: RandomState::new(), places: BTreeSet::new(), partitions: BTreeMap::new() };
        let (_, delivery) = row("1", 1, None);
        let key = RowKey::Delivery(2, 5);
        index.note(&key, &delivery.encode());
        index.note(&key, &delivery.encode());
        assert_eq!(index.places_of("a"), [(2, 5)]);
        index.note(&key, &Delivery { id: "b".into(), ..delivery }.encode());
        assert_eq!((index.places_of("a"), index.places_of("b")), (vec![], vec![(2, 5)]));
        assert_eq!(index.places.len(), 1);
    }
}
