//! Accounts that are tracked because they are read: how many, how often, and whether at all.

use std::time::Duration;

use domain::{Event, Forge, StreamKey, event::TrackedBy};
use tokio::join;

use crate::{
    bench::{Bench, impatient, patient},
    forge::OCTO,
};

fn wanted(login: &'static str, by: TrackedBy) -> Event<'static> {
    Event::LoginWanted { forge: Forge::GitHub, login: login.into(), by }
}

fn nobody(login: &'static str) -> Vec<Event<'static>> {
    vec![Event::LoginFound { forge: Forge::GitHub, login: login.into(), account: None }]
}

async fn wishes(bench: &Bench) -> usize {
    // The log holds a wish before its reader is answered.
    bench.commands_of(StreamKey::Service).await.len() - 1
}

#[tokio::test]
async fn only_so_many_new_accounts_an_hour() {
    let mut settings = impatient();
    settings.track_on_read_per_hour = Some(2);
    let bench = Bench::new(settings).await;
    bench.get("/v1/accounts/one").await.problem(503, "computing");
    bench.get("/githubPayload?user=two").await.problem(503, "computing");
    let reply = bench.get("/v1/repos/three/x").await;
    reply.problem(429, "too-many-new-accounts");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert_eq!(wishes(&bench).await, 2);
    bench.get("/v1/accounts/one").await.problem(503, "computing");
    OCTO.settle(&bench, &[]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200, "known accounts are not counted");
    let families = bench.registry.gather();
    let name = "tallyhook_query_tracked_on_read_total";
    let counter = families.iter().find(|family| family.name() == name).unwrap();
    assert!((counter.get_metric()[0].get_counter().get_value() - 2.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn where_tracking_on_read_is_off_nothing_is_asked_for() {
    let mut settings = impatient();
    settings.track_on_read = false;
    let bench = Bench::new(settings).await;
    for path in
        ["/githubPayload?user=octo", "/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a"]
    {
        let detail = bench.get(path).await.problem(404, "not-tracked");
        assert!(detail.contains("tallyhook track octo"), "{detail}");
    }
    assert_eq!(wishes(&bench).await, 0);

    OCTO.settle(&bench, &[]).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
    bench.command(OCTO.stream(), vec![Event::Dropped]).await;
    bench.get("/v1/accounts/octo").await.problem(404, "not-tracked");

    bench.command(StreamKey::Service, vec![wanted("hubot", TrackedBy::Person)]).await;
    bench.get("/v1/accounts/hubot").await.problem(503, "computing");
}

#[tokio::test]
async fn an_open_wish_is_not_made_again_and_one_that_was_answered_long_ago_is() {
    let bench = Bench::new(impatient()).await;
    bench.command(StreamKey::Service, vec![wanted("octo", TrackedBy::Person)]).await;
    bench.get("/v1/accounts/Octo").await.problem(503, "computing");
    assert_eq!(wishes(&bench).await, 1, "a person's");

    bench.answer(StreamKey::Service, nobody("octo")).await;
    bench.get("/v1/accounts/octo").await.problem(404, "not-found");
    bench.pass(Duration::from_secs(60 * 60));
    bench.get("/v1/accounts/octo").await.problem(503, "computing");
    bench.until_commands(StreamKey::Service, 3).await;
    assert_eq!(bench.commands_of(StreamKey::Service).await[2], wanted("octo", TrackedBy::Read));
    bench.answer(StreamKey::Service, nobody("octo")).await;
    bench.get("/v1/accounts/octo").await.problem(404, "not-found");
    assert_eq!(wishes(&bench).await, 2);
}

#[tokio::test]
async fn an_account_known_by_name_alone_is_wished_for() {
    let bench = Bench::new(patient()).await;
    // A payload named the account, and nobody keeps it.
    bench.deliver(OCTO.stream(), vec![Event::Owner(OCTO.owner())]).await;
    let (reply, ()) = join!(bench.get("/v1/accounts/octo"), async {
        bench.until_commands(StreamKey::Service, 2).await;
        OCTO.settle_by(&bench, &[(1, "a")], TrackedBy::Read).await;
    });
    assert_eq!(reply.status, 200);
    assert_eq!(wishes(&bench).await, 1);
}

#[tokio::test]
async fn a_dropped_account_is_kept_again_by_its_next_reader() {
    let bench = Bench::new(patient()).await;
    OCTO.settle_by(&bench, &[(1, "a")], TrackedBy::Read).await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
    bench.command(OCTO.stream(), vec![Event::Dropped]).await;
    let wished = |events: Vec<Event<'static>>| {
        events.iter().filter(|event| **event == Event::Tracked(TrackedBy::Read)).count()
    };
    let (reply, other, ()) = join!(bench.get("/v1/accounts/octo"), bench.get("/v1/repos/octo/a"), async {
        bench.until_commands(OCTO.stream(), 2).await;
        OCTO.settle_by(&bench, &[(1, "a")], TrackedBy::Read).await;
    });
    assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "true"));
    assert_eq!(other.status, 200);
    assert_eq!(wished(bench.commands_of(OCTO.stream()).await), 1, "two readers, one wish");
    assert_eq!(wishes(&bench).await, 0);
}
