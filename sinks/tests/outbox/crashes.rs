//! An outbox that dies between any two of its steps, and again in its next life: each file ends as one activity.

use std::time::Duration;

use domain::entity::gists::Sending;
use fake_pipedrive::Fault;
use futures::future::join_all;

use crate::bench::{Bench, Crash};

/// Lives through these crashes, one life each, then once more without one.
async fn live(crashes: &[Crash]) {
    let bench = Bench::new().await;
    bench.show("a", &[("x", "text")]).await;
    for crash in crashes {
        let mut life = bench.start_until(Some(*crash));
        let is_reached = life.reached.wait_for(|reached| *reached);
        tokio::select! {
            reached = is_reached => drop(reached.unwrap()),
            // A life that ends its work before it would die.
            () = bench.until_empty() => {}
        }
        life.kill().await;
    }
    let _life = bench.start();
    bench.until_empty().await;
    assert_eq!(bench.sending("a", "x").await, Sending::Sent, "{crashes:?}");
    assert_eq!(bench.made(), ["gist:a#x"], "{crashes:?}");
}

#[tokio::test]
async fn wherever_it_dies_each_file_ends_as_one_activity() {
    let points: Vec<Crash> =
        (1..=4).flat_map(|number| [Crash::Before(number), Crash::After(number)]).collect();
    // First the attempt, then its outcome; in a later life searches, another attempt and its outcome.
    let lives: Vec<Vec<Crash>> =
        points[..4].iter().flat_map(|first| points.iter().map(|second| vec![*first, *second])).collect();
    assert_eq!(lives.len(), 32);
    join_all(lives.iter().map(|crashes| live(crashes))).await;
}

#[tokio::test]
async fn what_was_made_by_a_call_that_was_never_answered_is_found() {
    let bench = Bench::new().await;
    bench.show("a", &[("x", "text")]).await;
    bench.pipedrive.next_goes_wrong([Fault::Late(Duration::from_secs(600))]);
    let life = bench.start();
    let is_made = async {
        while bench.made().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::bench::PATIENCE, is_made).await.unwrap();
    life.kill().await;
    let _life = bench.start();
    bench.until_empty().await;
    assert_eq!(bench.made(), ["gist:a#x"]);
    assert_eq!(bench.sending("a", "x").await, Sending::Sent);
}

#[tokio::test]
async fn two_outboxes_at_once_send_each_file_once() {
    let bench = Bench::new().await;
    let _lives = (bench.start(), bench.start(), bench.start());
    for id in ["a", "b", "c"] {
        bench.show(id, &[("x", "text"), ("y", "text")]).await;
    }
    bench.until_empty().await;
    let mut made = bench.made();
    made.sort();
    assert_eq!(made, ["gist:a#x", "gist:a#y", "gist:b#x", "gist:b#y", "gist:c#x", "gist:c#y"]);
}
