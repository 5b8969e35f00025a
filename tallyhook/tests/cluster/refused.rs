//! What a cluster refuses, with a sentence that says what to do instead.

use crate::{
    place::{Place, Process},
    support::forge::Forge,
};

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
