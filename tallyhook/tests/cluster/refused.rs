//! What a cluster refuses, with a sentence that says what to do instead.

use crate::{
    place::Place,
    process::Process,
    roles::{Roles, TRUE_WITHIN},
    support::{forge::Forge, sender::Sender, truth::until_true},
};

/// A topic that was deleted and made anew is another log, and so is one that lost its end: what the store knows
/// of the old one must not be taken for what is in the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_made_anew_is_refused_until_an_epoch_is_opened() {
    let Some(place) = Place::shared("a log that was made anew").await else { return };
    let forge = Forge::with_past(75, 2).await;
    let roles = Roles::start(&place, &forge, 1).await;
    let setup = roles.setup.clone();
    // Everything that was folded is committed when a projector has ended.
    roles.terminate().await;
    place.delete_topic().await;
    place.migrate(&setup).await;

    let sentence = setup.start(&["projector", "--ops-listen", "127.0.0.1:0"]).ended().await.failed(1);
    assert!(sentence.contains("is missing") && sentence.contains("tallyhook epoch open"), "{sentence}");
    let sentence = Process::try_start(&setup, "serve").await.map(drop).unwrap_err().failed(1);
    assert!(sentence.contains("tallyhook epoch open"), "{sentence}");
    let said = setup.run(&["epoch", "open"]).await.done();
    assert!(said.contains("epoch 2"), "{said}");

    let all = Process::start(&setup, "serve").await;
    all.ready().await;
    let sender = Sender::new();
    for _ in 0..3 {
        forge.next_second().await;
        sender.accepted(all.api(), &forge.untold_push(forge.open_repository(0).id)).await;
    }
    until_true(&forge, &all.reader(), TRUE_WITHIN).await;
    assert_eq!(all.metric("tallyhook_dead_letters").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_before_anything_is_taken_in() {
    let Some(place) = Place::shared("what a cluster refuses").await else { return };
    let forge = Forge::with_past(74, 1).await;
    let setup = place.setup(&forge);

    for role in ["ingest", "projector", "query-api"] {
        let sentence = setup.clone().without("LOG").without("STORE").run(&[role]).await.failed(2);
        assert!(sentence.contains("tallyhook serve") && sentence.contains("TALLYHOOK_LOG"), "{sentence}");
        let sentence = setup.clone().without("STORE").run(&[role]).await.failed(2);
        assert!(sentence.contains("--store (TALLYHOOK_STORE)") && sentence.contains("both"), "{sentence}");
    }
    let sentence = setup.clone().without("WEBHOOK_SECRET").run(&["ingest"]).await.failed(2);
    assert!(sentence.contains("TALLYHOOK_WEBHOOK_SECRET"), "{sentence}");
    let sentence = setup.clone().with("LOG", "kafka:/hush").run(&["ingest"]).await.failed(2);
    assert!(sentence.contains("--log (TALLYHOOK_LOG)") && !sentence.contains("hush"), "{sentence}");
    for role in ["ingest", "projector", "serve"] {
        let sentence = Process::try_start(&setup, role).await.map(drop).unwrap_err().failed(1);
        assert!(sentence.contains("tallyhook migrate"), "{role}: {sentence}");
    }
}
