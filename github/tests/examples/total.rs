//! Routing and translation are total: whatever bytes come, they answer, and agree with each other.

use std::sync::LazyLock;

use crate::fixture::{Example, RECEIVED, examples};
use domain::{AccountId, Event, StreamKey};
use github::{
    routing::route,
    translate::{Delivery, TranslateError, translate},
};
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Value, json};

static EXAMPLES: LazyLock<Vec<Example>> = LazyLock::new(examples);

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Translates for every stream that routing names, for one that it does not, and for `Service`; whatever
/// was told may be folded.
fn check(event: &str, body: &[u8]) -> Result<(), TestCaseError> {
    let routed = route(event, body);
    let stranger = StreamKey::Account(AccountId::github(u64::MAX));
    let mut streams = routed.clone().unwrap_or_default();
    streams.extend([stranger, StreamKey::Service]);
    for stream in streams {
        let translated = translate(&Delivery { stream, event, received_at: RECEIVED, body });
        match &translated {
            Ok(_) => prop_assert!(routed.is_ok(), "translated, though it could not be routed"),
            Err(TranslateError::NotJson(_)) => {}
            Err(TranslateError::MissingId(_) | TranslateError::FutureTime(_)) => prop_assert!(routed.is_ok()),
        }
        let events = translated.map(|translated| translated.events).unwrap_or_default();
        if stream == stranger || stream == StreamKey::Service {
            prop_assert!(events.is_empty(), "{stream} has nothing to do with it: {events:?}");
        }
        for event in &events {
            if let Event::Repository(reading) = event {
                let newest = reading.as_of.max(reading.counted_at).max(reading.clock());
                let limit = RECEIVED.to_second().0 + DAY_SECONDS;
                prop_assert!(newest.is_none_or(|newest| newest.0 <= limit), "{newest:?}");
            }
        }
    }
    Ok(())
}

fn any_example() -> impl Strategy<Value = &'static Example> {
    any::<prop::sample::Index>().prop_map(|index| index.get(EXAMPLES.as_slice()))
}

fn any_event() -> impl Strategy<Value = &'static str> {
    any_example().prop_map(|example| example.event)
}

fn any_leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_i64..4_000_000_000_000).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("2519-05-15T15:20:41Z")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{ "id": 1 }, [], null, "x"])),
        Just(json!({ "id": 7, "owner": { "id": 8 }, "from": "x", "name": { "from": [] } })),
    ]
}

/// Replaces a value somewhere in the document; each step of `path` picks a child.
fn replace(document: &mut Value, path: &[prop::sample::Index], leaf: Value) {
    let Some((step, rest)) = path.split_first() else {
        *document = leaf;
        return;
    };
    match document {
        Value::Object(fields) if !fields.is_empty() => {
            let at = step.index(fields.len());
            let child = fields.values_mut().nth(at).expect("the index is within");
            replace(child, rest, leaf);
        }
        Value::Array(elements) if !elements.is_empty() => {
            let at = step.index(elements.len());
            replace(&mut elements[at], rest, leaf);
        }
        _ => *document = leaf,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000,
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(event in any_event(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(event, &body)?;
    }

    #[test]
    fn arbitrary_event_names(event in ".{0,20}", example in any_example()) {
        check(&event, example.body.as_bytes())?;
    }

    #[test]
    fn truncated_examples(example in any_example(), at in any::<prop::sample::Index>()) {
        let body = example.body.as_bytes();
        let cut = &body[..at.index(body.len())];
        prop_assert!(route(example.event, cut).is_err());
        check(example.event, cut)?;
    }

    #[test]
    fn examples_with_changed_bytes(
        example in any_example(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = example.body.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        check(example.event, &body)?;
    }

    #[test]
    fn examples_with_values_of_other_types(
        example in any_example(),
        changes in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 1..5), any_leaf()), 1..5),
    ) {
        let mut document: Value = serde_json::from_str(example.body).expect("an example is JSON");
        for (path, leaf) in changes {
            replace(&mut document, &path, leaf);
        }
        let body = document.to_string();
        if document.is_object() {
            // A field of another type is a doubt at most, never an unreadable delivery.
            prop_assert!(route(example.event, body.as_bytes()).is_ok());
        }
        check(example.event, body.as_bytes())?;
    }

    #[test]
    fn payloads_of_one_event_under_the_name_of_another(event in any_event(), example in any_example()) {
        check(event, example.body.as_bytes())?;
    }
}
