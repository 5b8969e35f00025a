//! Whether every number that is shown is explained: base and steps make a chain that ends in it.

use serde_json::Value;

use super::{forge::Forge, reader::Reader, truth::is_shown};

/// Numbers of a repository that are explained.
pub(crate) const FIELDS: [&str; 10] = [
    "counts.commits",
    "counts.pull_requests.total",
    "counts.pull_requests.open",
    "counts.pull_requests.merged",
    "counts.pull_requests.closed",
    "counts.stars",
    "counts.forks",
    "counts.watchers",
    "counts.open_issues",
    "languages",
];

/// What was found while nothing changed.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    /// Numbers that were looked at.
    pub(crate) numbers: usize,
    pub(crate) steps: usize,
    /// Of which it is not recorded where they come from.
    pub(crate) unrecorded: Vec<String>,
    /// What does not add up.
    pub(crate) wrong: Vec<String>,
}

/// Looks at every number of every repository of the owners that is shown, each by itself and all together.
pub(crate) async fn explained(forge: &Forge, reader: &Reader) -> Explained {
    let mut found = Explained::default();
    for truth in forge.repositories().iter().filter(|truth| is_shown(truth)) {
        let path = format!("/v1/repos/{}", truth.full_name);
        let shown = reader.get(&path).await.ok().json();
        let together = reader.get(&format!("{path}/explain")).await.ok().json();
        let names: Vec<&str> = together["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["field"].as_str().unwrap())
            .collect();
        assert_eq!(names, FIELDS);
        for (place, name) in FIELDS.into_iter().enumerate() {
            let alone = reader.get(&format!("{path}/explain?field={name}")).await.ok().json();
            for field in [&together["fields"][place], &alone["fields"][0]] {
                found.look(&path, &shown, field);
            }
        }
    }
    found
}

impl Explained {
    fn look(&mut self, path: &str, shown: &Value, field: &Value) {
        self.numbers += 1;
        let name = field["field"].as_str().unwrap();
        let number = number(shown, name);
        if field["value"] != number {
            self.wrong.push(format!("{path}: {name} is {number}, and explained is {field}"));
        }
        let mut value = &field["base"]["value"];
        for step in field["steps"].as_array().unwrap() {
            self.steps += 1;
            if &step["before"] != value {
                self.wrong.push(format!("{path}: {name} does not follow: {field:#}"));
            }
            value = &step["after"];
        }
        if value != &field["value"] {
            self.wrong.push(format!("{path}: {name} does not add up: {field:#}"));
        }
        if field["base"]["reason"] == "unrecorded" {
            self.unrecorded.push(format!("{path}: {field:#}"));
        }
    }
}

/// A number as a repository's payload shows it.
pub(crate) fn number(shown: &Value, name: &str) -> Value {
    let value = shown.pointer(&format!("/{}", name.replace('.', "/"))).unwrap();
    match value.as_object() {
        Some(languages) => {
            languages.values().map(|language| language["bytes"].as_u64().unwrap()).sum::<u64>().into()
        }
        None => value.clone(),
    }
}
