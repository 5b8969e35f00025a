//! Waiting for what comes next.

use std::{future::poll_fn, task::Poll};

use bytes::Bytes;

use super::{
    Failure, Harness, ensure,
    follow::Follower,
    reading::check_limit,
    sample::{ALL, append_new, record, stream},
};
use crate::{
    port::{Limit, LogError, Next, Subscription},
    record::Record,
};

pub(super) async fn next_keeps_limits(harness: &dyn Harness) -> Result<(), Failure> {
    const COUNT: usize = 30;
    const BODY_BYTES: usize = 1000;
    let log = harness.open().await?;
    let body = Bytes::from(vec![b'b'; BODY_BYTES]);
    for number in 0..COUNT as u64 {
        let record = Record { body: body.clone(), ..record(stream(number), number) };
        append_new(&*log, vec![record]).await?;
    }
    let mut follower = Follower::resume(&*log, "group").await?;
    let mut delivered = 0;
    let limits = [(0, 0), (3, usize::MAX), (usize::MAX, 1), (usize::MAX, 3 * BODY_BYTES), (5, 2500)];
    for (records_max, bytes_max) in limits.into_iter().cycle() {
        let limit = Limit { records_max, bytes_max };
        let records = follower.batch(limit).await?;
        check_limit(limit, &records)?;
        delivered += records.len();
        if delivered >= COUNT {
            break;
        }
    }
    ensure!(delivered == COUNT, "{COUNT} records were appended, {delivered} delivered");
    Ok(())
}

pub(super) async fn next_wakes_on_append(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    let mut follower = Follower::resume(&*log, "group").await?;
    for number in 0..10 {
        let waiting = follower.batch(ALL);
        let mut waiting = std::pin::pin!(waiting);
        let early = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        ensure!(early.is_pending(), "something was delivered that was never appended");
        append_new(&*log, vec![record(stream(number), number)]).await?;
        let records = waiting.await?;
        ensure!(records.len() == 1, "one record was appended, {} delivered", records.len());
        ensure!(records[0].1 == record(stream(number), number), "another record was delivered");
    }
    Ok(())
}

pub(super) async fn next_may_be_dropped(harness: &dyn Harness) -> Result<(), Failure> {
    const COUNT: usize = 120;
    let log = harness.open().await?;
    let records = |from: u64, to: u64| (from..to).map(|number| record(stream(number), number)).collect();
    append_new(&*log, records(0, 60)).await?;
    // Whatever is kept in memory is gone, so that `next` has to wait for older records too.
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    append_new(&*log, records(60, COUNT as u64)).await?;

    let mut follower = Follower::resume(&*log, "group").await?;
    let limit = Limit { records_max: 5, bytes_max: usize::MAX };
    let mut delivered = Vec::new();
    let mut polls = 0;
    while delivered.len() < COUNT {
        // Give up after none, one, two polls; but get on with it every fourth time.
        polls = (polls + 1) % 4;
        let next = if polls == 3 {
            Some(follower.subscription.next(limit).await)
        } else {
            polled(follower.subscription.as_mut(), limit, polls).await
        };
        match next {
            None => tokio::task::yield_now().await,
            Some(Ok(Next::Records(records))) => delivered.extend(records),
            Some(other) => return Err(Failure(format!("{other:?} came where records were due"))),
        }
    }
    let mut positions: Vec<_> = delivered.iter().map(|(position, _)| *position).collect();
    for window in delivered.windows(2) {
        let (before, after) = (window[0].0, window[1].0);
        ensure!(
            before.partition != after.partition || before.offset + 1 == after.offset,
            "{after} was delivered after {before}"
        );
    }
    positions.sort_unstable();
    positions.dedup();
    ensure!(delivered.len() == COUNT, "{COUNT} records were appended, {} delivered", delivered.len());
    ensure!(positions.len() == COUNT, "{} records came twice", COUNT - positions.len());
    Ok(())
}

/// Starts `next`, polls it so often, and drops it; what it gave by then.
async fn polled(
    subscription: &mut dyn Subscription,
    limit: Limit,
    polls: usize,
) -> Option<Result<Next, LogError>> {
    let mut next = std::pin::pin!(subscription.next(limit));
    for _ in 0..polls {
        let polled = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        if let Poll::Ready(next) = polled {
            return Some(next);
        }
        tokio::task::yield_now().await;
    }
    None
}
