//! What goes wrong when it is told to, and only then.

use std::{collections::BTreeMap, time::Duration};

use crate::client::Api;
use crate::receiver::Receiver;
use fake_github::{
    Clock, FakeConfig, FakeGithub, HookTarget, Lag, NewHook, NewRepository, Outcome, RepoId, Second,
    faults::{DeliveryFault, DeliveryRates, RequestFault, RequestRates},
};

struct Setup {
    fake: FakeGithub,
    clock: Clock,
    repo: RepoId,
    receiver: Receiver,
    api: Api,
}

async fn setup(seed: u64) -> Setup {
    let clock = Clock::scripted(Second(1_795_000_000));
    // One delivery at a time: then they arrive in the order in which they are sent.
    let config = FakeConfig { seed, clock: clock.clone(), deliveries_concurrent: 1, ..FakeConfig::default() };
    let fake = FakeGithub::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    let repo = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        world.accept_token("secret", ada);
        let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        world.create_hook(NewHook::new(HookTarget::Repository(repo), &receiver.url, "s")).unwrap();
        repo
    });
    fake.settle().await;
    receiver.forget();
    let api = Api::new(fake.url()).token("secret");
    Setup { fake, clock, repo, receiver, api }
}

impl Setup {
    fn issues(&self, count: usize) {
        for _ in 0..count {
            self.fake.world(|world| world.open_issue(self.repo, "i", world.accounts()[0]).unwrap());
        }
    }

    /// The numbers of the issues that arrived, in the order in which they did.
    fn arrived(&self) -> Vec<u64> {
        let number = |body: &[u8]| {
            serde_json::from_slice::<serde_json::Value>(body).unwrap()["issue"]["number"].as_u64().unwrap()
        };
        self.receiver.received().iter().map(|it| number(&it.body)).collect()
    }
}

#[tokio::test]
async fn one_delivery_is_lost_doubled_held_back_or_late_as_told() {
    let setup = setup(1).await;
    let faults = setup.fake.faults();
    faults.next_delivery(Some("push"), DeliveryFault::Drop);
    faults.next_delivery(Some("issues"), DeliveryFault::HoldBack(2));
    faults.next_delivery(Some("issues"), DeliveryFault::Double);
    faults.next_delivery(None, DeliveryFault::Drop);
    faults.next_delivery(None, DeliveryFault::Delay(Duration::from_secs(1)));
    setup.issues(5);
    setup.fake.settle().await;
    // 1 is held back behind 2 and 3; 2 is doubled; 3 is lost; 4 is late.
    assert_eq!(setup.arrived(), [2, 2, 1, 5, 4]);
    let guids: Vec<String> =
        setup.receiver.received().iter().map(|it| it.header("x-github-delivery").to_owned()).collect();
    assert_eq!(guids[0], guids[1], "a double has the same GUID");
    let lost: Vec<_> = setup.fake.deliveries().into_iter().filter(|it| it.outcome == Outcome::Lost).collect();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].payload.windows(10).any(|part| part == b"\"number\":3"));
    assert_eq!(setup.fake.redeliver(&lost[0].guid), 1);
    setup.fake.settle().await;
    assert_eq!(setup.arrived().last(), Some(&3), "what was lost can be sent again");
}

#[tokio::test]
async fn an_outage_loses_what_happens_in_it() {
    let setup = setup(1).await;
    let now = setup.clock.now();
    setup.fake.faults().lose_deliveries_between(now.plus(10), now.plus(20));
    setup.issues(1);
    setup.clock.advance_ms(10_000);
    setup.issues(2);
    setup.clock.advance_ms(10_000);
    setup.issues(1);
    setup.fake.faults().lose_deliveries(true);
    setup.issues(1);
    setup.fake.faults().stop();
    setup.issues(1);
    setup.fake.settle().await;
    assert_eq!(setup.arrived(), [1, 4, 6]);
}

#[tokio::test]
async fn rates_are_the_same_for_a_seed_and_end_when_they_are_stopped() {
    let rates = DeliveryRates {
        drop: 0.1,
        double: 0.1,
        hold_back: 0.3,
        delay: 0.1,
        delay_max: Duration::from_millis(5),
    };
    let run = |seed| async move {
        let setup = setup(seed).await;
        setup.fake.faults().delivery_rates(rates);
        setup.issues(60);
        setup.fake.settle().await;
        let outcomes: Vec<Outcome> = setup.fake.deliveries().iter().map(|it| it.outcome).collect();
        let arrived = setup.arrived();
        setup.receiver.forget();
        setup.fake.faults().stop();
        setup.issues(10);
        setup.fake.settle().await;
        assert_eq!(setup.arrived(), (61..=70).collect::<Vec<u64>>());
        (outcomes, arrived)
    };
    let (outcomes, arrived) = run(3).await;
    assert_eq!(run(3).await.0, outcomes);
    assert_ne!(run(4).await.0, outcomes);
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for number in &arrived {
        *times.entry(*number).or_default() += 1;
    }
    let lost = outcomes.iter().filter(|outcome| **outcome == Outcome::Lost).count();
    assert_eq!(times.len() + lost, 60, "everything arrives that is not lost");
    assert!(times.values().any(|count| *count == 2), "something is doubled");
    assert!(arrived.windows(2).any(|pair| pair[0] > pair[1]), "something is out of order");
}

#[tokio::test]
async fn requests_fail_as_told_and_as_often() {
    let setup = setup(1).await;
    let faults = setup.fake.faults();
    let path = "/repos/ada/engine";
    let once = Some(1);
    faults.on_requests("*", RequestFault::ServerError(502), once);
    faults.on_requests("*", RequestFault::Refuse(403), once);
    faults.on_requests("*", RequestFault::PrimaryLimit { reset_seconds: 30 }, once);
    faults.on_requests("*", RequestFault::SecondaryLimit { status: 429, retry_after: Some(7) }, once);
    faults.on_requests("*", RequestFault::SecondaryLimit { status: 403, retry_after: None }, once);
    assert_eq!(setup.api.get(path).await.status, 502);
    let refused = setup.api.get(path).await;
    assert_eq!((refused.status, refused.header("retry-after")), (403, ""));
    assert_ne!(refused.header("x-ratelimit-remaining"), "0", "a refusal has no sign of a limit");
    let limited = setup.api.get(path).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-remaining")), (403, "0"));
    assert_eq!(limited.header("x-ratelimit-reset"), (1_795_000_000 + 30).to_string());
    let slow_down = setup.api.get(path).await;
    assert_eq!((slow_down.status, slow_down.header("retry-after")), (429, "7"));
    let silent = setup.api.get(path).await;
    assert_eq!((silent.status, silent.header("retry-after")), (403, ""));
    assert!(silent.json()["message"].as_str().unwrap().contains("secondary rate limit"));
    assert_eq!(setup.api.get(path).await.status, 200, "the rules are used up");

    faults.on_requests("*/languages", RequestFault::Refuse(501), None);
    for _ in 0..3 {
        assert_eq!(setup.api.get("/repos/ada/engine/languages").await.status, 501);
        assert_eq!(setup.api.get("/repos/ada/engine/topics").await.status, 200);
    }
    faults.stop();
    assert_eq!(setup.api.get("/repos/ada/engine/languages").await.status, 200);
}

#[tokio::test]
async fn connections_and_bodies_break() {
    let setup = setup(1).await;
    let faults = setup.fake.faults();
    faults.on_requests("/users/*", RequestFault::Reset, Some(1));
    faults.on_requests("/users/*", RequestFault::Truncate, Some(1));
    let get = || setup.api.send(http::Method::GET, "/users/ada", "");
    assert!(get().await.is_err(), "closed without an answer");
    assert!(get().await.is_err(), "broken off");
    assert_eq!(get().await.unwrap().status, 200);
    let statuses: Vec<Option<u16>> = setup.fake.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [None, Some(200), Some(200)]);
    assert_eq!(setup.fake.requests().iter().filter(|request| request.faulty).count(), 2);
    setup.fake.forget_requests();
    assert!(setup.fake.requests().is_empty());
}

#[tokio::test]
async fn a_replica_that_lags_answers_from_a_whole_moment_of_the_past() {
    let setup = setup(1).await;
    let stars =
        || async { setup.api.get("/repos/ada/engine").await.json()["stargazers_count"].as_u64().unwrap() };
    let star = |name: &str| {
        setup.fake.world(|world| {
            let user = world.create_user(name).unwrap();
            world.star(setup.repo, user).unwrap();
        });
        setup.clock.advance_ms(1_000);
    };
    star("zero");
    setup.fake.faults().lag(Some(Lag::Operations(2)));
    assert_eq!(stars().await, 1, "a replica knows what was there when it began");
    star("one");
    assert_eq!(stars().await, 1, "making the user and starring are two operations");
    star("two");
    assert_eq!(stars().await, 2);
    setup.fake.faults().lag(Some(Lag::Seconds(2)));
    assert_eq!(stars().await, 2, "the star of the last second is not there yet");
    setup.clock.advance_ms(1_000);
    assert_eq!(stars().await, 3);
    setup.fake.faults().lag(None);
    star("three");
    assert_eq!(stars().await, 4);
    // Commits and the head that they are counted from are of one moment.
    setup.fake.world(|world| world.push_commits(setup.repo, "main", 3).unwrap());
    setup.fake.faults().on_requests("*", RequestFault::Lag(Lag::Operations(1)), None);
    let head = || async {
        let branch = setup.api.get("/repos/ada/engine/branches/main").await;
        branch.json()["commit"]["sha"].as_str().unwrap().to_owned()
    };
    let old = head().await;
    setup.fake.world(|world| world.push_commits(setup.repo, "main", 2).unwrap());
    assert_eq!(head().await, old);
    let commits = setup.api.get("/repos/ada/engine/commits").await.json();
    assert_eq!((commits.as_array().unwrap().len(), commits[0]["sha"].as_str().unwrap()), (3, old.as_str()));
}

#[tokio::test]
async fn random_request_faults_are_of_every_kind_and_do_not_touch_the_world() {
    let setup = setup(9).await;
    setup.fake.faults().request_rates(RequestRates {
        server_error: 0.1,
        primary_limit: 0.1,
        reset_seconds: 1,
        secondary_limit: 0.2,
        retry_after_seconds: 1,
        reset: 0.1,
        truncate: 0.1,
        slow: 0.1,
        slow_max: Duration::from_millis(2),
        lag: 0.1,
        lag_operations_max: 3,
    });
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for _ in 0..200 {
        let answer = setup.api.send(http::Method::GET, "/users/ada", "").await;
        *statuses.entry(answer.map_or(0, |answer| answer.status)).or_default() += 1;
    }
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [0, 200, 403, 429, 502]);
    setup.fake.faults().stop();
    for _ in 0..50 {
        assert_eq!(setup.api.get("/users/ada").await.status, 200);
    }
}
