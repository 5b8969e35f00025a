//! `tallyhook forget`: an account is in no answer, no line of the log, no metric, and in the end in no byte of the data
//! folder's two files, also where the process is killed right after.

use std::fs;

use axum::http::Method;
use fake_github::{FakeConfig, NewRepository, RepoId};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{
    forge::{Forge, TOKEN},
    process::{Service, Setup},
    reader::Reader,
    seconds,
    sender::Sender,
    truth::until_true,
    until,
};

const WITHIN: std::time::Duration = seconds(60);

/// Words that nothing else contains.
const LOGIN: &str = "quaggamire";
const REPOSITORIES: [&str; 3] = ["zyzzyva-garden", "zyzzyva-cellar", "zyzzyva-attic"];

const PATHS: [&str; 8] = [
    "/githubPayload?user=quaggamire",
    "/v1/accounts/quaggamire",
    "/v1/accounts/quaggamire/repos",
    "/v1/accounts/quaggamire/gists",
    "/v1/repos/quaggamire/zyzzyva-garden",
    "/v1/card/quaggamire.svg",
    "/v1/badge/quaggamire/zyzzyva-garden/commits.svg",
    "/v1/repos/Quaggamire/zyzzyva-cellar",
];

struct Scene {
    forge: Forge,
    repo: RepoId,
    setup: Setup,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> (Scene, Service) {
        let folder = TempDir::new().unwrap();
        let mut forge = Forge::empty(FakeConfig::default()).await;
        let (owners, repo) = forge.fake.world(|world| {
            let [quagga, hubot, ada] =
                ["Quaggamire", "hubot", "ada"].map(|login| world.create_user(login).unwrap());
            world.accept_token(TOKEN, ada);
            let repos = REPOSITORIES.map(|name| {
                let id = world.create_repository(quagga, NewRepository::public(name)).unwrap();
                world.push_commits(id, "main", 2).unwrap();
                id
            });
            let anchor = world.create_repository(hubot, NewRepository::public("anchor")).unwrap();
            world.push_commits(anchor, "main", 1).unwrap();
            (vec![quagga, hubot], repos[0])
        });
        forge.owners = owners;
        let setup = Setup::of(folder.path(), &forge);
        let service = setup.serve().await;
        service.ready().await;
        forge.hook(&service);
        let calls = setup.talking_to(&service);
        calls.run(&["track", "Quaggamire", "hubot"]).await.done();
        let added = service.reader().try_ask(Method::POST, "/users/Quaggamire/5", &[]).await.unwrap();
        assert_eq!(added.status, 200);
        until_true(&forge, &service.reader(), WITHIN).await;
        // Deliveries of its own, beside what was asked for.
        for _ in 0..5 {
            forge.push(repo, 1);
        }
        until_true(&forge, &service.reader(), WITHIN).await;
        (Scene { forge, repo, setup, _folder: folder }, service)
    }

    async fn forget(&self, service: &Service, login: &str) -> Value {
        let calls = self.setup.talking_to(service);
        let said = calls.run(&["forget", login, "--yes", "--format", "json"]).await.done();
        serde_json::from_str(&said).unwrap()
    }

    /// Whether either of the two files holds a word.
    fn is_on_disk(&self, word: &str) -> bool {
        ["log.redb", "state.redb"].iter().any(|name| {
            let bytes = fs::read(self.setup.data().join(name)).unwrap().to_ascii_lowercase();
            bytes.windows(word.len()).any(|window| window == word.as_bytes())
        })
    }

    /// Starts it, so that both files are written anew, and ends it.
    async fn assert_off_disk(&self) {
        let service = self.setup.serve().await;
        service.ready().await;
        assert_gone(&service.reader()).await;
        service.terminate().await;
        for word in [LOGIN].iter().chain(&REPOSITORIES) {
            assert!(!self.is_on_disk(word), "{word} is on the disk");
        }
        assert!(self.is_on_disk("anchor"), "the other account is");
    }
}

/// No route knows it.
async fn assert_gone(reader: &Reader) {
    for path in PATHS {
        let problem = reader.get(path).await;
        assert_eq!(problem.status, 404, "{path}: {}", problem.text());
    }
    let profiles = format!("/health-check?url=https://github.com/{LOGIN}&url=https://github.com/hubot");
    let composed = reader.get(&profiles).await.ok().json();
    assert_eq!(composed["missing"], serde_json::json!([format!("https://github.com/{LOGIN}")]), "{composed}");
    for path in ["/users", "/repos/hubot/anchor", "/v1/accounts/hubot", "/v1/status", "/console"] {
        let text = reader.get(path).await.text().to_lowercase();
        assert!(!text.contains(LOGIN) && !text.contains("zyzzyva"), "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_account_is_nowhere_and_starts_anew_when_it_is_tracked() {
    let (scene, service) = Scene::new().await;
    let reader = service.reader();
    let calls = scene.setup.talking_to(&service);
    assert!(scene.is_on_disk(LOGIN) && scene.is_on_disk("zyzzyva-attic"), "there is something to erase");
    let unknown = calls.run(&["forget", "nobody-at-all", "--yes"]).await.failed(1);
    assert!(unknown.contains("nobody-at-all") && unknown.contains("tallyhook accounts"), "{unknown}");

    let logged = service.running.stderr.text().len();
    let report = scene.forget(&service, "QUAGGAMIRE").await;
    for family in ["entities", "views", "repo_names", "aliases"] {
        assert!(report["rows"][family].as_u64().unwrap() > 0, "{family}: {report}");
    }
    assert_eq!(report["log"]["state"], "done", "{report}");
    assert!(report["log"]["records"].as_u64().unwrap() > 5, "{report}");
    assert!(report["log"]["bytes"].as_u64().unwrap() > 0, "{report}");
    assert!(report["cached"].as_u64().unwrap() > 0, "{report}");
    assert_gone(&reader).await;
    let table = calls.run(&["accounts"]).await.done().to_lowercase();
    assert!(table.contains("forgotten") && table.contains("hubot") && !table.contains(LOGIN), "{table}");

    // What comes later is taken in and changes nothing.
    let push = scene.forge.untold_push(scene.repo);
    Sender::new().accepted(service.api, &push).await;
    let again = scene.forget(&service, LOGIN).await;
    assert!(again["log"]["records"].as_u64().unwrap() > 0, "what came since is erased too: {again}");
    assert_gone(&reader).await;
    let ops = service.ops_reader();
    for path in ["/metrics", "/readyz", "/admin/accounts", "/admin/dead-letters", "/admin/outbox"] {
        let text = ops.get(path).await.text().to_lowercase();
        assert!(!text.contains(LOGIN) && !text.contains("zyzzyva"), "{path}: {text}");
    }
    let log = service.running.stderr.text()[logged..].to_lowercase();
    assert!(!log.contains(LOGIN) && !log.contains("zyzzyva"), "{log}");
    service.terminate().await;
    scene.assert_off_disk().await;

    // A person brings it back, and it is read anew.
    let service = scene.setup.serve().await;
    service.ready().await;
    let calls = scene.setup.talking_to(&service);
    calls.run(&["track", LOGIN]).await.done();
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    let text = calls.run(&["forget", LOGIN]).await.done();
    for part in ["is forgotten", "rows", "log ", "next start", "tallyhook track quaggamire"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_gone(&service.reader()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_right_behind_it_no_byte_is_left_and_a_rebuild_knows_nothing_of_it() {
    let (scene, service) = Scene::new().await;
    let neighbour = service.reader().get("/v1/accounts/hubot").await.ok().text();
    scene.forget(&service, LOGIN).await;
    service.kill().await;
    scene.assert_off_disk().await;

    fs::rename(scene.setup.data().join("state.redb"), scene.setup.data().join("moved-away")).unwrap();
    let service = scene.setup.serve().await;
    service.ready().await;
    until(WITHIN, "the other account is shown", async || {
        let text = service.reader().get("/v1/accounts/hubot").await.text();
        if text == neighbour { Ok(()) } else { Err(text) }
    })
    .await;
    assert_gone(&service.reader()).await;
}
