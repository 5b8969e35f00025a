//! A bad day: deliveries are lost, late, doubled and out of order, answers fail, are limited, slow, cut off or
//! out of date, and much changes that nobody is told. While it lasts nothing that calls itself complete is
//! wrong (`support::lies`); after it everything is true again one sweep later.

use std::time::{Duration, Instant};

use fake_github::{
    Kind, Lag, RepoId, Weights,
    faults::{DeliveryRates, RequestFault, RequestRates},
};

use super::{
    ground::Ground,
    support::{
        forge::Forge,
        lies::{Changes, Samples},
        process::Service,
        seconds, seed,
        truth::until_true,
    },
};

/// The bad day lasts as long.
const BAD_DAY: Duration = seconds(20);

/// One sweep after the last change; a sweep every two seconds, and each number may wait for quiet first.
const TRUE_WITHIN: Duration = seconds(60);

/// Between two things that happen.
const PAUSE: Duration = Duration::from_millis(60);

/// How many bursts of limits there are.
const LIMIT_EVERY: usize = 60;

const DELIVERIES: DeliveryRates = DeliveryRates {
    drop: 0.1,
    double: 0.1,
    hold_back: 0.1,
    delay: 0.2,
    delay_max: Duration::from_millis(3_000),
};

fn answers() -> RequestRates {
    RequestRates {
        server_error: 0.04,
        reset: 0.03,
        truncate: 0.03,
        slow: 0.1,
        slow_max: Duration::from_millis(700),
        ..RequestRates::default()
    }
}

/// A forge with a past and a hook, and a service that shows all of it and sweeps every two seconds.
async fn swept(ground: &Ground, seed: u64) -> (Forge, Service) {
    let forge = Forge::with_past(seed, 3).await;
    let setup = ground.setup(&forge).await.with("TRACK", &forge.track()).with("RECONCILE", "2s");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), TRUE_WITHIN).await;
    forge.hook(&service);
    forge.fake.settle().await;
    (forge, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_shows_no_lies_and_is_over_one_sweep_later() {
    let Some(ground) = Ground::new("a bad day").await else { return };
    let (forge, service) = swept(&ground, seed(31)).await;
    let reader = service.reader();

    let faults = forge.fake.faults();
    faults.delivery_rates(DELIVERIES);
    faults.request_rates(answers());
    // As far behind as the pause before a question allows for.
    faults.lag(Some(Lag::Seconds(1)));
    let changes = Changes::default();
    let samples = bad_day(&forge, &service, &changes, Weights::default()).await;

    faults.stop();
    forge.fake.settle().await;
    let lost = forge.fake.deliveries().iter().filter(|delivery| !delivery.outcome.is_success()).count();
    assert!(lost > 20, "some deliveries never arrived: {lost}");
    let stopped = Instant::now();
    until_true(&forge, &reader, TRUE_WITHIN).await;
    println!(
        "{samples:?}, {lost} deliveries lost, true {:.1} s after the end",
        stopped.elapsed().as_secs_f64()
    );
    assert!(samples.right > 50, "too few answers could be judged: {samples:?}");
    assert!(samples.incomplete > 0, "a day like this leaves nothing open?");
}

/// Lets things happen and looks for lies meanwhile.
async fn bad_day(forge: &Forge, service: &Service, changes: &Changes, weights: Weights) -> Samples {
    let reader = service.reader();
    let until = Instant::now() + BAD_DAY;
    let living = async {
        let mut life = forge.life(seed(32), weights);
        let mut step = 0;
        while Instant::now() < until {
            if step % LIMIT_EVERY == LIMIT_EVERY / 2 {
                limit(forge, step / LIMIT_EVERY);
            }
            // An outage of the door's neighbourhood: for three seconds nothing arrives.
            let is_outage = (BAD_DAY / 2..BAD_DAY / 2 + seconds(3)).contains(&(until - Instant::now()));
            forge.fake.faults().lose_deliveries(is_outage);
            // Moments of rest, in which much becomes complete again.
            if step % 50 < 35 {
                changes.step(forge, &mut life);
            }
            step += 1;
            tokio::time::sleep(PAUSE).await;
        }
    };
    let looking = async {
        let mut samples = Samples::default();
        while Instant::now() < until {
            changes.look(forge, &reader, &mut samples).await;
        }
        samples
    };
    let (samples, ()) = tokio::join!(looking, living);
    samples
}

/// One of each limit that GitHub has, in turn.
fn limit(forge: &Forge, turn: usize) {
    let fault = [
        RequestFault::SecondaryLimit { status: 403, retry_after: Some(1) },
        RequestFault::SecondaryLimit { status: 429, retry_after: Some(1) },
        RequestFault::PrimaryLimit { reset_seconds: 1 },
    ][turn % 3];
    forge.fake.faults().on_requests("*", fault, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_told_is_found_by_the_sweep() {
    let Some(ground) = Ground::new("what nobody is told").await else { return };
    let (forge, service) = swept(&ground, seed(33)).await;
    let reader = service.reader();
    forge.fake.faults().lose_deliveries(true);

    // One kind after the other, each often enough that the sweep must find it by itself.
    let life = |kinds: &[Kind], times: usize| {
        let mut life = forge.life(seed(34), Weights::only(kinds));
        forge.fake.world(|world| (0..times).filter_map(|_| life.step(world)).count())
    };
    let silent =
        [Kind::SetSubscribers, Kind::SetFollowers, Kind::SetProfile, Kind::PurgeStars, Kind::SetLicense];
    for kind in silent {
        assert!(life(&[kind], 10) > 0, "{kind:?}");
    }
    set_languages(&forge);
    until_true(&forge, &reader, TRUE_WITHIN).await;

    let unheard = [
        (Kind::Push, 20),
        (Kind::ForcePush, 10),
        (Kind::OpenPull, 20),
        (Kind::ClosePull, 10),
        (Kind::MergePull, 10),
        (Kind::OpenIssue, 10),
        (Kind::Star, 20),
        (Kind::Unstar, 10),
        (Kind::SetDefaultBranch, 5),
        (Kind::RenameBranch, 5),
        (Kind::Archive, 3),
        (Kind::Describe, 5),
        (Kind::SetTopics, 5),
    ];
    for (kind, times) in unheard {
        life(&[kind], times);
    }
    until_true(&forge, &reader, TRUE_WITHIN).await;

    let owned = [
        (Kind::CreateRepository, 3),
        (Kind::RenameRepository, 6),
        (Kind::RecreateRepository, 3),
        (Kind::TransferRepository, 5),
        (Kind::RenameAccount, 2),
        (Kind::RenameRepository, 6),
        (Kind::Fork, 4),
        (Kind::Privatize, 4),
        (Kind::DeleteRepository, 4),
        (Kind::Publicize, 2),
    ];
    for (kind, times) in owned {
        let before: Vec<RepoId> = forge.repositories().into_iter().map(|truth| truth.id).collect();
        life(&[kind], times);
        until_true(&forge, &reader, TRUE_WITHIN).await;
        let after: Vec<RepoId> = forge.repositories().into_iter().map(|truth| truth.id).collect();
        println!("{kind:?}: {} repositories before, {} after", before.len(), after.len());
    }
    let arrived = forge.fake.deliveries().into_iter().filter(|delivery| delivery.outcome.is_success());
    assert_eq!(arrived.count(), 1, "nothing but the ping ever arrived");
}

/// Languages as GitHub counts them anew some time after a push.
fn set_languages(forge: &Forge) {
    for truth in forge.repositories() {
        let bytes = truth.commits * 100;
        forge.fake.world(|world| world.set_languages(truth.id, &[("Rust", bytes), ("C++", 7)])).unwrap();
    }
}
