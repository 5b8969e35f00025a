//! Cases about generations: what is apart, and what is not.

use std::sync::{Arc, atomic::Ordering};

use domain::{Active, Epoch, RowKey, StreamKey};

use super::{
    harness::{Harness, Outcome, ensure, open_generation},
    rows::{brief, every_key, every_range, expect_row, expect_rows, is_in, row, scan, version},
};
use crate::{
    Heard, Hint, Hints as _, InProcessHints, ViewStore,
    port::Row,
    served::{Generation, Partitions, Served},
};

pub(super) async fn are_isolated(harness: &dyn Harness) -> Outcome {
    let (old, new) = (open_generation(harness, 1).await?, open_generation(harness, 2).await?);
    let keys: Vec<_> = every_key().into_iter().filter(|key| key.family().is_generational()).collect();
    // The old generation is ahead in versions, which must not matter to the new one.
    let olds: Vec<Row> = keys.iter().map(|key| row(key, version(90), "of the old generation")).collect();
    old.write(olds.clone()).await?;
    for key in &keys {
        let found = new.get(key).await?;
        ensure!(found.is_none(), "{} is of another generation", brief(found.as_ref()));
    }
    let news: Vec<Row> = keys.iter().step_by(2).map(|key| row(key, version(7), "of the new one")).collect();
    new.write(news.clone()).await?;
    new.flush().await?;
    for range in every_range(&keys) {
        for (store, rows) in [(&old, &olds), (&new, &news)] {
            let expected: Vec<Row> = rows.iter().filter(|row| is_in(range, &row.key)).cloned().collect();
            expect_rows(range, &scan(store, range).await?, &expected)?;
        }
    }
    for row in &olds {
        expect_row(&old, row).await?;
    }
    for row in &news {
        expect_row(&new, row).await?;
    }
    Ok(())
}

pub(super) async fn share_some_families(harness: &dyn Harness) -> Outcome {
    let (old, new) = (open_generation(harness, 1).await?, open_generation(harness, 2).await?);
    for key in every_key().into_iter().filter(|key| !key.family().is_generational()) {
        let written = row(&key, version(5), "written by the old one");
        old.write(vec![written.clone()]).await?;
        expect_row(&new, &written).await?;
        new.write(vec![row(&key, version(4), "an older write of the new one")]).await?;
        expect_row(&old, &written).await?;
        let rewritten = row(&key, version(6), "written by the new one");
        new.write(vec![rewritten.clone()]).await?;
        expect_row(&old, &rewritten).await?;
    }
    Ok(())
}

/// Partitions of the log that the cases suppose.
const PARTITIONS: u32 = 3;

fn partition_of(stream: StreamKey) -> u32 {
    u32::try_from(stream.stable_hash() % u64::from(PARTITIONS)).expect("less than the partitions")
}

/// As readers see it: rows that no stream owns are the same for all.
fn shown(keys: &[RowKey], is_new: impl Fn(u32) -> bool) -> Vec<Row> {
    let rows = keys.iter().filter_map(|key| key.stream().map(|stream| (key, partition_of(stream))));
    rows.map(|(key, partition)| new_or_old(key, is_new(partition))).collect()
}

fn new_or_old(key: &RowKey, is_new: bool) -> Row {
    if is_new { row(key, version(9), "of the new one") } else { row(key, version(10), "of the old one") }
}

pub(super) async fn older_is_served(harness: &dyn Harness) -> Outcome {
    let (old, new) = (open_generation(harness, 1).await?, open_generation(harness, 2).await?);
    let keys: Vec<RowKey> = every_key().into_iter().filter(|key| key.family().is_generational()).collect();
    old.write(shown(&keys, |_| false)).await?;
    new.write(shown(&keys, |_| true)).await?;
    let active = |generation, partition| Active { generation }.row(partition, Epoch::FIRST);
    // Of the last partition nothing was ever finished.
    new.write(vec![active(1, 0), active(1, 1)]).await?;
    let (old_hints, new_hints) = (Arc::new(InProcessHints::new()), Arc::new(InProcessHints::new()));
    let generation = |number, store: &Arc<dyn ViewStore>, hints: &Arc<InProcessHints>| Generation {
        number,
        store: Arc::clone(store),
        hints: Arc::clone(hints) as Arc<dyn crate::Hints>,
    };
    let partitions = Partitions { count: PARTITIONS, of: Box::new(partition_of) };
    let own = generation(2, &new, &new_hints);
    let served = Served::open(own, vec![generation(1, &old, &old_hints)], partitions).await?;
    let (seen, shows_older) = (served.store(), served.shows_older());
    let mut follower = served.hints().follow();

    expect_shown(&seen, &keys, |partition| partition == 2).await?;
    ensure!(!served.is_own() && !served.has_views(), "two partitions are shown of the old one, one of none");
    let folded = |offset| (0..PARTITIONS).map(move |partition| told(partition, offset)).collect::<Vec<_>>();
    old_hints.publish(folded(5));
    new_hints.publish(folded(3));
    expect_heard(&mut follower, &[(0, 5), (1, 5), (2, 3)]).await?;

    new.write(vec![active(2, 1)]).await?;
    served.look().await?;
    expect_shown(&seen, &keys, |partition| partition > 0).await?;
    ensure!(
        matches!(follower.next().await, Some(Heard::Missed)),
        "what is kept is of another generation now"
    );
    ensure!(shows_older.load(Ordering::Relaxed), "one partition is not done");
    new.write(vec![active(2, 0), active(2, 2)]).await?;
    served.look().await?;
    expect_shown(&seen, &keys, |_| true).await?;
    ensure!(served.is_own() && served.has_views(), "all partitions are done");
    ensure!(shows_older.load(Ordering::Relaxed), "who keeps copies was not told yet");
    ensure!(
        matches!(follower.next().await, Some(Heard::Missed)),
        "what is kept is of another generation now"
    );
    new_hints.publish(folded(7));
    old_hints.publish(folded(8));
    expect_heard(&mut follower, &[(0, 7), (1, 7), (2, 7)]).await?;
    ensure!(!shows_older.load(Ordering::Relaxed), "who keeps copies was told");

    // An older one that comes back changes nothing.
    old.write(vec![active(1, 0)]).await?;
    served.look().await?;
    expect_shown(&seen, &keys, |_| true).await
}

fn told(partition: u32, offset: u64) -> Hint {
    Hint::Folded { partition, version: version(offset) }
}

async fn expect_shown(seen: &Arc<dyn ViewStore>, keys: &[RowKey], is_new: impl Fn(u32) -> bool) -> Outcome {
    let rows = shown(keys, is_new);
    for row in &rows {
        expect_row(seen, row).await?;
    }
    for range in every_range(keys) {
        let expected: Vec<Row> = rows.iter().filter(|row| is_in(range, &row.key)).cloned().collect();
        expect_rows(range, &scan(seen, range).await?, &expected)?;
    }
    Ok(())
}

/// Hears until each of these was told; nothing else may be.
async fn expect_heard(follower: &mut Box<dyn crate::Follower>, expected: &[(u32, u64)]) -> Outcome {
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < expected.len() {
        let Some(Heard::Hints(hints)) = follower.next().await else {
            return Err(super::harness::Finding("nothing was lost".to_owned()));
        };
        for hint in hints.iter() {
            let Hint::Folded { partition, version } = hint else { continue };
            let told = (*partition, version.offset());
            ensure!(expected.contains(&told), "{told:?} is of a generation that is not shown");
            heard.insert(told);
        }
    }
    Ok(())
}
