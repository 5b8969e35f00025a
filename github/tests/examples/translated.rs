//! Every example payload of npm `@octokit/webhooks-examples` through routing and translation.

use std::{collections::BTreeMap, fmt::Write};

use crate::fixture::{Example, deliver, examples, variant};
use domain::Event;
use serde_json::{Map, Value};

/// One snapshot per webhook event: each payload, each stream that it goes to, each event told there.
#[test]
fn every_example_is_translated_as_it_was_read_and_accepted() {
    let mut by_event: BTreeMap<&str, Vec<Example>> = BTreeMap::new();
    for example in examples() {
        by_event.entry(example.event).or_default().push(example);
    }
    for (event, examples) in by_event {
        let mut page = Page::default();
        for example in &examples {
            page.payload(example);
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(event, page.text.trim_end());
        });
    }
}

/// How many events each kind of payload gave, over all streams.
#[test]
fn each_kind_of_payload_gives_as_many_events_as_counted() {
    let mut kinds: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for example in examples() {
        let kind = kinds.entry(kind_of(&example)).or_default();
        *kind.entry("payloads".into()).or_default() += 1;
        for (_, translated) in deliver(example.event, example.body.as_bytes()) {
            let translated = translated.expect("every example is translated");
            *kind.entry(format!("records {}", translated.kind.as_str())).or_default() += 1;
            for event in &translated.events {
                *kind.entry(variant(event)).or_default() += 1;
            }
        }
    }
    let table: Vec<String> = kinds
        .iter()
        .map(|(kind, counts)| {
            let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
            format!("{kind}: {}", counts.join(", "))
        })
        .collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("_how_many", table.join("\n"));
    });
}

fn kind_of(example: &Example) -> String {
    let payload: Value = serde_json::from_str(example.body).expect("an example is JSON");
    match payload["action"].as_str() {
        Some(action) => format!("{}.{action}", example.event),
        None => example.event.to_owned(),
    }
}

/// What is written about one webhook event. A repository that was shown before on the page is shown by
/// its differences, because most examples are about the same one.
#[derive(Default)]
struct Page {
    text: String,
    shown: BTreeMap<String, Map<String, Value>>,
}

impl Page {
    fn payload(&mut self, example: &Example) {
        self.line(0, &format!("{} {}", example.server, kind_of(example)));
        for (stream, translated) in deliver(example.event, example.body.as_bytes()) {
            let translated = translated.expect("every example is translated");
            self.line(1, &format!("{stream}: {}", translated.kind.as_str()));
            for event in &translated.events {
                self.event(event);
            }
        }
        self.text.push('\n');
    }

    fn event(&mut self, event: &Event<'_>) {
        let Event::Repository(reading) = event else {
            return self.line(2, &serde_json::to_string(event).expect("events are JSON"));
        };
        let Value::Object(fields) = serde_json::to_value(reading).expect("readings are JSON") else {
            panic!("a reading is an object");
        };
        let before = self.shown.insert(reading.id.to_string(), fields.clone());
        self.line(2, &format!("repository {}", reading.id));
        for (name, value) in &fields {
            if before.as_ref().is_none_or(|before| before.get(name) != Some(value)) && name != "id" {
                self.line(3, &format!("{name}: {value}"));
            }
        }
        for name in before.iter().flat_map(Map::keys).filter(|name| !fields.contains_key(*name)) {
            self.line(3, &format!("{name} is not said"));
        }
    }

    fn line(&mut self, level: usize, text: &str) {
        writeln!(self.text, "{:indent$}{text}", "", indent = 2 * level).expect("writing to a string");
    }
}
