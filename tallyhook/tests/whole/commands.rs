//! The command line against a running process: each call is a child process of its own, and what it did is seen
//! in the payloads.

use fake_github::{NewRepository, RepoId};
use serde_json::Value;

use super::{
    ground::Ground,
    support::{
        forge::Forge,
        process::{Service, Setup},
        reader::Reader,
        seconds,
        sender::{Delivery, Sender},
        truth::{differences, until_true},
        until,
    },
};

/// A load of a few repositories takes a second; a busy machine may take many.
const WITHIN: std::time::Duration = seconds(60);

/// A forge of two accounts, and a service that keeps whom it is told to.
struct Place {
    forge: Forge,
    service: Service,
    /// For calls to the service.
    calls: Setup,
    reader: Reader,
    _ground: Ground,
}

impl Place {
    /// `None` where there is no ground for it.
    async fn new(seed: u64) -> Option<Self> {
        let ground = Ground::new("calls").await?;
        let forge = Forge::with_past(seed, 2).await;
        forge.open_repository(0);
        let setup = ground.setup(&forge).await.with("TRACK_ON_READ", "false").with("RECONCILE", "off");
        let service = setup.serve().await;
        service.ready().await;
        let calls = setup.talking_to(&service);
        let reader = service.reader();
        Some(Place { forge, service, calls, reader, _ground: ground })
    }

    async fn track_all(&self) {
        let logins = self.forge.logins();
        let mut arguments = vec!["track"];
        arguments.extend(logins.iter().map(String::as_str));
        self.calls.run(&arguments).await.done();
        until_true(&self.forge, &self.reader, WITHIN).await;
    }

    /// One of the first owner's repositories.
    fn repository(&self) -> (RepoId, String) {
        let truth = self.forge.open_repository(0);
        (truth.id, truth.full_name)
    }
}

fn line_of<'t>(table: &'t str, login: &str) -> Vec<&'t str> {
    let line = table.lines().find(|line| line.starts_with(login));
    line.unwrap_or_else(|| panic!("no {login} in {table}")).split_whitespace().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_tracked_and_muted_by_call() {
    let Some(place) = Place::new(71).await else { return };
    let Place { forge, service, calls, reader, .. } = &place;
    let [one, other] = [0, 1].map(|index| forge.logins()[index].clone());
    let said = calls.run(&["accounts"]).await.done();
    assert!(said.contains("no account is kept") && said.contains("tallyhook track"), "{said}");

    // In other letters, as GitHub takes them too.
    let said = calls.run(&["track", &one.to_uppercase(), &other]).await.done();
    assert!(said.contains(&one.to_uppercase()) && said.contains(&other), "{said}");
    until_true(forge, reader, WITHIN).await;
    let table = calls.run(&["accounts"]).await.done();
    let shown = line_of(&table, &one);
    assert_eq!((shown[2], shown[3], shown[6]), ("kept", "person", "yes"), "{table}");
    let count = forge.repositories().iter().filter(|truth| truth.owner_login == one).count();
    assert_eq!(shown[5], count.to_string(), "{table}");

    let said = calls.run(&["untrack", &one]).await.done();
    assert!(said.contains("muted") && said.contains(&format!("tallyhook track {one}")), "{said}");
    let paths = [
        format!("/githubPayload?user={one}"),
        format!("/v1/accounts/{one}"),
        format!("/v1/accounts/{one}/repos"),
        format!("/v1/repos/{}", place.repository().1),
    ];
    for path in &paths {
        let problem = reader.get(path).await.refused(404);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("tallyhook track {one}")), "{path}: {problem}");
    }
    reader.get(&format!("/v1/accounts/{other}")).await.ok();

    // Deliveries are kept and bring nothing back; a call does, with what they told.
    let (repo, _) = place.repository();
    let push = forge.untold_push(repo);
    Sender::new().accepted(service.api, &push).await;
    // A command answers when it is folded, and it is folded after the delivery.
    calls.run(&["untrack", &one]).await.done();
    for path in &paths {
        reader.get(path).await.refused(404);
    }
    let table = calls.run(&["accounts"]).await.done();
    assert_eq!(line_of(&table, &one)[2], "muted", "{table}");
    calls.run(&["track", &one]).await.done();
    until_true(forge, reader, WITHIN).await;

    let said = calls.run(&["untrack", "nobody-at-all"]).await.failed(1);
    assert!(said.contains("not tracked: nobody-at-all"), "{said}");
    let said = calls.run(&["track", "a/b"]).await.failed(2);
    assert!(said.contains("`a/b` cannot be a login"), "{said}");
    calls.run(&["track"]).await.failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_by_call_reads_everything_anew() {
    let Some(place) = Place::new(72).await else { return };
    place.track_all().await;
    let Place { forge, calls, reader, .. } = &place;
    let login = &forge.logins()[0];

    forge.fake.forget_requests();
    let plan = calls.run(&["backfill", login, "--plan"]).await.done();
    for word in ["repositories", "requests", "budget", "time"] {
        assert!(plan.contains(word), "no {word} in {plan}");
    }
    let unknown = calls.run(&["backfill", "nobody-at-all", "--plan"]).await.done();
    assert!(unknown.contains("nothing is known"), "{unknown}");
    assert!(forge.fake.requests().is_empty(), "a plan sends nothing: {:?}", forge.fake.requests());

    // It promised that there would be no more than these.
    let told = |word: &str| -> usize {
        let line = plan.lines().find_map(|line| line.strip_prefix(word)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let planned = told("requests") + told("GraphQL");
    calls.run(&["backfill", login]).await.done();
    let sent = forge.fake.requests();
    assert!(!sent.is_empty() && sent.len() <= planned, "{planned} requests were planned; sent: {sent:#?}");

    // Changes that nobody is told: with no sweep, only the call finds them.
    let account = forge.owners[0];
    forge.fake.world(|world| {
        world.set_followers(account, 4711).unwrap();
        world.set_profile(account, Some("Ada"), None).unwrap();
        for truth in world.account_truth(login).unwrap().repositories {
            world.set_subscribers(truth.id, 815).unwrap();
            if !truth.archived {
                world.push_commits(truth.id, &truth.default_branch, 3).unwrap();
            }
            world.set_languages(truth.id, &[("Ada", 815), ("SPARK", 3)]).unwrap();
        }
        world.create_repository(account, NewRepository::public("brand-new")).unwrap();
    });
    assert!(!differences(forge, reader).await.is_empty());
    let said = calls.run(&["backfill", login]).await.done();
    assert!(said.contains("was read from GitHub"), "{said}");
    // What came anew with the list has needs of its own, which are asked at once.
    until_true(forge, reader, WITHIN).await;

    let said = calls.run(&["backfill", "nobody-at-all"]).await.failed(1);
    assert!(said.contains("tallyhook track nobody-at-all"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_tried_again_and_given_up() {
    let Some(place) = Place::new(73).await else { return };
    place.track_all().await;
    let Place { forge, service, calls, reader, .. } = &place;
    let said = calls.run(&["dead-letters", "list"]).await.done();
    assert!(said.contains("no dead letters"), "{said}");

    // A delivery from a clock that is years ahead.
    let (repo, name) = place.repository();
    let push = forge.untold_push(repo);
    let mut body: Value = serde_json::from_slice(&push.body).unwrap();
    body["repository"]["updated_at"] = "2099-01-01T00:00:00Z".into();
    let from_the_future = Delivery::new("push", "from-the-future", serde_json::to_vec(&body).unwrap());
    Sender::new().accepted(service.api, &from_the_future).await;

    let letter = until(WITHIN, "a dead letter", async || {
        let table = calls.run(&["dead-letters", "list"]).await.done();
        match table.lines().find(|line| line.contains("from-the-future")) {
            Some(line) => Ok(line.to_owned()),
            None => Err(table),
        }
    })
    .await;
    assert!(letter.contains("push") && letter.contains("ahead of our clock"), "{letter}");
    let id = letter.split_whitespace().next().unwrap();
    let shown = calls.run(&["dead-letters", "show", id]).await.done();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["record_id"], "from-the-future");
    assert_eq!(shown["record"]["body"], body, "the body is kept as it came");
    let metrics = service.ops_reader().get("/metrics").await.text();
    assert!(metrics.contains("tallyhook_dead_letters 1\n"), "{metrics}");

    // What it would have told is asked: the stream goes on, and its numbers are right again.
    until_true(forge, reader, WITHIN).await;
    let push = forge.untold_push(repo);
    Sender::new().accepted(service.api, &push).await;
    until_true(forge, reader, WITHIN).await;

    let said = calls.run(&["dead-letters", "retry", id]).await.failed(1);
    assert!(
        said.contains(&format!("{id} failed again, as ")) && said.contains("ahead of our clock"),
        "{said}"
    );
    let table = calls.run(&["dead-letters", "list"]).await.done();
    let again = table.lines().find(|line| line.contains("from-the-future")).unwrap();
    let again = again.split_whitespace().next().unwrap();
    assert_ne!(again, id, "{table}");
    let said = calls.run(&["dead-letters", "drop", again]).await.done();
    assert!(said.contains(&format!("{again} is given up")), "{said}");
    let said = calls.run(&["dead-letters", "list"]).await.done();
    assert!(said.contains("no dead letters"), "{said}");
    for action in ["retry", "drop"] {
        let said = calls.run(&["dead-letters", action, again]).await.failed(1);
        assert!(said.contains(&format!("there is no dead letter {again}")), "{said}");
    }
    calls.run(&["dead-letters", "show", "0:99999"]).await.failed(1);
    until_true(forge, reader, WITHIN).await;
    reader.get(&format!("/v1/repos/{name}")).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_by_call_brings_deliveries() {
    let Some(place) = Place::new(74).await else { return };
    place.track_all().await;
    let Place { forge, service, calls, reader, .. } = &place;
    let (repo, name) = place.repository();
    let url = service.hook_url();

    let said = calls.run(&["hook", "list", &name]).await.done();
    assert!(said.contains("no webhooks") && said.contains("hook add"), "{said}");
    let said = calls.run(&["hook", "add", &name, "--url", &url]).await.done();
    assert!(said.contains("ping answered"), "{said}");
    let said = calls.run(&["hook", "list", &name]).await.done();
    assert!(said.contains(&url) && said.contains("push") && said.contains("active"), "{said}");
    let metrics = service.ops_reader().get("/metrics").await.text();
    let pong = r#"tallyhook_deliveries_total{event="ping",result="pong"}"#;
    assert!(metrics.contains(pong), "{metrics}");

    forge.push(repo, 5);
    forge.fake.settle().await;
    let delivered = forge.fake.deliveries();
    let push = delivered.iter().find(|delivery| delivery.event == "push").unwrap();
    assert!(push.outcome.is_success(), "{:?}", push.outcome);
    until_true(forge, reader, WITHIN).await;

    // For an organisation, of which the token's owner is a member.
    let owner = forge.owners[0];
    let organization = forge.fake.world(|world| world.create_organization("guild", owner)).unwrap();
    let said = calls.run(&["hook", "add", "guild", "--url", &url]).await.done();
    assert!(said.contains("created on guild"), "{said}");
    forge.fake.settle().await;
    let made = forge.fake.world(|world| {
        let repo = world.create_repository(organization, NewRepository::public("hall")).unwrap();
        world.push_commits(repo, "main", 1).unwrap();
        repo
    });
    forge.fake.settle().await;
    let heard = forge.fake.deliveries().into_iter().rfind(|delivery| delivery.event == "push").unwrap();
    assert!(heard.outcome.is_success() && heard.guid != push.guid, "{heard:?}");
    // A delivery starts the tracking of its repository's account.
    until(WITHIN, "the organisation's repository", async || {
        let answer = reader.get("/v1/repos/guild/hall").await;
        let commits = forge.truth(made).commits;
        if answer.status == 200 && answer.json()["counts"]["commits"] == commits {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;

    // What goes wrong is said.
    let deaf =
        forge.repositories().into_iter().find(|truth| truth.owner == owner && truth.id != repo).unwrap();
    let said =
        calls.run(&["hook", "add", &deaf.full_name, "--url", "http://127.0.0.1:9/hook"]).await.failed(1);
    assert!(said.contains("connection_error") && said.contains("http://127.0.0.1:9/hook"), "{said}");
    let said = calls.run(&["hook", "add", &name, "--url", &url]).await.failed(1);
    assert!(said.contains("422"), "there is one already: {said}");
    let said = calls.run(&["hook", "add", "nobody/nothing", "--url", &url]).await.failed(1);
    assert!(said.contains("TALLYHOOK_GITHUB_TOKEN"), "{said}");
    calls.run(&["hook", "add", "a/b/c", "--url", &url]).await.failed(2);
    calls.run(&["hook", "add", &name, "--url", "nowhere"]).await.failed(2);
    calls.run(&["hook", "add", &name]).await.failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_an_exit_code() {
    let Some(place) = Place::new(75).await else { return };
    let Place { service, calls, .. } = &place;
    calls.run(&["healthcheck"]).await.done();
    let ready = format!("http://{}/readyz", service.ops);
    calls.run(&["healthcheck", &ready]).await.done();
    let said = calls.run(&["healthcheck", &format!("http://{}/v1/repos/a/b", service.api)]).await.failed(1);
    assert!(said.contains("404"), "{said}");

    let nobody = calls.clone().with("OPS_URL", "http://127.0.0.1:9");
    nobody.run(&["healthcheck"]).await.failed(1);
    for call in [&["accounts"][..], &["track", "x"], &["backfill", "x"], &["dead-letters", "list"]] {
        let said = nobody.run(call).await.failed(1);
        assert!(said.contains("tallyhook serve") && said.contains("TALLYHOOK_OPS_URL"), "{call:?}: {said}");
    }
}
