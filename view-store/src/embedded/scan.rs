//! Scans in pieces: each piece is read on a blocking thread in a transaction of its own, so that a slow
//! reader neither holds old pages of the file nor more than one piece in memory.

use std::{ops::Bound, sync::Arc};

use domain::RowKey;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Base, commit,
    table::{StoredRows, Table},
};
use crate::port::{Row, RowStream, StoreError};

/// A piece ends after so many rows or bytes (but holds at least one row): large enough that the way to
/// the blocking thread does not matter, small enough for memory and for a transaction of a millisecond.
const PIECE_ROWS_MAX: usize = 512;
const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// All rows of `table` whose keys begin with `prefix`, in key order.
pub(super) fn rows(base: Arc<Base>, table: Table, prefix: Vec<u8>) -> RowStream {
    let start = Some(Place { prefix, after: None });
    stream::try_unfold(start, move |place| {
        let base = Arc::clone(&base);
        async move {
            let Some(place) = place else { return Ok(None) };
            let piece = tokio::task::spawn_blocking(move || piece(&base, table, place)).await;
            let (rows, place) =
                piece.map_err(|_| StoreError::Retry("the process is stopping".to_owned()))??;
            Ok(Some((stream::iter(rows.into_iter().map(Ok)), place)))
        }
    })
    .try_flatten()
    .boxed()
}

/// How far a scan has got.
struct Place {
    prefix: Vec<u8>,
    /// The last key that was read.
    after: Option<Vec<u8>>,
}

/// Rows of one piece, and where the next begins, if there may be one.
type Piece = (Vec<Row>, Option<Place>);

fn piece(base: &Base, table: Table, place: Place) -> Result<Piece, StoreError> {
    let is_first = place.after.is_none();
    let found = base.read(|transaction| match table.read(transaction)? {
        Some(stored) => read_piece(&stored, table, place).map(Some),
        None => Ok(None),
    })?;
    match found {
        Some(piece) => Ok(piece),
        None if is_first => Ok((Vec::new(), None)),
        None => Err(StoreError::Retry(format!("{} was retired during a scan", table.name()))),
    }
}

fn read_piece(stored: &StoredRows, table: Table, place: Place) -> Result<Piece, redb::Error> {
    let from = match &place.after {
        None => Bound::Included(place.prefix.as_slice()),
        Some(after) => Bound::Excluded(after.as_slice()),
    };
    let mut rows = Vec::new();
    let mut bytes = 0;
    for entry in stored.range::<&[u8]>((from, Bound::Unbounded))? {
        let (key, value) = entry?;
        let key = key.value();
        if !key.starts_with(&place.prefix) {
            break;
        }
        let (version, value) = commit::decode(key, value.value())?;
        bytes += key.len() + value.len();
        let decoded = RowKey::decode(table.family, key).ok_or_else(|| {
            redb::Error::Corrupted(format!("{} holds a key that cannot be read", table.name()))
        })?;
        let row = Row { key: decoded, version, value };
        if row.is_erased() {
            continue;
        }
        rows.push(row);
        if rows.len() == PIECE_ROWS_MAX || bytes >= PIECE_BYTES_MAX {
            let after = Some(key.to_vec());
            return Ok((rows, Some(Place { after, ..place })));
        }
    }
    Ok((rows, None))
}
