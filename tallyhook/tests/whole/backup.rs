//! A copy of a data folder that is in use: what was acknowledged before is in it, and a process starts on it.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use fake_github::faults::RequestFault;
use tempfile::TempDir;

use super::support::{forge::Forge, process::Setup, seconds, sender::Sender, truth::until_true};

const WITHIN: std::time::Duration = seconds(60);

/// Deliveries before the copy is begun; more come while it is written.
const BEFORE: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_load_has_all_that_was_acknowledged_before() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(141, 1).await;
    let repo = forge.open_repository(0).id;
    // The secret is one that the process made: it must be in the copy too.
    let setup = Setup::of(folder.path(), &forge)
        .without("WEBHOOK_SECRET")
        .with("TRACK", &forge.track())
        .with("RECONCILE", "off");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let secret = fs::read_to_string(setup.data().join("webhook-secret")).unwrap();
    let sender = Sender::new();
    let push = async || {
        let delivery = forge.untold_push(repo).signed_with(secret.trim_end());
        sender.accepted(service.api, &delivery).await;
    };
    for _ in 0..BEFORE {
        push().await;
    }
    // None of them is in doubt any more.
    until_true(&forge, &service.reader(), WITHIN).await;
    let acknowledged = forge.truth(repo).commits;

    let copy = folder.path().join("copy");
    let calls = setup.talking_to(&service);
    let (is_made, meanwhile) = (AtomicBool::new(false), AtomicU64::new(0));
    let backup = async {
        let said = calls.run(&["backup", copy.to_str().unwrap()]).await.done();
        is_made.store(true, Ordering::Relaxed);
        said
    };
    let load = async {
        while !is_made.load(Ordering::Relaxed) {
            push().await;
            meanwhile.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (said, ()) = tokio::join!(backup, load);
    assert!(said.contains("opened and in order"), "{said}");
    assert!(meanwhile.into_inner() > 0, "the process went on taking deliveries in");
    push().await;
    let again = calls.run(&["backup", copy.to_str().unwrap()]).await.failed(1);
    assert!(again.contains("is there already"), "{again}");
    let nowhere = calls.run(&["backup", "/proc/no-such-place/copy"]).await.failed(1);
    assert!(nowhere.contains("/proc/no-such-place/copy"), "{nowhere}");
    service.kill().await;

    // The forge is down: what is shown was in the copy.
    forge.fake.faults().on_requests("*", RequestFault::ServerError(503), None);
    let restored = setup.with("DATA_DIR", copy.to_str().unwrap());
    let service = restored.serve().await;
    service.ready().await;
    let name = forge.truth(repo).full_name;
    let shown = service.reader().get(&format!("/v1/repos/{name}")).await.ok().json();
    let shown = shown["counts"]["commits"].as_u64().unwrap();
    let all = forge.truth(repo).commits;
    assert!(
        (acknowledged..all).contains(&shown),
        "{acknowledged} before, {shown} in the copy, {all} in the end"
    );
    // What came after is asked for when the next push does not follow on.
    forge.fake.faults().stop();
    let delivery = forge.untold_push(repo).signed_with(secret.trim_end());
    sender.accepted(service.api, &delivery).await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{left:?}");
    service.terminate().await.done();
}
