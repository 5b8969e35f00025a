//! Rows that say when a delivery was applied, and since when what it changed is shown.

use std::time::{SystemTime, UNIX_EPOCH};

use bitbucket::delivery as bitbucket;
use domain::{
    Millis, Row, Version,
    delivery::{self, Delivery, Outcome},
    record::STREAMS,
};
use event_log::{Position, Record};
use github::headers;

/// A delivery that was folded and is not written yet.
pub(crate) struct Applied {
    pub(crate) position: Position,
    version: Version,
    delivery: Delivery,
}

impl Applied {
    pub(crate) fn new(position: Position, record: &Record, version: Version, outcome: Outcome) -> Self {
        let header = |name| record.header(name).map(str::to_owned);
        let delivery = Delivery {
            id: record.id.clone(),
            event: header(headers::EVENT).or_else(|| header(bitbucket::EVENT)).unwrap_or_default(),
            hook: header(headers::HOOK_ID).or_else(|| header(bitbucket::HOOK)),
            streams: record.header(STREAMS).and_then(|count| count.parse().ok()).unwrap_or(1),
            offset: position.offset,
            outcome,
            received_ms: record.received_at,
            applied_ms: now(),
            visible_ms: None,
        };
        Applied { position, version, delivery }
    }

    /// The row of one whose change is written, in a log of so many partitions, but waits in a large view.
    pub(crate) fn waiting(&self, partitions: u32) -> Row {
        self.delivery.row(self.position.partition.0, partitions, self.version)
    }

    /// The row of one whose change is shown from now on.
    pub(crate) fn visible(mut self, partitions: u32) -> Row {
        self.delivery.visible_ms = Some(now());
        self.waiting(partitions)
    }
}

/// Whether a record is too far from the end of its partition to be remembered: in a rebuild nearly all are.
pub(crate) fn is_past(offset: u64, end: u64, partitions: u32) -> bool {
    offset.saturating_add(u64::from(delivery::slots(partitions))) < end
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
