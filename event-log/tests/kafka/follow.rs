//! Members of groups.

use std::{collections::BTreeMap, time::Duration};

use event_log::{Assignment, EventLog, Next, Partition, Position, Record, Subscription};

use crate::sample::ALL;

/// Far longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What comes next, within the patience of a test.
pub(crate) async fn next(subscription: &mut dyn Subscription) -> Next {
    tokio::time::timeout(PATIENCE, subscription.next(ALL)).await.expect("nothing came").unwrap()
}

/// Joins and waits until every partition is there; starts each where the group committed.
pub(crate) async fn join_alone(
    log: &dyn EventLog,
    group: &str,
) -> (Box<dyn Subscription>, BTreeMap<Partition, Option<u64>>) {
    let mut subscription = log.subscribe(group).await.unwrap();
    let mut committed = BTreeMap::new();
    while committed.len() < log.identity().partitions as usize {
        match next(&mut *subscription).await {
            Next::Assigned(assignments) => {
                start(&mut *subscription, &assignments).await;
                committed.extend(assignments.iter().map(|a| (a.partition, a.committed)));
            }
            other => panic!("{other:?} came before the partitions"),
        }
    }
    (subscription, committed)
}

/// Starts partitions where the group committed.
pub(crate) async fn start(subscription: &mut dyn Subscription, assignments: &[Assignment]) {
    for assignment in assignments {
        let offset = assignment.committed.unwrap_or(0);
        subscription.seek(Position { partition: assignment.partition, offset }).await.unwrap();
    }
}

/// So many records; nothing else may come.
pub(crate) async fn take(subscription: &mut dyn Subscription, count: usize) -> Vec<(Position, Record)> {
    let mut records = Vec::new();
    while records.len() < count {
        match next(subscription).await {
            Next::Records(more) => records.extend(more),
            other => panic!("{other:?} came where records were due"),
        }
    }
    records
}

/// The positions to continue from after these records.
pub(crate) fn after(records: &[(Position, Record)]) -> Vec<Position> {
    let ends: BTreeMap<Partition, u64> =
        records.iter().map(|(position, _)| (position.partition, position.offset + 1)).collect();
    ends.into_iter().map(|(partition, offset)| Position { partition, offset }).collect()
}
