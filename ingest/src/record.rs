//! What a delivery becomes in the log: the same record in the stream of each account that it concerns.

use bytes::Bytes;
use domain::{Millis, record::GITHUB_DELIVERY};
use event_log::{DedupeKey, Record};
use github::{
    body::VerifiedBody,
    delivery::{self, Placed},
    form::FormError,
    headers::DeliveryHeaders,
};

/// Why a body that was signed with our secret is no delivery all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotJson,
    TooDeep,
    Form(FormError),
}

impl From<delivery::Unreadable> for Unreadable {
    fn from(unreadable: delivery::Unreadable) -> Self {
        match unreadable {
            delivery::Unreadable::NotJson => Unreadable::NotJson,
            delivery::Unreadable::TooDeep => Unreadable::TooDeep,
        }
    }
}

/// The records of a delivery, never none. Takes some 10 µs for an ordinary body, tens of milliseconds for the
/// largest.
pub(crate) fn records(
    delivery: &DeliveryHeaders,
    body: &VerifiedBody,
    received_at: Millis,
) -> Result<Vec<Record>, Unreadable> {
    let json = body.json().map_err(Unreadable::Form)?;
    let placed = delivery::place(delivery, &json, body.raw())?;
    let headers = placed.headers(&delivery.kept);
    let Placed { streams, identity } = placed;
    let record = |stream| Record {
        stream,
        id: delivery.delivery.as_str().to_owned(),
        dedupe: Some(DedupeKey(identity)),
        kind: GITHUB_DELIVERY.to_owned(),
        received_at,
        headers: headers.clone(),
        body: Bytes::clone(&json),
    };
    Ok(streams.into_iter().map(record).collect())
}
