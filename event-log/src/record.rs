//! One entry of the log.

use bytes::Bytes;
use domain::{Millis, StreamKey};
use serde::{Deserialize, Serialize};

/// What tells two appends of the same delivery apart from two deliveries: 16 bytes of a hash over
/// GUID, hook and body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DedupeKey(pub [u8; 16]);

impl std::fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is; records of one stream keep their order.
    pub stream: StreamKey,
    /// What a person would look for: a delivery's GUID, a job's id.
    pub id: String,
    /// Set where the same thing may be appended twice.
    pub dedupe: Option<DedupeKey>,
    /// What kind of body this is; opaque to the log.
    pub kind: String,
    /// When the source got it, on our clock.
    pub received_at: Millis,
    /// Facts about the body that are not in it; opaque to the log.
    pub headers: Vec<(String, String)>,
    /// The body, usually JSON; opaque to the log.
    pub body: Bytes,
}

impl Record {
    /// The value of the first header called `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// About how many bytes it takes in memory; what bounds in bytes count.
    pub(crate) fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        size_of::<Self>() + self.id.len() + self.kind.len() + headers + self.body.len()
    }
}
