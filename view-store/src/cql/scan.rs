//! Scans in pages, each a statement of its own that begins after the last row of the one before: a scan may
//! pause for as long as it likes, and go on with another server.

use std::sync::Arc;

use bytes::Bytes;
use domain::ScanKey;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Base,
    cell::{self, Read},
    chunks,
    place::Range,
};
use crate::port::{Row, RowStream, StoreError};

/// Rows of the first page, and of every one after a page that failed: at their largest 32 MiB.
const PAGE_ROWS_MIN: usize = 32;
/// Rows of a page of small rows; with more of them the way to the server no longer matters.
const PAGE_ROWS_MAX: usize = 512;
/// What a page is to weigh, judged by the one before.
const PAGE_BYTES: usize = 1024 * 1024;

/// All rows of a range, in key order.
pub(super) fn rows(base: Arc<Base>, range: &ScanKey) -> RowStream {
    let start = Some((Range::of(range), PAGE_ROWS_MIN));
    stream::try_unfold(start, move |place| {
        let base = Arc::clone(&base);
        async move {
            let Some((range, rows_max)) = place else { return Ok(None) };
            let (rows, next) = page(&base, range, rows_max).await?;
            Ok::<_, StoreError>(Some((stream::iter(rows.into_iter().map(Ok)), next)))
        }
    })
    .try_flatten()
    .boxed()
}

/// Rows of one page, and where the next begins and how long it is, if there may be one.
type Page = (Vec<Row>, Option<(Range, usize)>);

async fn page(base: &Base, range: Range, rows_max: usize) -> Result<Page, StoreError> {
    let (asked, found) = match read(base, &range, rows_max).await {
        // It may have been too much for one answer.
        Err(StoreError::Retry(_)) if rows_max > PAGE_ROWS_MIN => {
            (PAGE_ROWS_MIN, read(base, &range, PAGE_ROWS_MIN).await?)
        }
        found => (rows_max, found?),
    };
    let bytes: usize = found.iter().map(|(row_key, value, _)| row_key.len() + value.len()).sum();
    let is_last = found.len() < asked;
    let rows_next = (PAGE_BYTES * found.len() / bytes.max(1)).clamp(PAGE_ROWS_MIN, PAGE_ROWS_MAX);
    let next = match found.last() {
        Some((row_key, ..)) if !is_last => Some((range.clone().after(row_key), rows_next)),
        _ => None,
    };
    let mut rows = Vec::with_capacity(found.len());
    for (row_key, value, time) in found {
        rows.extend(row(base, &range, &row_key, &value, time).await?);
    }
    Ok((rows, next))
}

/// Row key, cell, and write time.
type Found = (Bytes, Bytes, i64);

async fn read(base: &Base, range: &Range, rows_max: usize) -> Result<Vec<Found>, StoreError> {
    let statement = base.statements.rows(range.family).scan.as_ref();
    let statement = statement.expect("every family with ranges has a prepared scan");
    let count = i32::try_from(rows_max).expect("a page has at most some hundred rows");
    let values = (&range.partition_key, &range.start, &range.end, count);
    let _permit = base.read_permit().await;
    let found = base.all_rows::<(Bytes, Option<Bytes>, Option<i64>)>(statement, values).await?;
    let whole = found.into_iter().map(|(row_key, value, time)| match (value, time) {
        (Some(value), Some(time)) => Ok((row_key, value, time)),
        _ => Err(base.damaged(range.family)),
    });
    whole.collect()
}

async fn row(
    base: &Base,
    range: &Range,
    row_key: &[u8],
    value: &Bytes,
    time: i64,
) -> Result<Option<Row>, StoreError> {
    let key = range.key(row_key).ok_or_else(|| base.damaged(range.family))?;
    let version = cell::version(time);
    match cell::read(value).ok_or_else(|| base.damaged(range.family))? {
        // A copy: a slice would keep the whole page in memory for as long as one row is kept.
        Read::Whole(value) => Ok(Some(Row { key, version, value: Bytes::copy_from_slice(&value) })),
        Read::Chunked(chunked) => {
            match chunks::read(base, &key.encode(), version, &chunked).await? {
                Some(value) => Ok(Some(Row { key, version, value })),
                // It was written again since the page was read.
                None => base.get(&key).await,
            }
        }
    }
}
