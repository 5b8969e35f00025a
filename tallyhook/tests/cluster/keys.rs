//! API keys where readers are spread over several windows: a key works on all of them once the command that made it
//! returns, and on none of them a second after its revocation.

use std::time::Duration;

use fake_github::{FakeConfig, NewRepository};

use crate::{
    place::Place,
    process::Process,
    support::{
        forge::{Forge, TOKEN},
        process::Setup,
        seconds, until,
    },
};

const PATH: &str = "/repos/octo/hello/starneighbours";
const WITHIN: Duration = seconds(120);
/// What is promised of a revocation.
const ENDS_WITHIN: Duration = seconds(1);

struct Scene {
    windows: Vec<Process>,
    projector: Process,
    /// Commands that talk to each window.
    calls: Vec<Setup>,
    _place: Place,
    _forge: Forge,
}

impl Scene {
    async fn new() -> Option<Scene> {
        let place = Place::shared("keys on several windows").await?;
        let forge = Forge::empty(FakeConfig::default()).await;
        forge.fake.world(|world| {
            let octo = world.create_user("octo").unwrap();
            world.accept_token(TOKEN, octo);
            world.create_repository(octo, NewRepository::public("hello")).unwrap();
        });
        let setup = place.setup(&forge).with("TRACK", "octo").with("WRITE_LIMIT", "off");
        place.migrate(&setup).await;
        let projector = Process::start(&setup, "projector").await;
        let mut windows = Vec::new();
        for _ in 0..3 {
            windows.push(Process::start(&setup, "query-api").await);
        }
        for window in &windows {
            window.ready().await;
        }
        let talking = |window: &Process| setup.clone().with("OPS_URL", &format!("http://{}", window.ops));
        let calls = windows.iter().map(talking).collect();
        Some(Scene { windows, projector, calls, _place: place, _forge: forge })
    }

    /// What each window answers to a key.
    async fn answers(&self, key: &str) -> Vec<u16> {
        let mut answers = Vec::new();
        for window in &self.windows {
            answers.push(window.reader().get_with(PATH, &[("x-api-key", key)]).await.status);
        }
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_and_ends_on_every_window() {
    let Some(scene) = Scene::new().await else { return };
    // Once neighbours are known, the key alone decides.
    let made = scene.calls[0].run(&["key", "create", "first", "ada@example.org"]).await.done();
    let first = made.lines().last().unwrap().to_owned();
    until(WITHIN, "the neighbours on every window", async || {
        let answers = scene.answers(&first).await;
        if answers == [200, 200, 200] { Ok(()) } else { Err(answers) }
    })
    .await;

    for (maker, ender) in [(0, 1), (1, 2), (2, 0)] {
        let made = scene.calls[maker].run(&["key", "create", "dashboard", "ada@example.org"]).await.done();
        let key = made.lines().last().unwrap();
        assert_eq!(scene.answers(key).await, [200, 200, 200], "made by window {maker}");
        let id = key.split('_').nth(1).unwrap();
        scene.calls[ender].run(&["key", "revoke", id]).await.done();
        tokio::time::sleep(ENDS_WITHIN).await;
        assert_eq!(scene.answers(key).await, [401, 401, 401], "revoked by window {ender}");
    }
    assert_eq!(scene.answers(&first).await, [200, 200, 200], "another key is another key");
    for process in scene.windows.into_iter().chain([scene.projector]) {
        process.terminate().await.done();
    }
}
