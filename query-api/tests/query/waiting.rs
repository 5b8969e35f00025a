//! First readers: what they wait for, what wakes them, and what they get when time is up.

use domain::{Event, NeedKey, RepoId, StreamKey, event::TrackedBy};
use serde_json::json;
use tokio::join;

use crate::{
    bench::{Bench, PATIENCE, impatient, patient},
    forge::{OCTO, commits_of},
};

const S0: &str = "/githubPayload?user=octo";

/// How many requests wait.
fn waiting(bench: &Bench) -> f64 {
    let families = bench.registry.gather();
    let family = families.iter().find(|family| family.name() == "tallyhook_query_waiting").unwrap();
    family.get_metric()[0].get_gauge().get_value()
}

/// Lets the readers of a `join!` reach their seats before anything is told.
async fn until_waiting(bench: &Bench, readers: u32) {
    let seated = async {
        while waiting(bench) < f64::from(readers) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seated).await.expect("they sit down");
}

/// The service stream's commands are the door's opening and the wishes.
async fn until_wished(bench: &Bench, wishes: usize) {
    bench.until_commands(StreamKey::Service, 1 + wishes).await;
}

fn found(account: Option<domain::AccountId>) -> Vec<Event<'static>> {
    vec![Event::LoginFound { forge: domain::Forge::GitHub, login: "octo".into(), account }]
}

#[tokio::test]
async fn a_reader_of_an_unknown_account_gets_it_as_soon_as_it_is_complete() {
    let bench = Bench::new(patient()).await;
    let (reply, ()) = join!(bench.get("/githubPayload?user=OcTo"), async {
        until_wished(&bench, 1).await;
        let wish =
            Event::LoginWanted { forge: domain::Forge::GitHub, login: "OcTo".into(), by: TrackedBy::Read };
        assert_eq!(bench.commands_of(StreamKey::Service).await[1], wish, "as it was typed");
        // The answers come one by one, and only the last completes the payload.
        bench.answer(StreamKey::Service, found(Some(OCTO.id()))).await;
        bench.answer(OCTO.stream(), vec![Event::Tracked(TrackedBy::Read), OCTO.profile()]).await;
        bench.answer(OCTO.stream(), vec![Event::Repository(Box::new(OCTO.repository(1, "a")))]).await;
        let listed = Event::RepositoriesListed { since: domain::Version::LEAST };
        bench.answer(OCTO.stream(), vec![listed]).await;
        bench.answer(OCTO.stream(), OCTO.everything_about(1, "a", 7)).await;
    });
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["user"]["repositories"][0]["commitCount"], 7);
    assert_eq!(reply.header("tallyhook-complete"), "true");
}

#[tokio::test]
async fn every_page_of_an_unknown_account_waits_for_it() {
    let bench = Bench::new(patient()).await;
    let (s0, account, list, repo, nothing, ()) = join!(
        bench.get(S0),
        bench.get("/v1/accounts/octo"),
        bench.get("/v1/accounts/octo/repos"),
        bench.get("/v1/repos/octo/a"),
        bench.get("/v1/repos/octo/nothing"),
        async {
            until_wished(&bench, 1).await;
            until_waiting(&bench, 5).await;
            OCTO.settle(&bench, &[(1, "a")]).await;
        }
    );
    for reply in [&s0, &account, &list, &repo] {
        assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "true"));
    }
    nothing.problem(404, "not-found");
    let wishes = bench.commands_of(StreamKey::Service).await.len() - 1;
    assert_eq!(wishes, 1, "five readers make one wish");
    assert!(waiting(&bench) < 1.0, "nobody waits any more");
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_not_found_and_not_asked_for_again_within_an_hour() {
    let bench = Bench::new(patient()).await;
    let (reply, ()) = join!(bench.get(S0), async {
        until_wished(&bench, 1).await;
        bench.answer(StreamKey::Service, found(None)).await;
    });
    reply.problem(404, "not-found");
    bench.get("/v1/accounts/OCTO").await.problem(404, "not-found");
    bench.pass(std::time::Duration::from_secs(3599));
    bench.get(S0).await.problem(404, "not-found");
    assert_eq!(bench.commands_of(StreamKey::Service).await.len(), 2);
}

#[tokio::test]
async fn when_time_is_up_an_unlisted_account_is_still_computing() {
    let bench = Bench::new(impatient()).await;
    for path in [S0, "/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/a"] {
        let reply = bench.get(path).await;
        reply.problem(503, "computing");
        assert_eq!(reply.header("retry-after"), "1", "{path}");
    }
    // A delivery tells of the account; its list was never read.
    let events =
        vec![Event::Tracked(TrackedBy::Delivery), Event::Repository(Box::new(OCTO.repository(1, "a")))];
    bench.deliver(OCTO.stream(), events).await;
    for path in [S0, "/v1/accounts/octo", "/v1/accounts/octo/repos", "/v1/repos/octo/b"] {
        bench.get(path).await.problem(503, "computing");
    }
    let repo = bench.get("/v1/repos/octo/a").await;
    assert_eq!((repo.status.as_u16(), repo.header("tallyhook-complete")), (200, "false"), "it is known");
}

#[tokio::test]
async fn when_time_is_up_what_is_there_of_a_listed_account_is_shown() {
    let bench = Bench::new(impatient()).await;
    bench.hold();
    let (reply, ()) = join!(bench.get(S0), async { until_waiting(&bench, 1).await });
    reply.problem(503, "computing");
    bench.release().await;
    let mut events = OCTO.listed(TrackedBy::Read);
    events.push(Event::Repository(Box::new(OCTO.repository(1, "a"))));
    bench.answer(OCTO.stream(), events).await;
    let reply = bench.get(S0).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["user"]["repositories"][0]["commitCount"], json!(null));
    assert_eq!(reply.header("tallyhook-complete"), "false");
}

#[tokio::test]
async fn a_waiting_reader_gets_what_there_is_at_the_end_of_the_wait_once_the_list_is_in() {
    let mut settings = patient();
    settings.first_read_wait = std::time::Duration::from_millis(300);
    let bench = Bench::new(settings).await;
    let (reply, ()) = join!(bench.get(S0), async {
        until_waiting(&bench, 1).await;
        let mut events = OCTO.listed(TrackedBy::Read);
        events.push(Event::Repository(Box::new(OCTO.repository(1, "a"))));
        bench.answer(OCTO.stream(), events).await;
    });
    assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "false"));
}

#[tokio::test]
async fn a_forge_that_refuses_the_list_leaves_the_rest_served() {
    let bench = Bench::new(impatient()).await;
    let refused = Event::Refused { about: NeedKey::Repositories, status: 403 };
    let mut events = vec![Event::Tracked(TrackedBy::Read), OCTO.profile()];
    events.extend(OCTO.everything_about(1, "a", 3));
    events.push(refused);
    bench.answer(OCTO.stream(), events).await;
    let reply = bench.get("/v1/accounts/octo").await;
    assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "false"));
    assert_eq!(reply.json()["totals"]["commits"], 3);
}

#[tokio::test]
async fn news_of_one_account_wake_its_own_readers_only() {
    let bench = Bench::new(patient()).await;
    let reads_of_octo =
        || bench.store.reads_of(&domain::RowKey::Alias(domain::Forge::GitHub, "octo".to_owned()));
    let (octo, ()) = join!(bench.get(S0), async {
        until_wished(&bench, 1).await;
        until_waiting(&bench, 1).await;
        let before = reads_of_octo();
        crate::forge::HUBOT.settle(&bench, &[(5, "x")]).await;
        assert_eq!(reads_of_octo(), before);
        OCTO.settle(&bench, &[(1, "a")]).await;
    });
    assert_eq!(octo.status, 200);
}

#[tokio::test]
async fn an_account_that_is_muted_or_hidden_while_it_is_waited_for_ends_the_wait() {
    let bench = Bench::new(patient()).await;
    let (reply, ()) = join!(bench.get(S0), async {
        until_waiting(&bench, 1).await;
        bench.answer(OCTO.stream(), vec![Event::Tracked(TrackedBy::Read), OCTO.profile()]).await;
        bench.command(OCTO.stream(), vec![Event::Untracked]).await;
    });
    reply.problem(404, "not-tracked");
}

#[tokio::test]
async fn a_crowd_of_first_readers_is_told_to_come_back() {
    let bench = std::sync::Arc::new(Bench::new(patient()).await);
    bench.hold();
    let crowd: Vec<_> = (0..4096)
        .map(|number| {
            let bench = std::sync::Arc::clone(&bench);
            tokio::spawn(async move { bench.get(&format!("/v1/accounts/a{}", number % 8)).await })
        })
        .collect();
    until_waiting(&bench, 4096).await;
    bench.get("/v1/accounts/a1").await.problem(503, "computing");
    OCTO.settle(&bench, &[(1, "a")]).await;
    for reader in crowd {
        reader.abort();
        let _ = reader.await;
    }
    assert!(waiting(&bench) < 1.0, "who goes away leaves a seat");
    bench.release().await;
    assert_eq!(bench.get("/v1/accounts/octo").await.status, 200);
}

#[tokio::test]
async fn readers_wait_through_a_change_that_completes_nothing() {
    let bench = Bench::new(patient()).await;
    let (reply, ()) = join!(bench.get("/v1/repos/octo/a"), async {
        until_waiting(&bench, 1).await;
        bench.answer(OCTO.stream(), vec![Event::Tracked(TrackedBy::Read), OCTO.profile()]).await;
        bench.answer(OCTO.stream(), vec![Event::Repository(Box::new(OCTO.repository(1, "a")))]).await;
        bench.answer(OCTO.stream(), vec![commits_of(1, 4)]).await;
        let repo = RepoId::github(1);
        bench.answer(OCTO.stream(), vec![Event::Languages { repo, bytes: Vec::new() }]).await;
        bench.answer(OCTO.stream(), OCTO.everything_about(1, "a", 5)).await;
    });
    assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "true"));
    assert_eq!(reply.json()["counts"]["commits"], 5);
}
