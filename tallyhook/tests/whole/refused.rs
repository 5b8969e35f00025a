//! One kind of data that the forge will not tell (404, 403, 501): that number is null or stays as it was, and is
//! named; everything else is served, nothing disappears, and all is well again when the forge tells it.

use fake_github::faults::RequestFault;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::expected;

use super::support::{
    forge::Forge,
    process::Setup,
    reader::Reader,
    seconds,
    truth::{differing, same_floats, until_true},
    until,
};

const WITHIN: std::time::Duration = seconds(90);

/// A kind of data, the paths that tell it, and where it stands in the payloads.
struct KindOfData {
    paths: &'static [&'static str],
    /// As `missing` names it.
    field: &'static str,
    /// What is null where it was never told, as JSON pointers into a repository's payload.
    nulls: &'static [&'static str],
    /// The same in an account's totals.
    totals: &'static [&'static str],
}

const PULLS: KindOfData = KindOfData {
    paths: &["*/pulls*"],
    field: "counts.pull_requests",
    nulls: &[
        "/counts/pull_requests/total",
        "/counts/pull_requests/open",
        "/counts/pull_requests/merged",
        "/counts/pull_requests/closed",
    ],
    totals: &["/totals/pull_requests/total", "/totals/pull_requests/open"],
};
const LANGUAGES: KindOfData =
    KindOfData { paths: &["*/languages"], field: "languages", nulls: &["/languages"], totals: &[] };
/// A branch that cannot be asked for is found by its newest commit: both are refused.
const COMMITS: KindOfData = KindOfData {
    paths: &["*/branches/*", "*/commits*"],
    field: "counts.commits",
    nulls: &["/counts/commits"],
    totals: &["/totals/commits"],
};

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_that_are_refused_are_named() {
    tokio::join!(refused(&PULLS, 404, 41), refused(&PULLS, 403, 42), refused(&PULLS, 501, 43));
}

#[tokio::test(flavor = "multi_thread")]
async fn languages_that_are_refused_are_named() {
    tokio::join!(refused(&LANGUAGES, 404, 44), refused(&LANGUAGES, 403, 45), refused(&LANGUAGES, 501, 46));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_are_refused_are_named() {
    tokio::join!(refused(&COMMITS, 404, 47), refused(&COMMITS, 403, 48), refused(&COMMITS, 501, 49));
}

async fn refused(kind: &KindOfData, status: u16, seed: u64) {
    let what = format!("{status} for {}", kind.field);
    let refuse = |forge: &Forge| {
        // GraphQL would tell it.
        for path in kind.paths.iter().chain(&["/graphql"]) {
            forge.fake.faults().on_requests(path, RequestFault::Refuse(status), None);
        }
    };
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(seed, 1).await;
    forge.open_repository(0);
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("RECONCILE", "2s");
    refuse(&forge);
    let service = setup.serve().await;
    let reader = service.reader();
    // Never told: null, partial sums, and a word about it.
    until(WITHIN, &format!("{what}: null"), async || {
        let found = compare(&forge, &reader, kind, true).await;
        if found.is_empty() { Ok(()) } else { Err(found) }
    })
    .await;
    forge.fake.faults().stop();
    until_true(&forge, &reader, WITHIN).await;

    // Told once and refused later: known numbers stay, and are marked.
    refuse(&forge);
    until(WITHIN, &format!("{what}: known"), async || {
        let found = compare(&forge, &reader, kind, false).await;
        if found.is_empty() { Ok(()) } else { Err(found) }
    })
    .await;
    forge.fake.faults().stop();
    until_true(&forge, &reader, WITHIN).await;
}

/// What is not shown as it must be while a kind of data is refused.
async fn compare(forge: &Forge, reader: &Reader, kind: &KindOfData, is_null: bool) -> Vec<String> {
    let mut found = Vec::new();
    let account = forge.truths().remove(0);
    for truth in &account.repositories {
        let mut payload = expected::repository(truth).unwrap();
        if is_null {
            kind.nulls.iter().for_each(|pointer| set_null(&mut payload, pointer));
        }
        let path = format!("/v1/repos/{}", truth.full_name);
        compare_one(reader, &path, kind, &payload, Some(&truth.full_name), &mut found).await;
    }
    let mut payload = expected::account(&account);
    if is_null {
        kind.totals.iter().for_each(|pointer| set_null(&mut payload, pointer));
        if kind.field == "counts.pull_requests" {
            set_null(&mut payload, "/totals/pull_requests/merged");
            set_null(&mut payload, "/totals/pull_requests/closed");
        }
        if kind.field == "languages" {
            payload["totals"]["languages"] = json!({});
        }
    }
    let path = format!("/v1/accounts/{}", account.login);
    compare_one(reader, &path, kind, &payload, None, &mut found).await;

    let mut payload = expected::github_payload(&account);
    if is_null {
        for repository in payload["user"]["repositories"].as_array_mut().unwrap() {
            match kind.field {
                "counts.pull_requests" => repository["pullRequestCount"] = Value::Null,
                "counts.commits" => repository["commitCount"] = Value::Null,
                _ => {}
            }
        }
    }
    let path = format!("/githubPayload?user={}", account.login);
    let answer = reader.get(&path).await;
    if answer.status == 200 {
        differing(&path, &answer.json(), &payload, &mut found);
        if answer.is_complete() != (kind.field == "languages") {
            found.push(format!("{path}: complete: {}", answer.is_complete()));
        }
    } else {
        found.push(format!("{path}: {}", answer.status));
    }
    found
}

async fn compare_one(
    reader: &Reader,
    path: &str,
    kind: &KindOfData,
    truth: &Value,
    repository: Option<&str>,
    found: &mut Vec<String>,
) {
    let answer = reader.get(path).await;
    if answer.status != 200 {
        found.push(format!("{path}: {} {}", answer.status, answer.text()));
        return;
    }
    let payload = answer.json();
    let freshness = payload["freshness"].clone();
    differing(path, &expected::without_freshness(payload), &same_floats(truth), found);
    let missing = freshness["missing"].as_array().unwrap();
    let names = |gap: &Value| {
        gap["field"] == kind.field
            && gap["reason"] == "refused"
            && repository.is_none_or(|repository| gap["repository"] == repository)
    };
    if missing.is_empty()
        || !missing.iter().all(names)
        || freshness["complete"] != false
        || answer.is_complete()
    {
        found.push(format!("{path}: {freshness}"));
    }
}

fn set_null(payload: &mut Value, pointer: &str) {
    *payload.pointer_mut(pointer).unwrap() = Value::Null;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_had_another_way_is_not_needed() {
    for (status, seed) in [(404, 51), (403, 52), (501, 53)] {
        let folder = TempDir::new().unwrap();
        let forge = Forge::with_past(seed, 2).await;
        let repo = forge.open_repository(0).id;
        for path in ["/user/*", "/repositories/*", "*/branches/*"] {
            forge.fake.faults().on_requests(path, RequestFault::Refuse(status), None);
        }
        let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("RECONCILE", "2s");
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        // A sweep later it is no different.
        forge.fake.world(|world| world.set_subscribers(repo, 1234)).unwrap();
        until_true(&forge, &service.reader(), WITHIN).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_endpoint_is_no_proof_that_an_account_is_gone() {
    for (status, seed) in [(404, 54), (403, 55), (501, 56)] {
        let folder = TempDir::new().unwrap();
        let forge = Forge::with_past(seed, 1).await;
        forge.open_repository(0);
        let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("RECONCILE", "2s");
        let service = setup.serve().await;
        let reader = service.reader();
        until_true(&forge, &reader, WITHIN).await;
        for path in ["/user/*", "/users/*"] {
            forge.fake.faults().on_requests(path, RequestFault::Refuse(status), None);
        }
        let account = forge.truths().remove(0);
        let path = format!("/v1/accounts/{}", account.login);
        let marked = until(WITHIN, "a word about it", async || {
            let answer = reader.get(&path).await.ok();
            let has_word =
                answer.json()["freshness"]["missing"].as_array().is_some_and(|gaps| !gaps.is_empty());
            if has_word && !answer.is_complete() { Ok(answer) } else { Err(answer.text()) }
        })
        .await;
        let mut found = Vec::new();
        let payload = expected::without_freshness(marked.json());
        differing(&path, &payload, &same_floats(&expected::account(&account)), &mut found);
        assert!(found.is_empty(), "{status}: known numbers stay: {found:#?}");
        for truth in &account.repositories {
            reader.get(&format!("/v1/repos/{}", truth.full_name)).await.ok();
        }
        forge.fake.faults().stop();
        until_true(&forge, &reader, WITHIN).await;
    }
}
