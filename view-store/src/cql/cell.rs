//! What stands in the one cell of a row: the value itself, or where its chunks are. Frozen.
//!
//! The row's version is the cell's write time and nowhere else, so that what a reader takes for the version is
//! what decided between two writes.

use bytes::Bytes;
use domain::Version;
use scylla::{
    cluster::metadata::ColumnType,
    serialize::{
        SerializationError,
        value::SerializeValue,
        writers::{CellWriter, WrittenCellProof},
    },
};

use crate::port::StoreError;

/// First byte of a cell that holds the value.
const WHOLE: u8 = 0;
/// First byte of a cell that holds a [`Chunked`].
const CHUNKED: u8 = 1;
const HASH_BYTES: usize = 16;

/// A cell on its way out: no copy of the value is made for its first byte.
pub(super) enum Cell<'a> {
    /// The value itself.
    Whole(&'a [u8]),
    /// Where it is.
    Chunked(Chunked),
}

/// A value that lies in chunks, and how to tell that they are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunked {
    /// Length of the whole value.
    pub(super) bytes: u64,
    /// Length of each chunk but the last.
    pub(super) chunk_bytes: u32,
    /// xxh3 of the value, 128 bits.
    pub(super) hash: [u8; HASH_BYTES],
}

impl SerializeValue for Cell<'_> {
    fn serialize<'b>(
        &self,
        _typ: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        let mut cell = writer.into_value_builder();
        match self {
            Cell::Whole(value) => {
                cell.append_bytes(&[WHOLE]);
                cell.append_bytes(value);
            }
            Cell::Chunked(chunked) => {
                cell.append_bytes(&[CHUNKED]);
                cell.append_bytes(&chunked.bytes.to_be_bytes());
                cell.append_bytes(&chunked.chunk_bytes.to_be_bytes());
                cell.append_bytes(&chunked.hash);
            }
        }
        cell.finish().map_err(SerializationError::new)
    }
}

/// A cell that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Whole(Bytes),
    Chunked(Chunked),
}

/// Reads what [`Cell`] wrote; `None` if this release never writes such a cell.
pub(super) fn read(cell: &Bytes) -> Option<Read> {
    match cell.split_first()? {
        (&WHOLE, _) => Some(Read::Whole(cell.slice(1..))),
        (&CHUNKED, rest) => {
            let (bytes, rest) = rest.split_first_chunk()?;
            let (chunk_bytes, hash) = rest.split_first_chunk()?;
            Some(Read::Chunked(Chunked {
                bytes: u64::from_be_bytes(*bytes),
                chunk_bytes: u32::from_be_bytes(*chunk_bytes),
                hash: hash.try_into().ok()?,
            }))
        }
        _ => None,
    }
}

/// The write time of a row of this version.
///
/// # Errors
/// [`StoreError::Stop`] for a number that no log gives.
pub(super) fn write_time(version: Version) -> Result<i64, StoreError> {
    i64::try_from(version.as_raw())
        .map_err(|_| StoreError::Stop(format!("{version} is beyond every version of a log")))
}

/// The version of a row of this write time. What was written without a version counts as before every record.
pub(super) fn version(write_time: i64) -> Version {
    Version::from_raw(u64::try_from(write_time).unwrap_or(Version::NONE.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cell: &Cell<'_>) -> Bytes {
        let mut frame = Vec::new();
        let blob = ColumnType::Native(scylla::cluster::metadata::NativeType::Blob);
        cell.serialize(&blob, CellWriter::new(&mut frame)).unwrap();
        // A cell's length stands before it.
        Bytes::from(frame).slice(4..)
    }

    #[test]
    fn cells_are_frozen_and_read_back() {
        let whole = written(&Cell::Whole(b"value"));
        assert_eq!(&whole[..], b"\0value");
        assert_eq!(read(&whole), Some(Read::Whole(Bytes::from_static(b"value"))));
        assert_eq!(read(&written(&Cell::Whole(b""))), Some(Read::Whole(Bytes::new())));

        let chunked = Chunked { bytes: 0x0102, chunk_bytes: 0x0304, hash: [5; HASH_BYTES] };
        let cell = written(&Cell::Chunked(chunked));
        assert_eq!(const_hex_of(&cell), "0100000000000001020000030405050505050505050505050505050505");
        assert_eq!(read(&cell), Some(Read::Chunked(chunked)));

        for other in [&b""[..], b"\x02", b"\x01short", b"\x01and more than twenty-nine bytes of it"] {
            assert_eq!(read(&Bytes::copy_from_slice(other)), None);
        }
    }

    fn const_hex_of(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn versions_are_write_times() {
        for version_ in [Version::NONE, Version::LEAST, Version::from_raw(1 << 50)] {
            assert_eq!(version(write_time(version_).unwrap()), version_);
        }
        assert_eq!(version(-1), Version::NONE);
        assert!(write_time(Version::from_raw(u64::MAX)).is_err());
    }
}
