//! What the world emits, as records: the same that the door appends for a signed delivery, but for the
//! memory of deliveries. Correctness never needs that memory (it is best effort on some logs, and ends after
//! days), so here every copy is folded.

use bytes::Bytes;
use domain::{Millis, record::GITHUB_DELIVERY};
use event_log::Record;
use fake_github::Emitted;
use github::{headers, routing};

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    /// An App that is installed everywhere. It is not told of deletions.
    App,
    /// A hook of the organisation that the event is about.
    Organization,
}

impl Ear {
    /// Whether the event is told to it; `of_organization`: the event is about an organisation.
    pub fn hears(self, event: &Emitted, of_organization: bool) -> bool {
        match self {
            Ear::App => event.audience.app,
            Ear::Organization => event.audience.organization && of_organization,
        }
    }

    fn hook_id(self) -> &'static str {
        match self {
            Ear::App => "7001",
            Ear::Organization => "7002",
        }
    }

    fn body(self, event: &Emitted) -> Bytes {
        match self {
            Ear::App => event.body_for_app(),
            Ear::Organization => event.body.clone(),
        }
    }
}

/// The records of one delivery, received at this moment of our clock: one for each account that it concerns.
pub fn records(event: &Emitted, ear: Ear, received_at: Millis) -> Vec<Record> {
    let body = ear.body(event);
    let streams = routing::route(event.event, &body).expect("an emitted body is a JSON object");
    let record = |stream| Record {
        stream,
        id: event.guid.clone(),
        dedupe: None,
        kind: GITHUB_DELIVERY.to_owned(),
        received_at,
        headers: vec![
            (headers::EVENT.to_owned(), event.event.to_owned()),
            (headers::DELIVERY.to_owned(), event.guid.clone()),
            (headers::HOOK_ID.to_owned(), ear.hook_id().to_owned()),
        ],
        body: body.clone(),
    };
    streams.into_iter().map(record).collect()
}
