//! Users of S2 through the whole process: what is new to them, what is sent for them, and what an operator does about
//! what was not.

use axum::http::Method;
use fake_github::{AccountId, FakeConfig, NewGist, faults::RequestFault};
use fake_pipedrive::{FakePipedrive, Fault, TOKEN as PIPEDRIVE_TOKEN};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::Reader,
        seconds, until,
    },
};

const WITHIN: std::time::Duration = seconds(90);
const REQUESTS_AN_HOUR: u64 = 100_000_000;

struct Scene {
    forge: Forge,
    pipedrive: FakePipedrive,
    setup: Setup,
    ada: AccountId,
    _ground: Ground,
}

impl Scene {
    /// `None` where there is no ground for it.
    async fn new() -> Option<Self> {
        let ground = Ground::new("gists and their outbox").await?;
        let config = FakeConfig { limit_authorised: REQUESTS_AN_HOUR, ..FakeConfig::default() };
        let forge = Forge::empty(config).await;
        let ada = forge.fake.world(|world| {
            let ada = world.create_user("Ada").unwrap();
            world.accept_token(TOKEN, ada);
            ada
        });
        let pipedrive = FakePipedrive::start().await.unwrap();
        let setup = ground
            .setup(&forge)
            .await
            .with("GIST_POLL", "200ms")
            .with("PIPEDRIVE_API_URL", &pipedrive.url())
            .with("PIPEDRIVE_TOKEN", PIPEDRIVE_TOKEN)
            .with("OUTBOX_UNKNOWN_WAIT", "100ms")
            .with("WRITE_LIMIT", "off");
        Some(Scene { forge, pipedrive, setup, ada, _ground: ground })
    }

    fn gist(&self, files: &[(&str, &str)]) -> String {
        self.forge.fake.world(|world| world.create_gist(self.ada, NewGist::public(files)).unwrap())
    }

    /// What was sent, by name, with its text.
    fn sent(&self) -> Vec<(String, String)> {
        let activities = self.pipedrive.activities();
        let text = |activity: &fake_pipedrive::Activity, field| activity.text(field).to_owned();
        activities.iter().map(|activity| (text(activity, "subject"), text(activity, "note"))).collect()
    }

    async fn until_sent(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        until(WITHIN, "what was sent", async || {
            let mut sent = self.sent();
            sent.sort();
            if sent == expected { Ok(()) } else { Err(sent) }
        })
        .await;
    }
}

async fn post(reader: &Reader, path: &str) -> (u16, Value) {
    let answer = reader.try_ask(Method::POST, path, &[]).await.unwrap();
    (answer.status, serde_json::from_str(&answer.text()).unwrap())
}

async fn visit(reader: &Reader, login: &str) -> Vec<String> {
    let (status, files) = post(reader, &format!("/latestgists/{login}")).await;
    assert_eq!(status, 200, "{files}");
    files.as_array().unwrap().iter().map(|file| file["filename"].as_str().unwrap().to_owned()).collect()
}

/// Visits until something is new.
async fn next_new(reader: &Reader, login: &str) -> Vec<String> {
    until(WITHIN, "new gists", async || {
        let files = visit(reader, login).await;
        if files.is_empty() { Err("nothing is new") } else { Ok(files) }
    })
    .await
}

async fn served(scene: &Scene) -> (Service, Reader) {
    let service = scene.setup.serve().await;
    service.ready().await;
    let reader = service.reader();
    (service, reader)
}

#[tokio::test]
async fn new_gists_are_shown_once_and_sent_once_also_across_a_crash() {
    let Some(scene) = Scene::new().await else { return };
    let first = scene.gist(&[("a.rs", "fn main() {}\n"), ("b.txt", "b")]);
    let (service, reader) = served(&scene).await;
    let health = reader.get("/health").await;
    assert_eq!((health.status, health.text()), (200, "Alive".to_owned()));
    assert_eq!(post(&reader, "/users/Ada/1").await, (200, json!({"login": "Ada", "id": 1})));
    assert_eq!(post(&reader, "/users/nobody/2").await, (200, json!({"login": "nobody", "id": 2})));
    assert_eq!(post(&reader, "/users/ada/3").await.0, 400);
    let users: Value = serde_json::from_str(&reader.get("/users").await.text()).unwrap();
    assert_eq!(users, json!([{"login": "Ada", "id": 1}, {"login": "nobody", "id": 2}]));

    assert_eq!(next_new(&reader, "ADA").await, ["a.rs", "b.txt"]);
    assert_eq!(visit(&reader, "ada").await, [""; 0]);
    scene.until_sent(&[("a.rs", "fn main() {}\n"), ("b.txt", "b")]).await;
    let markers: Vec<_> =
        scene.pipedrive.activities().iter().map(|it| it.text("public_description").to_owned()).collect();
    assert!(markers.contains(&format!("gist:{first}#a.rs")), "{markers:?}");

    // A file that is added is neither shown nor sent; what comes with the next gist shows that its poll came.
    scene.forge.fake.world(|world| world.edit_gist(&first, &[("late.txt", "late")]).unwrap());
    scene.gist(&[("c.txt", "c")]);
    assert_eq!(next_new(&reader, "ada").await, ["c.txt"]);
    scene.until_sent(&[("a.rs", "fn main() {}\n"), ("b.txt", "b"), ("c.txt", "c")]).await;
    service.kill().await;

    scene.gist(&[("d.txt", "d")]);
    let (_service, reader) = served(&scene).await;
    let mut shown = Vec::new();
    while !shown.iter().any(|name| name == "d.txt") {
        shown.extend(next_new(&reader, "ada").await);
    }
    // A crash may show again what the visit before it showed, once, and nothing else.
    assert!(shown == ["d.txt"] || shown == ["c.txt", "d.txt"], "{shown:?}");
    scene.until_sent(&[("a.rs", "fn main() {}\n"), ("b.txt", "b"), ("c.txt", "c"), ("d.txt", "d")]).await;
    assert_eq!(visit(&reader, "nobody").await, [""; 0]);
}

#[tokio::test]
async fn an_accounts_gists_are_shown_as_they_are_to_whoever_asks() {
    let Some(scene) = Scene::new().await else { return };
    let id = scene.gist(&[("a.rs", "fn main() {}\n")]);
    let (_service, reader) = served(&scene).await;
    let shown: Value = until(WITHIN, "the gists", async || {
        let answer = reader.get("/v1/accounts/ada/gists").await;
        if answer.status == 200 {
            Ok(serde_json::from_str(&answer.text()).unwrap())
        } else {
            Err(answer.text())
        }
    })
    .await;
    let gist = &shown["gists"][0];
    assert_eq!((&gist["id"], &gist["files"][0]["language"]), (&json!(id), &json!("Rust")));
    assert_eq!(shown["freshness"]["complete"], true);
    scene.forge.fake.world(|world| world.edit_gist(&id, &[("b.txt", "b")]).unwrap());
    until(WITHIN, "the edited gist", async || {
        let answer = reader.get("/v1/accounts/ada/gists").await.text();
        if answer.contains("b.txt") { Ok(()) } else { Err(answer) }
    })
    .await;
    assert!(scene.sent().is_empty(), "nobody's are sent but users'");
}

#[tokio::test]
async fn long_lists_are_read_to_their_end_and_quiet_ones_cost_nothing() {
    let Some(scene) = Scene::new().await else { return };
    for number in 0..130 {
        scene.gist(&[(&format!("{number:03}.txt"), "text")]);
    }
    let (_service, reader) = served(&scene).await;
    post(&reader, "/users/ada/1").await;
    let mut shown = next_new(&reader, "ada").await;
    while shown.len() < 130 {
        shown.extend(next_new(&reader, "ada").await);
    }
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 130);
    // All of them are of about the same second, and so asked for again until one is newer by more than that.
    for _ in 0..2 {
        scene.forge.next_second().await;
    }
    scene.gist(&[("last.txt", "text")]);
    assert_eq!(next_new(&reader, "ada").await, ["last.txt"]);
    let polls = || {
        let all = scene.forge.fake.requests().into_iter();
        all.filter(|request| request.path.ends_with("/gists")).collect::<Vec<_>>()
    };
    // The newest of them is asked for once more, and its answer known from then on.
    until(WITHIN, "a poll that costs nothing", async || {
        let polls = polls();
        let free = polls.iter().find(|poll| poll.status == Some(304) && !poll.counted);
        match free {
            Some(poll) if poll.query.contains("since=") => Ok(()),
            _ => Err(polls.last().cloned()),
        }
    })
    .await;
    let whole = polls().into_iter().filter(|poll| !poll.query.contains("since="));
    assert_eq!(whole.count(), 2, "two pages, once");
}

#[tokio::test]
async fn a_user_is_followed_through_a_rename_and_a_forge_that_fails() {
    let Some(scene) = Scene::new().await else { return };
    scene.gist(&[("a.txt", "a")]);
    let (_service, reader) = served(&scene).await;
    post(&reader, "/users/ada/1").await;
    assert_eq!(next_new(&reader, "ada").await, ["a.txt"]);
    for fault in [RequestFault::ServerError(502), RequestFault::Truncate, RequestFault::Nonsense] {
        scene.forge.fake.faults().on_requests("/gists", fault, Some(1));
    }
    scene.forge.fake.world(|world| world.rename_account(scene.ada, "lovelace").unwrap());
    scene.gist(&[("b.txt", "b")]);
    assert_eq!(next_new(&reader, "ada").await, ["b.txt"], "under the login with which it was added");
    // Somebody else takes the old login: their gists are theirs.
    scene.forge.fake.world(|world| {
        let other = world.create_user("ada").unwrap();
        world.create_gist(other, NewGist::public(&[("theirs.txt", "theirs")])).unwrap()
    });
    scene.gist(&[("c.txt", "c")]);
    assert_eq!(next_new(&reader, "ada").await, ["c.txt"]);
    scene.until_sent(&[("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c")]).await;
}

#[tokio::test]
async fn gists_of_before_the_move_are_neither_shown_nor_sent() {
    let Some(scene) = Scene::new().await else { return };
    scene.gist(&[("old.txt", "old")]);
    scene.forge.next_second().await;
    let moved = scene.forge.fake.world(|world| world.now()).to_string();
    scene.gist(&[("new.txt", "new")]);
    let scene = Scene { setup: scene.setup.clone().with("GISTS_SINCE", &moved), ..scene };
    let (_service, reader) = served(&scene).await;
    post(&reader, "/users/ada/1").await;
    assert_eq!(next_new(&reader, "ada").await, ["new.txt"]);
    scene.until_sent(&[("new.txt", "new")]).await;
}

#[tokio::test]
async fn what_was_not_taken_is_listed_and_a_person_decides() {
    let Some(scene) = Scene::new().await else { return };
    scene.pipedrive.next_goes_wrong([Fault::Status(400)]);
    let id = scene.gist(&[("a.txt", "a")]);
    let (service, reader) = served(&scene).await;
    let setup = scene.setup.talking_to(&service);
    post(&reader, "/users/ada/1").await;
    let id = format!("{id}#a.txt");
    until(WITHIN, "the refused file", async || {
        let list = setup.run(&["outbox", "list"]).await.done();
        if list.contains(&id) && list.contains("400") { Ok(()) } else { Err(list) }
    })
    .await;
    assert!(setup.run(&["outbox", "show", &id]).await.done().contains("refused"));
    assert!(setup.run(&["outbox", "retry", "nothing#x"]).await.failed(1).contains("nothing#x"));
    assert!(setup.run(&["outbox", "retry", &id]).await.done().contains("is sent again"));
    scene.until_sent(&[("a.txt", "a")]).await;

    scene.pipedrive.next_goes_wrong([Fault::Status(400)]);
    let other = format!("{}#b.txt", scene.gist(&[("b.txt", "b")]));
    until(WITHIN, "the other refused file", async || {
        let list = setup.run(&["outbox", "list"]).await.done();
        if list.contains(&other) && list.contains("400") { Ok(()) } else { Err(list) }
    })
    .await;
    assert!(setup.run(&["outbox", "drop", &other]).await.done().contains("is given up"));
    assert!(setup.run(&["outbox", "list"]).await.done().contains("nothing in the outbox"));
    assert_eq!(scene.sent(), [("a.txt".to_owned(), "a".to_owned())]);
}

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_not_made_twice() {
    let Some(scene) = Scene::new().await else { return };
    scene.pipedrive.next_goes_wrong([Fault::Late(seconds(600))]);
    scene.gist(&[("a.txt", "a")]);
    let (service, reader) = served(&scene).await;
    post(&reader, "/users/ada/1").await;
    scene.until_sent(&[("a.txt", "a")]).await;
    service.kill().await;
    scene.gist(&[("b.txt", "b")]);
    let (service, _reader) = served(&scene).await;
    let setup = scene.setup.talking_to(&service);
    scene.until_sent(&[("a.txt", "a"), ("b.txt", "b")]).await;
    until(WITHIN, "an empty outbox", async || {
        let list = setup.run(&["outbox", "list"]).await.done();
        if list.contains("nothing in the outbox") { Ok(()) } else { Err(list) }
    })
    .await;
    assert_eq!(scene.sent().len(), 2);
}

#[tokio::test]
async fn half_a_pipedrive_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let setup = Setup::new(folder.path()).with("PIPEDRIVE_API_URL", "https://company.pipedrive.com");
    let Err(ended) = setup.try_serve().await else { panic!("it started") };
    assert!(ended.failed(2).contains("TALLYHOOK_PIPEDRIVE_TOKEN"));
}
