//! Cases about generations: what is apart, and what is not.

use super::{
    harness::{Harness, Outcome, ensure, open_generation},
    rows::{brief, every_key, every_range, expect_row, expect_rows, is_in, row, scan, version},
};
use crate::port::Row;

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
