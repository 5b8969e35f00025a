//! The same delivery twice.

use tokio::task::JoinSet;

use super::{
    Failure, Harness, ensure,
    sample::{append_new, keyed, read_all, record, stream},
};
use crate::port::Appended;

pub(super) async fn duplicate_is_known(harness: &dyn Harness) -> Result<(), Failure> {
    if !harness.capabilities().remembers_duplicates {
        return Ok(());
    }
    let log = harness.open().await?;
    // A delivery that concerns two accounts: one key, two records.
    let delivery = vec![keyed(stream(1), 0, 1), keyed(stream(2), 1, 1)];
    append_new(&*log, delivery.clone()).await?;
    let bounds = log.bounds().await?;
    for _ in 0..3 {
        let again = log.append(delivery.clone()).await?;
        ensure!(again == Appended::Duplicate, "the same key again came to {again:?}");
    }
    ensure!(log.bounds().await? == bounds, "a duplicate was written");
    Ok(())
}

pub(super) async fn duplicate_is_known_after_crash(harness: &dyn Harness) -> Result<(), Failure> {
    if !harness.capabilities().remembers_duplicates {
        return Ok(());
    }
    let log = harness.open().await?;
    for number in 0..20 {
        append_new(&*log, vec![keyed(stream(number.into()), number.into(), number)]).await?;
    }
    harness.crash().await?;
    drop(log);
    let log = harness.open().await?;
    for number in 0..20 {
        let again = log.append(vec![keyed(stream(number.into()), number.into(), number)]).await?;
        ensure!(again == Appended::Duplicate, "after a crash, the same key again came to {again:?}");
    }
    append_new(&*log, vec![keyed(stream(1), 100, 100)]).await?;
    Ok(())
}

pub(super) async fn one_of_many_copies_is_new(harness: &dyn Harness) -> Result<(), Failure> {
    if !harness.capabilities().remembers_duplicates {
        return Ok(());
    }
    const COPIES: usize = 16;
    let log = harness.open().await?;
    for key in 0..8 {
        let mut copies = JoinSet::new();
        for _ in 0..COPIES {
            let log = log.clone();
            copies.spawn(async move { log.append(vec![keyed(stream(1), key.into(), key)]).await });
        }
        let mut new = 0;
        while let Some(copy) = copies.join_next().await {
            match copy.map_err(|error| Failure(error.to_string()))?? {
                Appended::New(_) => new += 1,
                Appended::Duplicate => {}
            }
        }
        ensure!(new == 1, "of {COPIES} copies at once {new} were new");
    }
    let written = read_all(&*log).await?.len();
    ensure!(written == 8, "8 deliveries were written {written} times");
    Ok(())
}

pub(super) async fn other_key_is_new(harness: &dyn Harness) -> Result<(), Failure> {
    let log = harness.open().await?;
    // One id throughout: GitHub gives one GUID to the deliveries of several hooks.
    append_new(&*log, vec![keyed(stream(1), 0, 1)]).await?;
    append_new(&*log, vec![keyed(stream(1), 0, 2)]).await?;
    append_new(&*log, vec![record(stream(1), 0)]).await?;
    append_new(&*log, vec![record(stream(1), 0)]).await?;
    let written = read_all(&*log).await?.len();
    ensure!(written == 4, "4 records with one id were written {written} times");
    Ok(())
}
