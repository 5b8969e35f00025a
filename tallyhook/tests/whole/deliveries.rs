//! Deliveries followed from their acknowledgement to what they change, by readers who wait instead of asking again.

use std::time::Instant;

use tempfile::TempDir;

use super::support::{forge::Forge, process::Setup, seconds, sender::Sender, truth::until_true};

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_delivery_reads_its_change_the_first_time() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(91, 2).await;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, seconds(60)).await;

    let sender = Sender::new();
    let before = Instant::now();
    for _ in 0..8 {
        // Two pushes in one of the forge's seconds leave the number open until it is asked.
        forge.next_second().await;
        let id = forge.open_repository(0).id;
        let delivery = forge.untold_push(id);
        let truth = forge.truth(id);
        let path = format!("/v1/repos/{}/{}", forge.logins()[0], truth.name);
        sender.accepted(service.api, &delivery).await;
        let answer = reader.get(&format!("{path}?wait_for={}&timeout=30s", delivery.guid)).await.ok();
        assert_eq!(answer.json()["counts"]["commits"], truth.commits, "{}", answer.text());

        let told =
            reader.get(&format!("/v1/deliveries/{}", delivery.guid)).await.ok().json()["delivery"].clone();
        assert_eq!((&told["status"], &told["result"]), (&"visible".into(), &"projected".into()), "{told}");
        let time = |field: &str| told[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(
            time("accepted_at") <= time("applied_at") && time("applied_at") <= time("visible_at"),
            "{told}"
        );
        let text = told.to_string();
        assert!(!text.contains(&truth.name) && !text.contains(&forge.logins()[0]), "{text}");
    }
    assert!(before.elapsed() < seconds(60), "no wait was in vain");

    // What was remembered outlives the process.
    let last = forge.untold_push(forge.open_repository(1).id);
    sender.accepted(service.api, &last).await;
    reader.get(&format!("/v1/deliveries/{0}?wait_for={0}", last.guid)).await.ok();
    service.terminate().await.done();
    let service = setup.serve().await;
    let reader = service.reader();
    let told =
        reader.get(&format!("/v1/deliveries/{0}?wait_for={0}&timeout=30s", last.guid)).await.ok().json();
    assert_eq!(told["delivery"]["status"], "visible", "{told}");
    let vain = reader.get(&format!("/v1/accounts/{}?wait_for=none&timeout=50ms", forge.logins()[0])).await;
    assert_eq!(vain.refused(503)["type"], "https://tallyhook.dev/errors/not-visible-yet");
}
