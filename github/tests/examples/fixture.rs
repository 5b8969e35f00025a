//! The example payloads of npm `@octokit/webhooks-examples`, as they are kept in `fixtures/`.

use std::io::Read;

use domain::{Event, Millis};
use flate2::read::GzDecoder;
use github::{
    routing::route,
    translate::{Delivery, TranslateError, Translated, translate},
};

const PACKED: &[u8] = include_bytes!("fixtures/webhooks-examples.tsv.gz");

/// 2026-11-21T10:00:00Z, after every time in the examples.
pub(crate) const RECEIVED: Millis = Millis(1_795_255_200_000);

/// One payload.
#[derive(Debug)]
pub(crate) struct Example {
    /// Which server sent it: `api.github.com` or a GitHub Enterprise Server.
    pub(crate) server: &'static str,
    pub(crate) event: &'static str,
    pub(crate) body: &'static str,
}

/// All of them, in a fixed order.
pub(crate) fn examples() -> Vec<Example> {
    let mut unpacked = String::new();
    GzDecoder::new(PACKED).read_to_string(&mut unpacked).expect("the fixture unpacks");
    let unpacked: &'static str = unpacked.leak();
    unpacked
        .lines()
        .map(|line| {
            let mut parts = line.splitn(3, '\t');
            let mut next = || parts.next().expect("server, event and payload, between tabs");
            Example { server: next(), event: next(), body: next() }
        })
        .collect()
}

/// Routes a body and translates it for every stream it goes to, as the door and the projector do.
pub(crate) fn deliver<'a>(
    event: &'a str,
    body: &'a [u8],
) -> Vec<(String, Result<Translated<'a>, TranslateError>)> {
    let streams = route(event, body).unwrap_or_default();
    streams
        .into_iter()
        .map(|stream| {
            let delivery = Delivery { stream, event, received_at: RECEIVED, body };
            (stream.to_string(), translate(&delivery))
        })
        .collect()
}

/// The event's variant, in snake case.
pub(crate) fn variant(event: &Event<'_>) -> String {
    match serde_json::to_value(event).expect("events are JSON") {
        serde_json::Value::String(unit) => unit,
        serde_json::Value::Object(tagged) => tagged.into_iter().next().expect("a tag").0,
        other => panic!("an event is a tag or tagged, not {other}"),
    }
}
