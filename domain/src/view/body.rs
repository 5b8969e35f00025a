//! The stored form of a rendered payload: gzip bytes with what the answer's headers need.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};

use crate::{
    codec::DecodeError,
    time::{Millis, Second},
};

/// The encoding of a stored view.
const TAG: u8 = 1;

/// gzip's usual level: 38 µs for 7 kB, and a fifth of the size.
const GZIP_LEVEL: u32 = 6;

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
        let mut encoder =
            GzEncoder::new(Vec::with_capacity(payload.len() / 4 + 64), Compression::new(GZIP_LEVEL));
        let gzip = encoder.write_all(payload).and_then(|()| encoder.finish());
        Body { meta, gzip: gzip.expect("writing to memory does not fail").into() }
    }
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
