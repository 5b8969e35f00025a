//! Rows of records that could not be folded, and how many there are in the partitions at hand.

use std::collections::HashSet;

use domain::{Row, RowKey, ScanKey, StreamKey, Version, directory::DeadLetter, key::BUCKETS};
use event_log::{Position, Record};
use futures::TryStreamExt;
use github::headers;
use prometheus::IntGauge;
use view_store::{StoreError, ViewStore};

/// The dead letters of the partitions at hand, counted: each is in the gauge of one process.
pub(crate) struct DeadLetters {
    known: HashSet<(StreamKey, Version)>,
    gauge: IntGauge,
}

impl DeadLetters {
    /// Knows of none yet.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        DeadLetters { known: HashSet::new(), gauge }
    }

    /// Counts those of partitions that came to this process.
    pub(crate) fn take(&mut self, found: HashSet<(StreamKey, Version)>) {
        self.known.extend(found);
        self.count();
    }

    /// Leaves streams to other processes.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(StreamKey) -> bool) {
        self.known.retain(|(stream, _)| !is_gone(*stream));
        self.count();
    }

    /// The row of a record that could not be folded.
    pub(crate) fn add(
        &mut self,
        record: &Record,
        position: Position,
        version: Version,
        reason: String,
    ) -> Row {
        self.known.insert((record.stream, version));
        self.count();
        let event = record.header(headers::EVENT);
        let letter = DeadLetter::Dead {
            id: record.id.clone(),
            kind: event.map_or_else(|| record.kind.clone(), |event| format!("{} {event}", record.kind)),
            partition: position.partition.0,
            offset: position.offset,
            received_ms: record.received_at,
            reason,
        };
        Row { key: RowKey::DeadLetter(record.stream, version), version, value: letter.encode().into() }
    }

    /// The row of one that was given up, or appended again, by the record at `at`.
    pub(crate) fn end(&mut self, stream: StreamKey, version: Version, at: Version) -> Row {
        self.known.remove(&(stream, version));
        self.count();
        Row {
            key: RowKey::DeadLetter(stream, version),
            version: at,
            value: DeadLetter::Ended.encode().into(),
        }
    }

    fn count(&self) {
        self.gauge.set(i64::try_from(self.known.len()).unwrap_or(i64::MAX));
    }
}

/// Those that are stored of some streams.
pub(crate) async fn stored(
    store: &dyn ViewStore,
    is_wanted: impl Fn(StreamKey) -> bool,
) -> Result<HashSet<(StreamKey, Version)>, StoreError> {
    let mut found = HashSet::new();
    for bucket in 0..BUCKETS {
        let mut rows = store.scan(&ScanKey::DeadLetters(bucket)).await?;
        while let Some(row) = rows.try_next().await? {
            if let (RowKey::DeadLetter(stream, version), Ok(DeadLetter::Dead { .. })) =
                (row.key, DeadLetter::decode(&row.value))
                && is_wanted(stream)
            {
                found.insert((stream, version));
            }
        }
    }
    Ok(found)
}
