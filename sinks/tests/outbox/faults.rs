//! A Pipedrive that goes wrong, and files that cannot be read.

use domain::{entity::gists::Sending, event::SendingStep};
use fake_pipedrive::Fault;
use futures::future::join_all;

use crate::bench::{Bench, CALL_TIMEOUT};

#[tokio::test]
async fn whatever_goes_wrong_with_a_call_one_activity_is_made() {
    let late = Fault::Late(2 * CALL_TIMEOUT);
    let cases: [&[Fault]; 12] = [
        &[Fault::ClosedBefore],
        &[Fault::ClosedAfter],
        // It is made, and said to be after nobody waits for it any more; the search for it is as slow.
        &[late],
        &[late, late, Fault::None],
        // Limited without a word for how long, in the call and in the search.
        &[Fault::Limited(None)],
        &[Fault::ClosedAfter, Fault::Limited(None)],
        &[Fault::Nonsense],
        &[Fault::Status(503)],
        &[Fault::Limited(Some(1)), Fault::Limited(Some(0))],
        // A search that is refused, answered with nonsense, or limited is made again.
        &[Fault::ClosedAfter, Fault::Nonsense, Fault::Limited(Some(0))],
        &[Fault::ClosedBefore, Fault::ClosedBefore, Fault::None, Fault::None, Fault::ClosedAfter],
        &[Fault::Status(500), Fault::None, Fault::None, Fault::Status(502)],
    ];
    join_all(cases.map(async |faults| {
        let bench = Bench::new().await;
        bench.show("a", &[("x", "text")]).await;
        bench.pipedrive.next_goes_wrong(faults.iter().copied());
        let _life = bench.start();
        bench.until_empty().await;
        assert_eq!(bench.made(), ["gist:a#x"], "{faults:?}");
        assert_eq!(bench.sending("a", "x").await, Sending::Sent, "{faults:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_refused_file_waits_for_a_person_and_holds_up_no_other() {
    let bench = Bench::new().await;
    bench.pipedrive.next_goes_wrong([Fault::Status(422)]);
    bench.show("a", &[("x", "text"), ("y", "text")]).await;
    let _life = bench.start();
    bench.until_empty().await;
    assert_eq!(bench.made(), ["gist:a#y"]);
    let refused = bench.sending("a", "x").await;
    let Sending::Refused { reason, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "Pipedrive answered 422 Unprocessable Entity: as told");
    bench.decide("a", "x", SendingStep::Retried).await;
    bench.until_empty().await;
    assert_eq!(bench.made(), ["gist:a#y", "gist:a#x"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_kept_with_the_reason() {
    let bench = Bench::new().await;
    let large = "x".repeat(1024 * 1024 + 1);
    let missing = format!("{}/texts/nowhere", bench.pipedrive.url());
    let binary = bench.pipedrive.serve_text("binary", vec![0xff, 0xfe]);
    let files = [
        ("large", large.as_str(), "the file is larger than 1 MiB"),
        ("missing", missing.as_str(), "the file's text cannot be read: answered 404 Not Found"),
        ("binary", binary.as_str(), "the file is no UTF-8 text"),
        ("elsewhere", "http://127.0.0.1:9/x", "the file's text is at a host from which none is read"),
        ("inside", "http://localhost/x", "the file's text is at a host from which none is read"),
        ("odd", "http:", "the address of the file's text is none"),
    ];
    bench.show("a", &files.map(|(name, text, _)| (name, text))).await;
    let _life = bench.start();
    bench.until_empty().await;
    for (name, _, expected) in files {
        let sending = bench.sending("a", name).await;
        assert!(
            matches!(&sending, Sending::Refused { reason, .. } if reason == expected),
            "{name}: {sending:?}"
        );
    }
    assert_eq!(bench.made(), [""; 0]);
    let asked = bench.pipedrive.requests();
    assert!(asked.iter().all(|request| request.starts_with("GET /texts/")), "{asked:?}");
}
