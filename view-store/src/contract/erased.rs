//! The case about rows that were erased.

use domain::{EntityKey, RowKey, ScanKey, ViewKey};

use super::{
    harness::{Finding, Harness, Outcome, open},
    rows::{expect_row, member, row, scan, stream, version},
};
use crate::{account, port::Row};

/// Longer than what one cell of any store holds whole.
const LARGE_BYTES: usize = 3 << 20;

pub(super) async fn are_gone(harness: &dyn Harness) -> Outcome {
    let store = open(harness).await?;
    let owner = domain::AccountId::github(1);
    let repo = domain::RepoId::github(7);
    let keys = [
        RowKey::Entity(stream(1), EntityKey::Account),
        RowKey::Entity(stream(1), EntityKey::Repository(repo)),
        RowKey::View(stream(1), ViewKey::Account),
        RowKey::View(stream(1), ViewKey::Repository(repo)),
        RowKey::RepoName(owner, "name".to_owned()),
        member(stream(1), 1),
    ];
    let large = Row { value: vec![7; LARGE_BYTES].into(), ..row(&keys[2], version(5), "") };
    let mut rows: Vec<Row> = keys.iter().map(|key| row(key, version(5), "kept")).collect();
    rows[2] = large;
    store.write(rows.clone()).await?;
    let held = account::rows_of(&*store, owner).await?;
    let mut found: Vec<RowKey> = held.into_iter().map(|held| held.key).collect();
    found.sort();
    let mut wanted = keys.to_vec();
    wanted.sort();
    if found != wanted {
        return Err(Finding(format!("of an account {found:?} are found, and not {wanted:?}")));
    }

    store.write(keys.iter().map(|key| Row::erased(key.clone(), version(6))).collect()).await?;
    for late in [rows, Vec::new()] {
        store.write(late).await?;
        for key in &keys {
            if let Some(row) = store.get(key).await? {
                return Err(Finding(format!("{key:?} was erased, and read as {} bytes", row.value.len())));
            }
        }
        for range in [ScanKey::Entities(stream(1)), ScanKey::Members(stream(1)), ScanKey::RepoNames(owner)] {
            let rows = scan(&store, range).await?;
            if !rows.is_empty() {
                return Err(Finding(format!("a scan of {range:?} gave {} erased rows", rows.len())));
            }
        }
    }
    if !account::rows_of(&*store, owner).await?.is_empty() {
        return Err(Finding("rows of an account are found that were erased".to_owned()));
    }
    let newer = row(&keys[1], version(7), "anew");
    store.write(vec![newer.clone()]).await?;
    expect_row(&store, &newer).await
}
