//! The bytes of a stored record, frozen: a log of an older release is read by them.
//!
//! `tag (1) ++ crc32c of the rest (4, little endian) ++ postcard header ++ body`. A change is a new tag, never
//! an edit of this one.

use std::cell::RefCell;

use bytes::Bytes;
use domain::{Millis, StreamKey};
use lz4_flex::block::{CompressTable, compress_into_with_table};
use serde::{Deserialize, Serialize};

use crate::record::{DedupeKey, Record};

/// The only layout so far.
const TAG: u8 = 1;

/// Tag and checksum.
const PREFIX_BYTES: usize = 5;

/// Room for the header of an ordinary delivery, so that its buffer rarely grows twice.
const HEADER_BYTES_USUAL: usize = 512;

/// Why stored bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("it starts with tag {0}, which this version does not know")]
    UnknownTag(u8),
    #[error("its checksum does not match")]
    Checksum,
    #[error("it cannot be decoded")]
    Malformed,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    stream: &'a [u8],
    id: &'a str,
    dedupe: Option<DedupeKey>,
    kind: &'a str,
    received_at: Millis,
    headers: Vec<(&'a str, &'a str)>,
    body: Form,
}

#[derive(Serialize, Deserialize)]
enum Form {
    /// The body as it is.
    Plain,
    /// An lz4 block that inflates to so many bytes.
    Lz4 { bytes: u64 },
}

/// What compressing a body needs beside it.
struct Scratch {
    table: CompressTable,
    compressed: Vec<u8>,
}

/// Bodies up to this size share a thread's scratch; it is the bound of the small table too. A larger body is
/// compressed where it will lie, so that no thread holds on to 25 MiB.
const SCRATCH_BODY_BYTES_MAX: usize = 65_534;

thread_local! {
    /// Kept, so that a record that waits holds its stored bytes alone, and not room for the largest outcome of
    /// compressing its body.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

impl Scratch {
    fn new() -> Self {
        Scratch { table: CompressTable::small(), compressed: Vec::new() }
    }

    /// The body as an lz4 block; `None` where that makes it no smaller.
    fn compress(&mut self, body: &[u8]) -> Option<&[u8]> {
        let bytes_max = lz4_flex::block::get_maximum_output_size(body.len());
        if self.compressed.len() < bytes_max {
            self.compressed.resize(bytes_max, 0);
        }
        let length = compress_into_with_table(body, &mut self.compressed, &mut self.table).ok()?;
        (length < body.len()).then(|| &self.compressed[..length])
    }
}

/// Encodes `record`, its body compressed where that makes it smaller.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    if record.body.len() <= SCRATCH_BODY_BYTES_MAX {
        SCRATCH.with_borrow_mut(|scratch| encode_with(scratch, record))
    } else {
        encode_large(record)
    }
}

/// Compresses where the outcome will lie: a scratch beside it would take as much memory as the body once more.
fn encode_large(record: &Record) -> Vec<u8> {
    let body = &record.body;
    let bytes_max = lz4_flex::block::get_maximum_output_size(body.len());
    let mut out = encode_header(record, Form::Lz4 { bytes: body.len() as u64 }, bytes_max);
    let header_bytes = out.len();
    out.resize(header_bytes + bytes_max, 0);
    match compress_into_with_table(body, &mut out[header_bytes..], &mut CompressTable::large()) {
        Ok(length) if length < body.len() => {
            out.truncate(header_bytes + length);
            out.shrink_to_fit();
        }
        _ => {
            out.clear();
            out = write_header(record, Form::Plain, out);
            out.extend_from_slice(body);
        }
    }
    seal(&mut out);
    out
}

/// Puts the checksum in its place.
fn seal(out: &mut [u8]) {
    let checksum = crc32c::crc32c(&out[PREFIX_BYTES..]);
    out[1..PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

fn encode_with(scratch: &mut Scratch, record: &Record) -> Vec<u8> {
    let (form, body) = match scratch.compress(&record.body) {
        Some(compressed) => (Form::Lz4 { bytes: record.body.len() as u64 }, compressed),
        None => (Form::Plain, &record.body[..]),
    };
    let mut out = encode_header(record, form, body.len());
    out.extend_from_slice(body);
    seal(&mut out);
    out
}

fn encode_header(record: &Record, body: Form, body_bytes: usize) -> Vec<u8> {
    write_header(record, body, Vec::with_capacity(PREFIX_BYTES + HEADER_BYTES_USUAL + body_bytes))
}

/// Into an empty buffer, whose room is used.
fn write_header(record: &Record, body: Form, mut out: Vec<u8>) -> Vec<u8> {
    out.push(TAG);
    out.extend_from_slice(&[0; 4]);
    let header = Header {
        stream: &record.stream.to_bytes(),
        id: &record.id,
        dedupe: record.dedupe,
        kind: &record.kind,
        received_at: record.received_at,
        headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        body,
    };
    postcard::to_extend(&header, out).expect("writing to memory cannot fail")
}

/// A stored record whose checksum is right and whose body is still as stored.
pub(super) struct Stored<'a> {
    header: Header<'a>,
    body: &'a [u8],
}

impl<'a> Stored<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        let (&tag, rest) = bytes.split_first().ok_or(Damage::Malformed)?;
        if tag != TAG {
            return Err(Damage::UnknownTag(tag));
        }
        let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(Damage::Malformed)?;
        if crc32c::crc32c(rest) != u32::from_le_bytes(*checksum) {
            return Err(Damage::Checksum);
        }
        let (header, body) = postcard::take_from_bytes(rest).map_err(|_| Damage::Malformed)?;
        Ok(Stored { header, body })
    }

    pub(super) fn kind(&self) -> &str {
        self.header.kind
    }

    /// Size of the body once inflated.
    pub(super) fn body_bytes(&self) -> usize {
        match self.header.body {
            Form::Plain => self.body.len(),
            Form::Lz4 { bytes } => usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn into_record(self) -> Result<Record, Damage> {
        let body = match self.header.body {
            Form::Plain => Bytes::copy_from_slice(self.body),
            Form::Lz4 { bytes } => {
                let bytes = usize::try_from(bytes).map_err(|_| Damage::Malformed)?;
                let body = lz4_flex::block::decompress(self.body, bytes).map_err(|_| Damage::Malformed)?;
                if body.len() != bytes {
                    return Err(Damage::Malformed);
                }
                Bytes::from(body)
            }
        };
        let (stream, rest) = StreamKey::read_key(self.header.stream).ok_or(Damage::Malformed)?;
        if !rest.is_empty() {
            return Err(Damage::Malformed);
        }
        Ok(Record {
            stream,
            id: self.header.id.to_owned(),
            dedupe: self.header.dedupe,
            kind: self.header.kind.to_owned(),
            received_at: self.header.received_at,
            headers: self
                .header
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::AccountId;

    use super::*;

    fn record(body: &[u8]) -> Record {
        Record {
            stream: StreamKey::Account(AccountId::github(583_231)),
            id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
            dedupe: Some(DedupeKey([7; 16])),
            kind: "github/push".to_owned(),
            received_at: Millis(1_763_719_200_123),
            headers: vec![("X-GitHub-Event".to_owned(), "push".to_owned())],
            body: Bytes::copy_from_slice(body),
        }
    }

    /// `record(b"{}")`, whose body is too short to gain from compression.
    const PLAIN: &str = "01c0ce82270901000000000008e63f2437326433313632652d636337382d313165332d383161622d34633933363764633039353801070707070707070707070707070707070b6769746875622f70757368f6f5d9ddd466010e582d4769744875622d4576656e740470757368007b7d";
    /// `record(b"abcdefgh" × 8)`.
    const COMPRESSED: &str = "0152ec0ab20901000000000008e63f2437326433313632652d636337382d313165332d383161622d34633933363764633039353801070707070707070707070707070707070b6769746875622f70757368f6f5d9ddd466010e582d4769744875622d4576656e74047075736801408f616263646566676808001f60636465666768";

    #[test]
    fn the_encoding_is_frozen() {
        assert_eq!(const_hex::encode(encode(&record(b"{}"))), PLAIN);
        for (golden, body) in [(PLAIN, b"{}".to_vec()), (COMPRESSED, b"abcdefgh".repeat(8))] {
            let stored = const_hex::decode(golden).unwrap();
            assert_eq!(Stored::parse(&stored).unwrap().into_record().unwrap(), record(&body));
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let stored = encode(&record(&b"abcdefgh".repeat(8)));
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 0x10;
            assert!(Stored::parse(&changed).is_err(), "byte {at}");
            assert!(Stored::parse(&stored[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn bodies_are_compressed_only_where_that_helps() {
        let repetitive = encode(&record(&b"abcdefgh".repeat(1000)));
        assert!(repetitive.len() < 400, "{}", repetitive.len());
        let mut noise = Vec::new();
        let mut state = 1u64;
        while noise.len() < 8000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.push(u8::try_from(state >> 56).unwrap());
        }
        let noisy = encode(&record(&noise));
        assert!(noisy.len() < noise.len() + 200, "{}", noisy.len());
        assert_eq!(Stored::parse(&noisy).unwrap().body_bytes(), noise.len());
        assert_eq!(Stored::parse(&noisy).unwrap().into_record().unwrap(), record(&noise));
    }
}
