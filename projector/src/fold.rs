//! From a record to the events it tells, whatever its source.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bitbucket::delivery;
use domain::{
    Event, Stamp, Told, Version,
    record::{ANSWER, Answer, BITBUCKET_DELIVERY, COMMAND, Command, CursorNote, ERASED, GITHUB_DELIVERY},
};
use event_log::Record;
use github::{headers, translate};

/// What a record tells.
pub(crate) struct Said<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) events: Vec<Event<'a>>,
    pub(crate) cursors: Vec<CursorNote<'a>>,
    /// What came of it, for the metric.
    pub(crate) result: &'static str,
}

/// Why a record cannot be folded: one sentence, without a word of the body.
#[derive(Debug)]
pub(crate) struct Unfoldable(pub(crate) String);

/// Reads a record; never panics.
pub(crate) fn read(record: &Record, version: Version) -> Result<Said<'_>, Unfoldable> {
    guarded(|| match record.kind.as_str() {
        GITHUB_DELIVERY => {
            let delivery = translate::Delivery {
                stream: record.stream,
                event: record.header(headers::EVENT).unwrap_or_default(),
                received_at: record.received_at,
                body: &record.body,
            };
            let translated =
                translate::translate(&delivery).map_err(|error| Unfoldable(error.to_string()))?;
            let result = translated.kind.as_str();
            Ok((Told::Delivery, translated.events, Vec::new(), result))
        }
        BITBUCKET_DELIVERY => {
            let event = record.header(delivery::EVENT).unwrap_or_default();
            let events =
                if record.stream.account().is_some() { delivery::translate(event) } else { Vec::new() };
            let result = if events.is_empty() { "ignored" } else { "projected" };
            Ok((Told::Delivery, events, Vec::new(), result))
        }
        ANSWER => {
            let answer = Answer::decode(&record.body).map_err(|error| unreadable(&error))?;
            Ok((Told::Answer(answer.asked), answer.events, answer.cursors, "projected"))
        }
        ERASED => Ok((Told::Command, Vec::new(), Vec::new(), "ignored")),
        COMMAND => {
            let command = Command::decode(&record.body).map_err(|error| unreadable(&error))?;
            Ok((Told::Command, command.events, Vec::new(), "projected"))
        }
        _ => Err(Unfoldable("a kind of record that this release does not know".to_owned())),
    })
    .and_then(|read| read)
    .map(|(told, events, cursors, result)| Said {
        stamp: Stamp { version, received_at: record.received_at, told },
        events,
        cursors,
        result,
    })
}

/// Where serde failed, but not on what: its messages quote the body.
fn unreadable(error: &serde_json::Error) -> Unfoldable {
    Unfoldable(format!(
        "not a body that this release can read, at line {} column {}",
        error.line(),
        error.column()
    ))
}

/// Runs a part of the fold; a panic in it is a reason, not the end of the process.
pub(crate) fn guarded<T>(part: impl FnOnce() -> T) -> Result<T, Unfoldable> {
    catch_unwind(AssertUnwindSafe(part))
        .map_err(|_| Unfoldable("a defect of this release: the fold panicked".to_owned()))
}
