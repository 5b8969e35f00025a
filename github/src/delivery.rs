//! What a delivery's body comes to, whichever way it came in: whose it is, and what tells it from any other.

use sha2::{Digest, Sha256};

pub use crate::nesting::is_too_deep;
use crate::{headers::DeliveryHeaders, routing};
use domain::{StreamKey, record::STREAMS};

/// Why a text is no delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no JSON object.
    NotJson,
    /// It nests deeper than anything sensible.
    TooDeep,
}

/// Where a delivery belongs, and what tells it from any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The streams that it is appended to, never none; see [`routing::route`].
    pub streams: Vec<StreamKey>,
    /// The same for every copy of it: see [`identity`].
    pub identity: [u8; 16],
}

impl Placed {
    /// The headers to store with each of its records, out of those that came with it.
    pub fn headers(&self, kept: &[(String, String)]) -> Vec<(String, String)> {
        let mut headers = kept.to_vec();
        if self.streams.len() > 1 {
            // So that who looks for a delivery knows when all of it was applied.
            headers.push((STREAMS.to_owned(), self.streams.len().to_string()));
        }
        headers
    }
}

/// Reads a delivery's JSON as far as it takes to place it; `raw` are the bytes as they were signed. Takes some
/// 10 µs for an ordinary body, tens of milliseconds for the largest.
///
/// # Errors
/// When the body is no delivery.
pub fn place(delivery: &DeliveryHeaders, json: &[u8], raw: &[u8]) -> Result<Placed, Unreadable> {
    let streams = routing::route(delivery.event.as_str(), json).map_err(|_| Unreadable::NotJson)?;
    if is_too_deep(json) {
        return Err(Unreadable::TooDeep);
    }
    let identity = identity(delivery.delivery.as_str(), delivery.hook_id.as_deref(), raw);
    Ok(Placed { streams, identity })
}

/// What tells a repeated delivery from another one: 16 bytes of a SHA-256 over GUID, hook and the bytes as they
/// were signed.
///
/// A plain hash would be a few microseconds faster. But those who hold one of several secrets need not trust
/// each other, and GitHub shares a GUID among the hooks of an event: none of them may be able to make a body
/// that has another's delivery taken for a repetition.
pub fn identity(guid: &str, hook_id: Option<&str>, raw: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"tallyhook delivery 1");
    // Lengths before contents, and a hook that was not named unlike any that was: no two triples look alike.
    for part in [Some(guid.as_bytes()), hook_id.map(str::as_bytes), Some(raw)] {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        hash.update(length.to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_in_every_part_and_are_frozen() {
        let key = identity("72d3162e", Some("1"), b"{}");
        let others = [
            identity("72d3162e", Some("2"), b"{}"),
            identity("72d3162e", None, b"{}"),
            identity("72d3162e", Some(""), b"{}"),
            identity("72d3162", Some("e1"), b"{}"),
            identity("72d3162e1", Some(""), b"{}"),
            identity("72d3162e", Some("1{"), b"}"),
            identity("72d3162e", Some("1"), b"{} "),
        ];
        assert!(others.iter().all(|other| *other != key));
        // Keys outlive a restart: another way to make them would not know the deliveries of before.
        assert_eq!(const_hex::encode(key), "6c88f8ca079065c8e6b500d2c164e6fa");
    }
}
