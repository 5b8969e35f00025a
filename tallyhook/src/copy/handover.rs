//! What makes the target's projectors go on where the copy ends: rows by which each partition of the new log is
//! recognised, and the offsets from which to fold.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use domain::Epoch;
use event_log::{Limit, LogError, Next, Partition, Position, Wait};
use projector::{Projector, seen_row};
use tracing::warn;

use super::{records::Logs, rows::Stores};

/// A group of one member has all partitions within this, unless another member is there.
const ASSIGNMENT_MAX: Duration = Duration::from_secs(90);
/// Nothing is read here.
const NOTHING: Limit = Limit { records_max: 1, bytes_max: 0 };

/// Writes the rows, then commits the offsets; a group that starts without them folds the log from its beginning.
pub(crate) async fn hand_over(logs: Logs<'_>, stores: Stores<'_>, epoch: Epoch) -> anyhow::Result<()> {
    let last = logs.last_records().await?;
    stores.write(last.iter().map(|(at, record)| seen_row(*at, record, epoch)).collect()).await?;
    let ends = logs.to.bounds().await?;
    let ends: Vec<Position> =
        ends.into_iter().map(|bounds| Position { partition: bounds.partition, offset: bounds.end }).collect();
    tokio::time::timeout(ASSIGNMENT_MAX, commit(logs, &ends)).await.context(
        "the target log gave the copy not all of its partitions, or took no offsets: stop every projector of the cluster",
    )?
}

async fn commit(logs: Logs<'_>, ends: &[Position]) -> anyhow::Result<()> {
    let mut subscription = logs.to.subscribe(&Projector::group()).await?;
    let mut missing: BTreeSet<Partition> = ends.iter().map(|end| end.partition).collect();
    while !missing.is_empty() {
        let assigned = match subscription.next(NOTHING).await {
            Ok(Next::Assigned(assigned)) => assigned,
            Ok(Next::Revoked(gone) | Next::Lost(gone)) => {
                missing.extend(gone);
                continue;
            }
            Ok(Next::Records(_)) => continue,
            Err(LogError::Retry(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        for assignment in assigned {
            let end = ends.iter().find(|end| end.partition == assignment.partition);
            let end = end.with_context(|| format!("partition {} is new", assignment.partition.0))?;
            ensure!(
                assignment.committed.is_none_or(|committed| committed <= end.offset),
                "the group has folded more than was copied: copy into a new topic"
            );
            subscription.seek(*end).await?;
            missing.remove(&assignment.partition);
        }
    }
    loop {
        match subscription.commit(ends, Wait::Durable).await {
            Err(LogError::Retry(cause)) => warn!(cause, "the offsets are not committed yet; trying again"),
            done => return Ok(done?),
        }
    }
}
