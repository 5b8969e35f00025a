//! The stored form of a rendered payload: gzip bytes with what the answer's headers need.

use std::{cell::RefCell, io::Read as _};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status, read::GzDecoder};
use serde::{Deserialize, Serialize};

use crate::{
    codec::DecodeError,
    time::{Millis, Second},
};

/// The encoding of a stored view.
const TAG: u8 = 1;

/// gzip's usual level: 38 µs for 7 kB, and a fifth of the size.
const GZIP_LEVEL: u32 = 6;

/// What gzip bytes begin with (RFC 1952): deflated, no name, no time, made on no system in particular.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

thread_local! {
    /// Kept from one payload to the next: a new one allocates and clears its tables, which was a quarter of the
    /// time of folding and rendering a lone push. Nothing of one payload reaches the next.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(GZIP_LEVEL), false));
}

/// What a view row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A payload.
    Body(Body),
    /// There is none any more: the repository is hidden.
    Gone,
}

/// A rendered payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What stands beside the bytes.
    pub meta: Meta,
    /// The payload, compressed.
    pub gzip: Bytes,
}

/// What stands beside a payload's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// A hash of the payload, from which ETags are made.
    pub hash: u64,
    /// Length of the payload, inflated.
    pub length: u32,
    /// The newest forge time of anything in it.
    pub as_of: Second,
    /// When the part of it that was checked longest ago was checked, on our clock; `None` while some part
    /// never was.
    pub checked_ms: Option<Millis>,
    /// Whether every number in it is known and none in doubt.
    pub complete: bool,
    /// The present name of what it shows: `login` or `login/name`.
    pub name: String,
}

#[derive(Serialize, Deserialize)]
enum Header {
    Body(Meta),
    Gone,
}

/// The hash from which ETags are made.
pub fn hash(payload: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(payload)
}

impl Body {
    /// Compresses a payload.
    pub fn new(payload: &[u8], meta: Meta) -> Self {
        Body { meta, gzip: DEFLATE.with_borrow_mut(|deflate| gzip(deflate, payload)).into() }
    }
}

/// A payload's bytes again; `None` where they are damaged, or longer than `length`.
pub fn inflate(gzip: &[u8], length: u32) -> Option<Bytes> {
    let length = usize::try_from(length).ok()?;
    let mut payload = Vec::with_capacity(length);
    // One byte more than there should be shows a payload that is longer than it says.
    let limit = u64::try_from(length).ok()? + 1;
    GzDecoder::new(gzip).take(limit).read_to_end(&mut payload).ok()?;
    (payload.len() == length).then(|| payload.into())
}

fn gzip(deflate: &mut Compress, payload: &[u8]) -> Vec<u8> {
    deflate.reset();
    let mut gzip = Vec::with_capacity(payload.len() / 4 + 64);
    gzip.extend_from_slice(&GZIP_HEAD);
    loop {
        let taken = usize::try_from(deflate.total_in()).expect("no more is taken than is in memory");
        let status = deflate.compress_vec(&payload[taken..], &mut gzip, FlushCompress::Finish);
        if status.expect("a stream that was just reset deflates") == Status::StreamEnd {
            break;
        }
        gzip.reserve(gzip.capacity());
    }
    let mut crc = Crc::new();
    crc.update(payload);
    gzip.extend_from_slice(&crc.sum().to_le_bytes());
    gzip.extend_from_slice(&crc.amount().to_le_bytes());
    gzip
}

impl Stored {
    /// The stored form.
    pub fn encode(&self) -> Bytes {
        let header = match self {
            Stored::Body(body) => Header::Body(body.meta.clone()),
            Stored::Gone => Header::Gone,
        };
        let mut bytes = crate::codec::encode(TAG, &header);
        if let Stored::Body(body) = self {
            bytes.extend_from_slice(&body.gzip);
        }
        bytes.into()
    }

    /// Reads the stored form; the compressed bytes are shared, not copied.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((&TAG, rest)) => {
                let (header, gzip) = postcard::take_from_bytes(rest).map_err(|_| DecodeError::Damaged)?;
                Ok(match header {
                    Header::Body(meta) => Stored::Body(Body { meta, gzip: bytes.slice_ref(gzip) }),
                    Header::Gone => Stored::Gone,
                })
            }
            Some((&tag, _)) => Err(DecodeError::Tag(tag)),
            None => Err(DecodeError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row's bytes must not depend on what its thread compressed before.
    #[test]
    fn bytes_are_the_same_whatever_came_before_and_inflate_to_the_payload() {
        let text = |seed: u64, length: usize| -> Vec<u8> {
            let mut state = seed;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 33
            };
            let words = std::iter::from_fn(|| Some(format!("{{\"name\":\"r{}\"}},", next() % 97)));
            words.flat_map(String::into_bytes).take(length).collect()
        };
        for (seed, length) in (0..).zip([0, 1, 100, 5_000, 70_000, 300, 400_000, 7, 40_000, 400_000, 5_000]) {
            let payload = text(seed, length);
            let mut fresh = Compress::new(Compression::new(GZIP_LEVEL), false);
            let reused = DEFLATE.with_borrow_mut(|deflate| gzip(deflate, &payload));
            assert!(reused == gzip(&mut fresh, &payload), "{length} bytes");
            let said = u32::try_from(length).unwrap();
            assert!(inflate(&reused, said).unwrap() == payload, "{length} bytes");
            assert_eq!(inflate(&reused, said + 1), None, "shorter than it says");
            assert!(length == 0 || inflate(&reused, said - 1).is_none(), "longer than it says");
        }
    }

    #[test]
    fn stored_views_read_back() {
        let payload = br#"{"user":{}}"#.repeat(100);
        let meta = Meta {
            hash: hash(&payload),
            length: 1100,
            as_of: Second(5),
            checked_ms: Some(Millis(7)),
            complete: true,
            name: "octocat".into(),
        };
        let stored = Stored::Body(Body::new(&payload, meta));
        assert_eq!(Stored::decode(&stored.encode()), Ok(stored));
        assert_eq!(Stored::decode(&Stored::Gone.encode()), Ok(Stored::Gone));
        assert_eq!(Stored::decode(&Bytes::from_static(&[9, 9])), Err(DecodeError::Tag(9)));
    }
}
