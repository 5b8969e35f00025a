//! Values that are too large for one cell, in chunks.
//!
//! A set of chunks belongs to one value of one version of one row: its name holds the row's key, the version and
//! a hash of the value, so no two values ever share a chunk. The whole set is written before the row's cell points
//! to it. Whoever is killed in between has changed nothing that a reader sees; two writers at once write two sets,
//! and the cell decides between them as it does for small values.
//!
//! When a later version was written, the set of the version that it replaces is deleted: no reader that asks a
//! quorum meets its cell again, and a reader that holds the cell finds chunks missing and reads the cell again. A
//! set that its writer never came to point to, or whose row became small, stays until its generation is retired.

use bytes::{Bytes, BytesMut};
use domain::{Version, key::bytes::KeyBytes};
use futures::{StreamExt, TryStreamExt, stream};
use xxhash_rust::xxh3::xxh3_128;

use super::{Base, cell::Chunked, cell::write_time};
use crate::port::StoreError;

/// Values up to this stand in one cell. Servers answer slowly from cells much larger, and refuse writes beyond
/// some multiple of it.
pub(super) const WHOLE_BYTES_MAX: usize = 1024 * 1024;
/// Length of a chunk: what servers write in one piece without holding up others.
const CHUNK_BYTES: u32 = 512 * 1024;
/// Chunks of one value that are on their way at a time: enough for the network, 4 MiB of memory.
const CHUNKS_AT_ONCE: usize = 8;

/// Describes a value that is to be written in chunks.
pub(super) fn describe(value: &[u8]) -> Chunked {
    let hash = xxh3_128(value).to_be_bytes();
    Chunked { bytes: value.len() as u64, chunk_bytes: CHUNK_BYTES, hash }
}

/// Writes all chunks of a value.
pub(super) async fn write(
    base: &Base,
    key: &KeyBytes,
    version: Version,
    chunked: &Chunked,
    value: &Bytes,
) -> Result<(), StoreError> {
    let statement = &base.statements.chunks(key.family).write;
    let set = name_of_set(key, version, chunked);
    let time = write_time(version)?;
    let pieces = (0..).zip(value.chunks(CHUNK_BYTES as usize));
    stream::iter(pieces.map(Ok))
        .try_for_each_concurrent(CHUNKS_AT_ONCE, |(number, piece): (i32, &[u8])| {
            let set = set.as_slice();
            async move {
                let _permit = base.write_permit().await;
                base.execute(statement, (set, number, piece, time)).await.map(drop)
            }
        })
        .await
}

/// Reads a value; `None` if its chunks are not all there, or not its own.
pub(super) async fn read(
    base: &Base,
    key: &KeyBytes,
    version: Version,
    chunked: &Chunked,
) -> Result<Option<Bytes>, StoreError> {
    let statement = &base.statements.chunks(key.family).get;
    let set = name_of_set(key, version, chunked);
    let Some((count, bytes)) = extent(chunked) else { return Ok(None) };
    let mut pieces = stream::iter(0..count)
        .map(|number| {
            let set = set.as_slice();
            async move {
                let _permit = base.read_permit().await;
                base.first_row::<(Option<Bytes>,)>(statement, (set, number)).await
            }
        })
        .buffered(CHUNKS_AT_ONCE);
    let mut value = BytesMut::with_capacity(bytes);
    while let Some(piece) = pieces.try_next().await? {
        let Some((Some(piece),)) = piece else { return Ok(None) };
        value.extend_from_slice(&piece);
    }
    let is_whole = value.len() == bytes && xxh3_128(&value).to_be_bytes() == chunked.hash;
    Ok(is_whole.then(|| value.freeze()))
}

/// Deletes the chunks of a version that was replaced.
pub(super) async fn remove(
    base: &Base,
    key: &KeyBytes,
    version: Version,
    chunked: &Chunked,
) -> Result<(), StoreError> {
    let statement = &base.statements.chunks(key.family).remove;
    let set = name_of_set(key, version, chunked);
    let _permit = base.write_permit().await;
    base.execute(statement, (write_time(version)?, set)).await.map(drop)
}

/// The name of a set; frozen. It begins with the table, so that it can be told whose it is.
fn name_of_set(key: &KeyBytes, version: Version, chunked: &Chunked) -> Vec<u8> {
    let table = key.family.table().as_bytes();
    let version = version.as_raw().to_be_bytes();
    [table, &[0], &key.bytes, &version, &chunked.hash].concat()
}

/// Number of chunks and length of the value, if they can be right.
fn extent(chunked: &Chunked) -> Option<(i32, usize)> {
    let count = chunked.bytes.div_ceil(u64::from(chunked.chunk_bytes).max(1));
    Some((i32::try_from(count).ok()?, usize::try_from(chunked.bytes).ok()?))
}
