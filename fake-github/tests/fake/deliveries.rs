//! Deliveries as a receiver gets them: headers, signatures, who hears of what, and again on request.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::Api;
use crate::receiver::{Received, Receiver};
use fake_github::{
    Clock, ContentType, FakeConfig, FakeGithub, HookTarget, Kind, Life, NewHook, NewRepository, Outcome,
    Second, Weights,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

async fn fake() -> (FakeGithub, Clock) {
    let clock = Clock::scripted(Second(1_795_000_000));
    let config = FakeConfig { clock: clock.clone(), ..FakeConfig::default() };
    (FakeGithub::start(config).await.unwrap(), clock)
}

fn assert_signed(delivery: &Received, secret: &str) {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&delivery.body);
    let expected = format!("sha256={}", const_hex::encode(mac.finalize().into_bytes()));
    assert_eq!(delivery.header("x-hub-signature-256"), expected);
}

#[tokio::test]
async fn a_hook_is_made_over_the_api_and_pinged() {
    let (fake, _) = fake().await;
    let receiver = Receiver::start().await;
    let repo = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let eve = world.create_user("eve").unwrap();
        world.accept_token("ada", ada);
        world.accept_token("eve", eve);
        world.create_repository(ada, NewRepository::public("engine")).unwrap()
    });
    let api = Api::new(fake.url()).token("ada");
    let wish = json!({"name": "web", "events": ["push", "star"], "config":
        {"url": receiver.url, "secret": "s3cret", "content_type": "json"}})
    .to_string();
    let others = Api::new(fake.url()).token("eve");
    assert_eq!(others.post("/repos/ada/engine/hooks", &wish).await.status, 404, "not for outsiders");
    assert_eq!(others.get("/repos/ada/engine/hooks").await.status, 404);
    assert_eq!(api.post("/repos/ada/engine/hooks", "nonsense").await.status, 400);
    let made = api.post("/repos/ada/engine/hooks", &wish).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_u64().unwrap();
    assert_eq!(made.json()["config"]["secret"], "********");
    assert_eq!(api.post("/repos/ada/engine/hooks", &wish).await.status, 422, "the same again");
    assert_eq!(api.get("/repos/ada/engine/hooks").await.json()[0]["id"], id);
    fake.settle().await;

    let ping = receiver.received().remove(0);
    assert_signed(&ping, "s3cret");
    assert_eq!(ping.header("x-github-event"), "ping");
    assert_eq!(ping.header("content-type"), "application/json");
    assert_eq!(ping.header("x-github-hook-id"), id.to_string());
    assert_eq!(ping.header("x-github-hook-installation-target-type"), "repository");
    assert_eq!(ping.header("x-github-hook-installation-target-id"), repo.to_string());
    assert!(ping.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert!(ping.header("x-hub-signature").starts_with("sha1="));
    let body: Value = serde_json::from_slice(&ping.body).unwrap();
    assert_eq!((&body["hook_id"], &body["repository"]["id"]), (&json!(id), &json!(repo.0)));

    assert_eq!(api.post(&format!("/repos/ada/engine/hooks/{id}/pings"), "").await.status, 204);
    fake.world(|world| {
        world.push_commits(repo, "main", 1).unwrap();
        world.open_issue(repo, "not subscribed to", world.accounts()[0]).unwrap();
    });
    fake.settle().await;
    let mut events = receiver.events();
    events.sort();
    assert_eq!(events, ["ping", "ping", "push"]);
    let gone = api.send(http::Method::DELETE, &format!("/repos/ada/engine/hooks/{id}"), "").await.unwrap();
    assert_eq!(gone.status, 204);
    fake.world(|world| world.push_commits(repo, "main", 1).unwrap());
    fake.settle().await;
    assert_eq!(receiver.events().len(), 4, "the last that a hook hears is `meta.deleted`");
    assert_eq!(receiver.events().last().unwrap(), "meta");
}

#[tokio::test]
async fn forms_are_signed_as_sent() {
    let (fake, _) = fake().await;
    let receiver = Receiver::start().await;
    fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        world.describe_repository(repo, Some("100 % & more \u{2728}")).unwrap();
        let hook = NewHook::new(HookTarget::Repository(repo), &receiver.url, "key");
        world.create_hook(NewHook { content_type: ContentType::Form, ..hook }).unwrap();
    });
    fake.settle().await;
    let ping = receiver.received().remove(0);
    assert_eq!(ping.header("content-type"), "application/x-www-form-urlencoded");
    assert_signed(&ping, "key");
    let fields: Vec<(String, String)> = form_urlencoded::parse(&ping.body).into_owned().collect();
    assert_eq!((fields.len(), fields[0].0.as_str()), (1, "payload"));
    let body: Value = serde_json::from_str(&fields[0].1).unwrap();
    assert_eq!(body["repository"]["description"], "100 % & more \u{2728}");
}

#[tokio::test]
async fn each_kind_of_hook_hears_what_github_tells_it() {
    let (fake, _) = fake().await;
    let (to_repo, to_old, to_new, to_app) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let all = [&to_repo, &to_old, &to_new, &to_app];
    let (repo, new) = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let old = world.create_organization("old", ada).unwrap();
        let new = world.create_organization("new", ada).unwrap();
        let repo = world.create_repository(old, NewRepository::public("engine")).unwrap();
        let targets = [
            HookTarget::Repository(repo),
            HookTarget::Organization(old),
            HookTarget::Organization(new),
            HookTarget::App,
        ];
        for (target, receiver) in targets.into_iter().zip(all) {
            world.create_hook(NewHook::new(target, &receiver.url, "s")).unwrap();
        }
        (repo, new)
    });
    fake.settle().await;
    for receiver in all {
        assert_eq!(receiver.events(), ["ping"]);
        receiver.forget();
    }
    fake.world(|world| world.push_commits(repo, "main", 1).unwrap());
    fake.settle().await;
    let guid = |receiver: &Receiver| {
        let push = receiver.received().into_iter().find(|it| it.header("x-github-event") == "push").unwrap();
        push.header("x-github-delivery").to_owned()
    };
    assert_eq!(guid(&to_repo), guid(&to_old), "one event, one GUID");
    assert_eq!(guid(&to_repo), guid(&to_app));
    assert!(to_new.events().is_empty());
    let app = to_app.received().remove(0);
    assert_eq!(app.header("x-github-hook-installation-target-type"), "integration");
    assert!(serde_json::from_slice::<Value>(&app.body).unwrap()["installation"]["id"].is_u64());

    all.iter().for_each(|receiver| receiver.forget());
    fake.world(|world| world.transfer_repository(repo, new).unwrap());
    fake.settle().await;
    assert!(to_old.events().is_empty(), "the former owner hears nothing of a transfer");
    for receiver in [&to_repo, &to_new, &to_app] {
        let transfer: Value = serde_json::from_slice(&receiver.received()[0].body).unwrap();
        assert_eq!(transfer["action"], "transferred");
        assert_eq!(transfer["changes"]["owner"]["from"]["organization"]["login"], "old");
        assert_eq!(transfer["repository"]["full_name"], "new/engine");
    }

    all.iter().for_each(|receiver| receiver.forget());
    fake.world(|world| world.delete_repository(repo).unwrap());
    fake.settle().await;
    assert_eq!(to_new.events(), ["repository"], "only the organisation hears of a deletion");
    assert!(to_repo.events().is_empty() && to_app.events().is_empty() && to_old.events().is_empty());
}

#[tokio::test]
async fn failures_are_logged_not_retried_and_sent_again_with_their_guid() {
    let config = FakeConfig { delivery_timeout: std::time::Duration::from_secs(2), ..FakeConfig::default() };
    let fake = FakeGithub::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    let closed = "http://127.0.0.1:1/nobody".to_owned();
    let repo = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        for url in [&receiver.url, &closed] {
            world.create_hook(NewHook::new(HookTarget::Repository(repo), url, "s")).unwrap();
        }
        repo
    });
    fake.settle().await;
    receiver.answer(500);
    fake.world(|world| world.open_issue(repo, "first", world.accounts()[0]).unwrap());
    fake.settle().await;
    receiver.answer(0);
    fake.world(|world| world.open_issue(repo, "second", world.accounts()[0]).unwrap());
    fake.settle().await;
    let log = fake.deliveries();
    let outcomes: Vec<Outcome> = log.iter().map(|delivery| delivery.outcome).collect();
    let unreachable = Outcome::Unreachable;
    assert_eq!(
        outcomes,
        [
            Outcome::Answered(202),
            unreachable,
            Outcome::Answered(500),
            unreachable,
            Outcome::TimedOut,
            unreachable
        ]
    );
    assert!(log[0].outcome.is_success() && !log[2].outcome.is_success());
    assert!(log[4].concluded > log[2].concluded);

    receiver.answer(200);
    receiver.forget();
    assert_eq!(fake.redeliver(&log[2].guid), 2, "to both hooks");
    assert_eq!(fake.redeliver("no-such-guid"), 0);
    fake.settle().await;
    let again = receiver.received();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].header("x-github-delivery"), log[2].guid);
    assert_eq!(again[0].body, log[2].payload);
    let last = fake.deliveries().into_iter().rfind(|it| it.outcome.is_success()).unwrap();
    assert!(last.redelivery && last.guid == log[2].guid && last.id != log[2].id);
}

#[tokio::test]
async fn everything_that_happens_arrives_once_and_a_receiver_can_count_from_it() {
    let clock = Clock::scripted(Second(1_795_000_000));
    let config = FakeConfig { clock: clock.clone(), accounts: 2, seed: 5, ..FakeConfig::default() };
    let fake = FakeGithub::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    fake.world(|world| world.create_hook(NewHook::new(HookTarget::App, &receiver.url, "s")).unwrap());
    let weights = Weights::default().with(Kind::PurgeStars, 0).with(Kind::DeleteRepository, 0);
    let mut life = Life::new(5, weights);
    for _ in 0..150 {
        fake.world(|world| life.step(world));
        clock.advance_ms(life.pause_ms());
    }
    fake.settle().await;
    let received = receiver.received();
    let guids: BTreeSet<&str> = received.iter().map(|it| it.header("x-github-delivery")).collect();
    assert_eq!(guids.len(), received.len(), "no doubles");
    assert_eq!(received.len(), fake.deliveries().len());
    assert!(received.len() > 150);
    // The newest reading of each repository, by GitHub's own second, is true unless two share that second.
    let mut newest: BTreeMap<u64, (String, BTreeSet<u64>)> = BTreeMap::new();
    for delivery in &received {
        assert_signed(delivery, "s");
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        let repo = &body["repository"];
        let (Some(id), Some(at)) = (repo["id"].as_u64(), repo["updated_at"].as_str()) else { continue };
        let entry = newest.entry(id).or_default();
        if at > entry.0.as_str() {
            *entry = (at.to_owned(), BTreeSet::new());
        }
        if at == entry.0 {
            entry.1.insert(repo["stargazers_count"].as_u64().unwrap());
        }
    }
    for (id, (_, stars)) in newest {
        let truth = fake.world(|world| world.truth(fake_github::RepoId(id)).unwrap());
        assert!(stars.contains(&truth.stars), "repository {id}: {stars:?} against {}", truth.stars);
    }
}

#[tokio::test]
async fn nothing_runs_on_after_a_shutdown() {
    let (fake, _) = fake().await;
    let receiver = Receiver::start().await;
    receiver.answer(0);
    let url = fake.url().to_owned();
    fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        world.create_hook(NewHook::new(HookTarget::Repository(repo), &receiver.url, "s")).unwrap();
    });
    // A delivery that is never answered and an open connection do not hold it up.
    let api = Api::new(&url);
    assert_eq!(api.get("/users/ada").await.status, 200);
    fake.shutdown().await;
    assert!(api.send(http::Method::GET, "/users/ada", "").await.is_err());
}

#[tokio::test]
async fn what_was_sent_is_shown_for_three_days_by_pages() {
    let (fake, clock) = fake().await;
    let receiver = Receiver::start().await;
    let (repo, hook) = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let eve = world.create_user("eve").unwrap();
        world.accept_token("ada", ada);
        world.accept_token("eve", eve);
        let repo = world.create_repository(ada, NewRepository::public("engine")).unwrap();
        let hook = NewHook::new(HookTarget::Repository(repo), &receiver.url, "s3cret");
        let hook = NewHook { events: vec!["push".into()], ..hook };
        (repo, world.create_hook(hook).unwrap())
    });
    fake.settle().await;
    let path = format!("/repos/ada/engine/hooks/{hook}/deliveries");
    assert_eq!(Api::new(fake.url()).token("eve").get(&path).await.status, 404, "not for outsiders");
    let api = Api::new(fake.url()).token("ada");
    for count in 1..=4 {
        clock.advance_ms(60_000);
        // One is lost, and one is so that nobody can tell.
        fake.faults().lose_deliveries(count == 2);
        fake.faults().forget_deliveries(count == 3);
        fake.world(|world| world.push_commits(repo, "main", 1).unwrap());
        fake.settle().await;
    }
    fake.faults().stop();

    let first = api.get(&format!("{path}?per_page=2")).await;
    let next = first.header("link").split_once('>').unwrap().0.trim_start_matches('<').to_owned();
    let second = api.get(next.strip_prefix(fake.url()).unwrap()).await;
    assert_eq!(second.header("link"), "");
    let listed: Vec<Value> =
        [first, second].iter().flat_map(|page| page.json().as_array().unwrap().clone()).collect();
    let shown: Vec<(&str, &str, u64)> = listed
        .iter()
        .map(|it| {
            (
                it["event"].as_str().unwrap(),
                it["status"].as_str().unwrap(),
                it["status_code"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("push", "OK", 202),
            ("push", "failed to connect to host", 502),
            ("push", "OK", 202),
            ("ping", "OK", 202)
        ]
    );
    let failed = api.get(&format!("{path}?status=failure")).await.json();
    assert_eq!(failed.as_array().unwrap().len(), 1);
    let (id, guid) = (failed[0]["id"].as_u64().unwrap(), failed[0]["guid"].as_str().unwrap().to_owned());
    assert_eq!((&failed[0]["redelivery"], &failed[0]["repository_id"]), (&json!(false), &json!(repo.0)));

    let one = api.get(&format!("{path}/{id}")).await;
    let sent = fake.deliveries().into_iter().find(|delivery| delivery.guid == guid).unwrap();
    let text = String::from_utf8(one.body.to_vec()).unwrap();
    assert!(text.contains(std::str::from_utf8(&sent.payload).unwrap()), "the payload as it was signed");
    let headers = &one.json()["request"]["headers"];
    assert_eq!((&headers["X-GitHub-Delivery"], &headers["X-GitHub-Event"]), (&json!(guid), &json!("push")));
    assert_eq!(headers["X-GitHub-Hook-ID"], hook.to_string());
    fake.faults().hide_payloads(true);
    assert!(api.get(&format!("{path}/{id}")).await.json()["request"]["payload"].is_null());

    receiver.forget();
    assert_eq!(api.post(&format!("{path}/{id}/attempts"), "").await.status, 202);
    fake.settle().await;
    let again = receiver.received();
    assert_eq!((again.len(), again[0].header("x-github-delivery")), (1, guid.as_str()));
    assert_signed(&again[0], "s3cret");
    let newest = api.get(&path).await.json()[0].clone();
    assert_eq!(
        (&newest["guid"], &newest["redelivery"], &newest["status"]),
        (&json!(guid), &json!(true), &json!("OK"))
    );
    assert_ne!(newest["id"], id);

    clock.advance_ms(3 * 24 * 60 * 60 * 1000);
    assert_eq!(api.get(&path).await.json(), json!([]));
    assert_eq!(api.get(&format!("{path}/{id}")).await.status, 404);
    assert_eq!(api.post(&format!("{path}/{id}/attempts"), "").await.status, 404);
}
