//! Life with a webhook: everything that GitHub tells is shown, with no help of a sweep, in whatever order and
//! however often it comes.
//!
//! What GitHub tells nobody is left out of this life (`forge::SILENT`). One thing cannot be left out by its
//! kind: a repository that goes private takes its forks' parent away, which nobody is told either. The next
//! event about such a fork tells it, so one is made to happen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fake_github::{
    RepoId, RepoTruth, World,
    faults::{DeliveryFault, DeliveryRates},
};

use super::{
    ground::Ground,
    support::{
        forge::{Forge, told},
        seconds, seed,
        truth::until_true,
    },
};

/// Things that happen.
const STEPS: usize = 400;

/// So long after the last change everything must be true.
const TRUE_WITHIN: Duration = seconds(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_equals_the_truth_without_help() {
    live(seed(21), DeliveryRates::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payload_equals_the_truth_in_any_order_and_doubled() {
    let rates = DeliveryRates {
        drop: 0.0,
        double: 0.2,
        hold_back: 0.3,
        delay: 0.4,
        delay_max: Duration::from_millis(4000),
    };
    live(seed(22), rates).await;
}

async fn live(seed: u64, rates: DeliveryRates) {
    let Some(ground) = Ground::new("live deliveries").await else { return };
    let forge = Forge::with_past(seed, 4).await;
    // The sweep that follows a start is over before anything happens; the next one is a day away.
    let service = ground.setup(&forge).await.with("TRACK", &forge.track()).serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, TRUE_WITHIN).await;
    forge.hook(&service);
    forge.fake.settle().await;

    forge.fake.faults().delivery_rates(rates);
    forge.fake.faults().next_delivery(Some("push"), DeliveryFault::HoldBack(50));
    let mut life = forge.life(seed, told());
    for step in 0..STEPS {
        forge.fake.world(|world| {
            let before = truths(world);
            let done = life.step(world).unwrap();
            println!("{} {}", world.now(), done.text);
            let about = done.action.repository();
            let silent: Vec<RepoId> = truths(world)
                .into_iter()
                .filter(|(id, truth)| Some(*id) != about && differs(before.get(id), truth))
                .map(|(id, _)| id)
                .collect();
            for id in silent {
                mention(world, id);
            }
        });
        // Mostly bursts of many in a second, and now and then a moment of quiet.
        let pause = if step % 40 == 39 { 600 } else { u64::try_from(step % 4).unwrap() * 10 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    let last_change = Instant::now();
    forge.fake.settle().await;
    until_true(&forge, &reader, TRUE_WITHIN).await;
    let settled = last_change.elapsed();
    assert!(settled < TRUE_WITHIN + seconds(5), "{settled:?}");

    let refused: Vec<_> =
        forge.fake.deliveries().into_iter().filter(|delivery| !delivery.outcome.is_success()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let dead = service.ops_reader().get("/metrics").await.ok().text();
    assert!(dead.contains("tallyhook_dead_letters 0"), "no delivery of GitHub's may be unreadable");
}

fn truths(world: &World) -> BTreeMap<RepoId, RepoTruth> {
    world.repositories().into_iter().filter_map(|id| Some((id, world.truth(id)?))).collect()
}

fn differs(before: Option<&RepoTruth>, after: &RepoTruth) -> bool {
    before.is_some_and(|before| (before.fork, before.forks) != (after.fork, after.forks))
}

/// Lets something happen to a repository that says how it stands now.
fn mention(world: &mut World, id: RepoId) {
    if world.describe_repository(id, Some("looked at")).is_err() {
        world.archive_repository(id, false).unwrap();
    }
}
