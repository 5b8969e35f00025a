//! S3, star neighbours for readers with an API key, through the running process against a fake GitHub.

use fake_github::{AccountId, FakeConfig, NewRepository, RepoId};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{
    forge::{Forge, TOKEN},
    process::{Service, Setup},
    reader::{Answer, Reader},
    seconds, until,
};

/// A few stars take a moment to read; a busy machine may take many.
const WITHIN: std::time::Duration = seconds(60);
const PATH: &str = "/repos/octo/hello/starneighbours";

/// A forge with three stargazers, a service on it, and a key.
struct Scene {
    forge: Forge,
    hello: RepoId,
    /// Starred by the first two, and by the third.
    others: [RepoId; 2],
    fans: Vec<AccountId>,
    service: Service,
    calls: Setup,
    key: String,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let config = FakeConfig { limit_authorised: 1_000_000, ..FakeConfig::default() };
        let mut forge = Forge::empty(config).await;
        let (octo, hello, others, fans) = forge.fake.world(|world| {
            let octo = world.create_user("octo").unwrap();
            let hubot = world.create_user("hubot").unwrap();
            world.accept_token(TOKEN, hubot);
            let fans: Vec<AccountId> =
                ["ada", "grace", "joan"].map(|login| world.create_user(login).unwrap()).to_vec();
            let hello = world.create_repository(octo, NewRepository::public("hello")).unwrap();
            let others = ["both", "one"]
                .map(|name| world.create_repository(hubot, NewRepository::public(name)).unwrap());
            for fan in &fans[..2] {
                world.star(hello, *fan).unwrap();
                world.star(others[0], *fan).unwrap();
            }
            world.star(others[1], fans[0]).unwrap();
            world.star(others[1], fans[2]).unwrap();
            (octo, hello, others, fans)
        });
        forge.owners = vec![octo];
        let folder = TempDir::new().unwrap();
        let setup = Setup::of(folder.path(), &forge);
        let service = setup.serve().await;
        service.ready().await;
        forge.hook(&service);
        let calls = setup.talking_to(&service);
        let made = calls.run(&["key", "create", "dashboard", "ada@example.org"]).await.done();
        let key = made.lines().last().unwrap().to_owned();
        Scene { forge, hello, others, fans, service, calls, key, _folder: folder }
    }

    fn reader(&self) -> Reader {
        self.service.reader()
    }

    async fn ask(&self, path: &str) -> Answer {
        self.reader().get_with(path, &[("x-api-key", &self.key)]).await
    }

    /// Waits for an answer that is complete and says this.
    async fn until_shown(&self, expected: &Value) {
        until(WITHIN, "the neighbours", async || {
            let answer = self.ask(PATH).await;
            if answer.status == 200 && answer.is_complete() && answer.json() == *expected {
                return Ok(());
            }
            Err(format!("{} {}", answer.status, answer.text()))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_read_from_github_and_follow_the_stars() {
    let scene = Scene::new().await;
    let mut expected = json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace"]},
        {"repo": "hubot/one", "stargazers": ["ada"]},
    ]);
    scene.until_shown(&expected).await;
    let narrow = scene.ask(&format!("{PATH}?min_shared=2")).await.ok();
    assert_eq!(narrow.json(), json!([expected[0]]));

    // Somebody stars it: what they starred is asked for, and counts.
    scene.forge.fake.world(|world| world.star(scene.hello, scene.fans[2])).unwrap();
    expected[1]["stargazers"] = json!(["ada", "joan"]);
    scene.until_shown(&expected).await;

    // Somebody takes it back.
    scene.forge.fake.world(|world| world.unstar(scene.hello, scene.fans[1])).unwrap();
    let after = json!([
        {"repo": "hubot/one", "stargazers": ["ada", "joan"]},
        {"repo": "hubot/both", "stargazers": ["ada"]},
    ]);
    scene.until_shown(&after).await;

    // It goes private: it is gone for every reader.
    assert_eq!(scene.others.len(), 2);
    scene.forge.fake.world(|world| world.privatize_repository(scene.hello)).unwrap();
    until(WITHIN, "the refusal", async || {
        let answer = scene.ask(PATH).await;
        if answer.status == 404 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.text())) }
    })
    .await;
    assert_eq!(scene.ask(PATH).await.json(), json!({"detail": "Repository not found"}));
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked_by_the_command_line() {
    let scene = Scene::new().await;
    let list = scene.calls.run(&["key", "list"]).await.done();
    assert!(list.contains("dashboard") && list.contains("works") && !list.contains(&scene.key), "{list}");
    let refused = scene.reader().get(PATH).await;
    assert_eq!((refused.status, refused.json()), (401, json!({"detail": "API key is missing"})));

    let id = scene.key.split('_').nth(1).unwrap();
    scene.calls.run(&["key", "revoke", id]).await.done();
    let refused = scene.ask(PATH).await;
    assert_eq!((refused.status, refused.json()), (401, json!({"detail": "Invalid API key"})));
    assert!(scene.calls.run(&["key", "revoke", "nobody"]).await.failed(1).contains("there is no key"));
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_closed_is_refused_until_a_delivery_tells_of_a_star() {
    let scene = Scene::new().await;
    scene.forge.fake.world(|world| world.close_stargazers(scene.hello, true)).unwrap();
    until(WITHIN, "the refusal", async || {
        let answer = scene.ask(PATH).await;
        if answer.status == 403 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.text())) }
    })
    .await;
    scene.forge.fake.world(|world| world.star(scene.hello, scene.fans[2])).unwrap();
    until(WITHIN, "what the delivery tells", async || {
        let answer = scene.ask(PATH).await;
        let expected = json!([{"repo": "hubot/one", "stargazers": ["joan"]}]);
        if answer.status == 200 && answer.json() == expected && !answer.is_complete() {
            return Ok(());
        }
        Err(format!("{} {}", answer.status, answer.text()))
    })
    .await;
    scene.service.terminate().await.done();
}
