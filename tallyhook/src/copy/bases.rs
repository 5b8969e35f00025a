//! A folder whose log has forgotten has a copy that does not hold everything either: its partitions say so with their
//! first record, and get a base each, from which rows can be built anew there.

use anyhow::{Context, ensure};
use backfill::Aliases;
use domain::{
    Millis, Version,
    base::{Begin, Cutter, Part, carrier},
    record::BASE,
};
use event_log::{EventLog, Limit, Partition, Position, Record};

use super::{records::Logs, rows::Stores};

/// Whether the folder's log has forgotten anything, or was copied from one that had.
pub(super) async fn are_needed(from: &dyn EventLog) -> anyhow::Result<bool> {
    Ok(from.bounds().await?.iter().any(|bounds| bounds.start > 0))
}

/// Whether a record is the beginning or the end of a base, which say where they are in their own log.
pub(super) fn is_mark(record: &Record) -> bool {
    record.kind == BASE && !matches!(Part::decode(&record.body), Ok(Part::Rows(_)))
}

/// Has every empty partition of the target begin by saying that it does not hold everything.
pub(super) async fn announce(logs: Logs<'_>) -> anyhow::Result<()> {
    let one = Limit { records_max: 1, bytes_max: 0 };
    for bounds in logs.to.bounds().await? {
        let at = Position { partition: bounds.partition, offset: bounds.start };
        if let Some((_, first)) = logs.to.read(at, one).await?.first() {
            ensure!(
                is_mark(first),
                "the target log holds a copy of a folder that had not forgotten yet: copy into a new topic"
            );
            continue;
        }
        let begin = Begin { id: 0, from: Version::NONE, is_needed: true };
        let record = Record {
            stream: carrier(|stream| logs.to.partition_of(stream) == bounds.partition),
            id: "base-none".to_owned(),
            dedupe: None,
            kind: BASE.to_owned(),
            received_at: Millis(0),
            headers: Vec::new(),
            body: Cutter::begin(begin).1.into(),
        };
        logs.to.append(vec![record]).await.context("the target log takes no records")?;
    }
    Ok(())
}

/// Makes a base of every partition of the target, whose rows are all there.
pub(super) async fn make(logs: Logs<'_>, stores: Stores<'_>) -> anyhow::Result<()> {
    let from = stores.from.clone();
    let aliases: Aliases = std::sync::Arc::new(move || from.rows_of(domain::Family::Alias));
    for partition in (0..logs.to.identity().partitions).map(Partition) {
        backfill::make_base(logs.to, stores.to, &aliases, partition).await?;
    }
    Ok(())
}
