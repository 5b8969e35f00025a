//! What a delivery becomes in the log: the same record in the stream of each account that it concerns.

use bytes::Bytes;
use domain::{Millis, record::GITHUB_DELIVERY};
use event_log::{DedupeKey, Record};
use github::{body::VerifiedBody, form::FormError, headers::DeliveryHeaders, routing};
use sha2::{Digest, Sha256};

use crate::nesting;

/// Why a body that was signed with our secret is no delivery all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotJson,
    TooDeep,
    Form(FormError),
}

/// The records of a delivery, never none. Takes some 10 µs for an ordinary body, tens of milliseconds for the
/// largest.
pub(crate) fn records(
    delivery: &DeliveryHeaders,
    body: &VerifiedBody,
    received_at: Millis,
) -> Result<Vec<Record>, Unreadable> {
    let json = body.json().map_err(Unreadable::Form)?;
    let streams = routing::route(delivery.event.as_str(), &json).map_err(|_| Unreadable::NotJson)?;
    if nesting::is_too_deep(&json) {
        return Err(Unreadable::TooDeep);
    }
    let dedupe = dedupe_key(delivery.delivery.as_str(), delivery.hook_id.as_deref(), body.raw());
    let record = |stream| Record {
        stream,
        id: delivery.delivery.as_str().to_owned(),
        dedupe: Some(dedupe),
        kind: GITHUB_DELIVERY.to_owned(),
        received_at,
        headers: delivery.kept.clone(),
        body: Bytes::clone(&json),
    };
    Ok(streams.into_iter().map(record).collect())
}

/// What tells a repeated delivery from another one: 16 bytes of a SHA-256 over GUID, hook and the bytes as they
/// were signed.
///
/// A plain hash would be a few microseconds faster. But those who hold one of several secrets need not trust
/// each other, and GitHub shares a GUID among the hooks of an event: none of them may be able to make a body
/// that has another's delivery taken for a repetition.
fn dedupe_key(guid: &str, hook_id: Option<&str>, raw: &[u8]) -> DedupeKey {
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
    DedupeKey(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_in_every_part_and_are_frozen() {
        let key = dedupe_key("72d3162e", Some("1"), b"{}");
        let others = [
            dedupe_key("72d3162e", Some("2"), b"{}"),
            dedupe_key("72d3162e", None, b"{}"),
            dedupe_key("72d3162e", Some(""), b"{}"),
            dedupe_key("72d3162", Some("e1"), b"{}"),
            dedupe_key("72d3162e1", Some(""), b"{}"),
            dedupe_key("72d3162e", Some("1{"), b"}"),
            dedupe_key("72d3162e", Some("1"), b"{} "),
        ];
        assert!(others.iter().all(|other| *other != key));
        // Keys outlive a restart: another way to make them would not know the deliveries of before.
        assert_eq!(format!("{key:?}"), "6c88f8ca079065c8e6b500d2c164e6fa");
    }
}
