//! Whether everything that is shown is true and whole.

use std::time::Duration;

use fake_github::{RepoTruth, Visibility};
use serde_json::Value;
use testkit::expected;

use super::{
    forge::Forge,
    reader::{Answer, Reader},
};

/// Few on a page, so that accounts of a handful of repositories have several.
const PER_PAGE: usize = 4;

/// Everything of the owners that is shown and not true, or not called complete; empty when all is well.
pub(crate) async fn differences(forge: &Forge, reader: &Reader) -> Vec<String> {
    let mut found = Vec::new();
    for account in forge.truths() {
        let login = &account.login;
        let path = format!("/githubPayload?user={login}");
        let payload = reader.get(&path).await;
        compare(&path, &payload, Some(expected::github_payload(&account)), &mut found);
        let path = format!("/v1/accounts/{login}");
        let payload = reader.get(&path).await;
        compare(&path, &payload, Some(expected::account(&account)), &mut found);
        compare_list(reader, login, &account.repositories, &mut found).await;
    }
    for repository in forge.repositories() {
        compare_repository(reader, &repository, &mut found).await;
    }
    found
}

/// Waits until everything that is shown of the owners is true and called complete.
pub(crate) async fn until_true(forge: &Forge, reader: &Reader, within: Duration) {
    super::until(within, "payloads that equal the truth", async || {
        let found = differences(forge, reader).await;
        if found.is_empty() { Ok(()) } else { Err(found) }
    })
    .await;
}

/// One repository's payload.
pub(crate) async fn compare_repository(reader: &Reader, truth: &RepoTruth, found: &mut Vec<String>) {
    let path = format!("/v1/repos/{}", truth.full_name);
    let payload = reader.get(&path).await;
    compare(&path, &payload, expected::repository(truth), found);
}

/// Whether a repository may be shown.
pub(crate) fn is_shown(truth: &RepoTruth) -> bool {
    truth.visibility == Visibility::Public && !truth.blocked
}

fn compare(path: &str, answer: &Answer, expected: Option<Value>, found: &mut Vec<String>) {
    let Some(expected) = expected else {
        if answer.status != 404 {
            found.push(format!("{path}: {} instead of 404", answer.status));
        }
        return;
    };
    if answer.status != 200 {
        found.push(format!("{path}: {} {}", answer.status, answer.text()));
        return;
    }
    let payload = answer.json();
    if !answer.is_complete() {
        found.push(format!("{path}: not complete: {}", payload["freshness"]["missing"]));
    }
    if !matches!(payload["freshness"]["complete"], Value::Null | Value::Bool(true)) {
        found.push(format!("{path}: {}", payload["freshness"]));
    }
    differing(path, &expected::without_freshness(payload), &same_floats(&expected), found);
}

/// Every page of the list, one after the other as `Link` leads.
async fn compare_list(reader: &Reader, login: &str, truths: &[RepoTruth], found: &mut Vec<String>) {
    let mut next = Some(format!("/v1/accounts/{login}/repos?per_page={PER_PAGE}"));
    let mut listed = Vec::new();
    while let Some(path) = next {
        let answer = reader.get(&path).await;
        if answer.status != 200 {
            found.push(format!("{path}: {} {}", answer.status, answer.text()));
            return;
        }
        let page = answer.json();
        if !answer.is_complete() || page["freshness"]["complete"] != true {
            found.push(format!("{path}: not complete: {}", page["freshness"]));
        }
        listed.extend(page["repositories"].as_array().unwrap().iter().cloned());
        next = answer.header("link").and_then(next_of);
    }
    let listed: Vec<Value> = listed.into_iter().map(expected::without_freshness).collect();
    let truths: Vec<Value> = truths.iter().filter_map(expected::repository).collect();
    differing(&format!("list of {login}"), &listed.into(), &same_floats(&truths.into()), found);
}

/// The path of the next page.
pub(crate) fn next_of(link: &str) -> Option<String> {
    let next = link.split(", ").find(|link| link.ends_with("rel=\"next\""))?;
    Some(next.strip_prefix('<')?.split_once('>')?.0.to_owned())
}

/// Numbers as they are after they were written and read: fractions may differ in the last bit else.
pub(crate) fn same_floats(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap()
}

/// Where two values differ, and how.
pub(crate) fn differing(path: &str, shown: &Value, truth: &Value, found: &mut Vec<String>) {
    match (shown, truth) {
        (Value::Object(shown), Value::Object(truth)) => {
            for key in shown.keys().chain(truth.keys().filter(|key| !shown.contains_key(*key))) {
                let of =
                    |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                differing(&format!("{path} {key}"), &of(shown), &of(truth), found);
            }
        }
        (Value::Array(shown), Value::Array(truth)) if shown.len() == truth.len() => {
            for (place, (shown, truth)) in shown.iter().zip(truth).enumerate() {
                differing(&format!("{path} [{place}]"), shown, truth, found);
            }
        }
        _ if shown == truth => {}
        _ => found.push(format!("{path}: shown {shown}, true {truth}")),
    }
}
