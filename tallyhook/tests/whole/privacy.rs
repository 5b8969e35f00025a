//! A hundred repositories go private at random moments: once one's own page is gone, its name is in no later answer of
//! any kind, in no line of the log, in no metric, and in nothing that an operator is shown, also after a kill -9.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Method;
use fake_github::{FakeConfig, NewRepository, RepoId};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::Answer,
        seconds, seed, until,
    },
};

const VEILED: usize = 100;
/// Answers of any kind that are read after each.
const LOOKS: usize = 4;
const WITHIN: Duration = seconds(60);
const REQUESTS_AN_HOUR: u64 = 100_000_000;

/// Everything that readers are answered; the last with a key.
const PATHS: &[&str] = &[
    "/githubPayload?user=octo",
    "/health-check?url=https://github.com/octo&url=https://github.com/hubot",
    "/users",
    "/repos",
    "/stats",
    "/v1/accounts/octo",
    "/v1/accounts/octo/repos?per_page=100",
    "/v1/accounts/octo/repos?per_page=100&page=2",
    "/v1/accounts/octo/gists",
    "/v1/accounts/hubot",
    "/v1/repos/hubot/anchor",
    "/v1/repos/hubot/anchor/explain",
    "/repos/hubot/anchor/starneighbours",
];
/// What operators are shown.
const OPS_PATHS: &[&str] =
    &["/metrics", "/readyz", "/admin/accounts", "/admin/dead-letters", "/admin/outbox"];

struct Scene {
    forge: Forge,
    veiled: Vec<(RepoId, String)>,
    setup: Setup,
    service: Service,
    key: String,
    _ground: Ground,
}

fn name_of(number: usize) -> String {
    format!("veiled-{number:03}")
}

impl Scene {
    /// `None` where there is no ground for it.
    async fn new() -> Option<Scene> {
        let ground = Ground::new("privacy").await?;
        let config = FakeConfig { limit_authorised: REQUESTS_AN_HOUR, ..FakeConfig::default() };
        let mut forge = Forge::empty(config).await;
        let (owners, veiled) = forge.fake.world(|world| {
            let [octo, hubot, ada] = ["octo", "hubot", "ada"].map(|login| world.create_user(login).unwrap());
            world.accept_token(TOKEN, ada);
            let anchor = world.create_repository(hubot, NewRepository::public("anchor")).unwrap();
            world.star(anchor, ada).unwrap();
            let mut veil = |number| {
                let name = name_of(number);
                let id = world.create_repository(octo, NewRepository::public(&name)).unwrap();
                world.push_commits(id, "main", 1).unwrap();
                world.set_topics(id, &[&name]).unwrap();
                world.star(id, ada).unwrap();
                (id, name)
            };
            let veiled: Vec<_> = (0..VEILED).map(&mut veil).collect();
            world.create_repository(octo, NewRepository::public("open")).unwrap();
            (vec![octo, hubot], veiled)
        });
        forge.owners = owners;
        let setup = ground
            .setup(&forge)
            .await
            .with("TRACK", &forge.track())
            .with("LATEST_POLL", "1s")
            .with("WRITE_LIMIT", "off");
        let service = setup.serve().await;
        service.ready().await;
        forge.hook(&service);
        let made =
            setup.talking_to(&service).run(&["key", "create", "reader", "ada@example.org"]).await.done();
        let key = made.lines().last().unwrap().to_owned();
        Some(Scene { forge, veiled, setup, service, key, _ground: ground })
    }

    async fn look(&self, path: &str) -> Answer {
        self.service.reader().get_with(path, &[("x-api-key", &self.key)]).await
    }

    /// Everything of all of them is shown, so that there is something to hide.
    async fn until_all_is_shown(&self) {
        let composed = ["/githubPayload?user=octo", "/repos", "/repos/hubot/anchor/starneighbours"];
        for path in
            composed.into_iter().chain(["/v1/accounts/octo", "/health-check?url=https://github.com/octo"])
        {
            until(WITHIN, path, async || {
                let text = self.look(path).await.text();
                let hidden: Vec<_> = self.veiled.iter().filter(|(_, name)| !text.contains(name)).collect();
                // The newest hundred are one less of them.
                if hidden.len() <= 1 {
                    Ok(())
                } else {
                    Err(format!("{} are missing in {text}", hidden.len()))
                }
            })
            .await;
        }
    }

    /// Something happens to it, and it goes private in the same moment; returns once its own page is gone.
    async fn veil(&self, id: RepoId, name: &str) {
        self.forge.fake.world(|world| {
            world.push_commits(id, "main", 1).unwrap();
            world.privatize_repository(id).unwrap();
        });
        until(WITHIN, "its page is gone", async || {
            let answer = self.look(&format!("/v1/repos/octo/{name}")).await;
            if answer.status == 404 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }

    async fn restart(self) -> Scene {
        let Scene { forge, veiled, setup, service, key, _ground } = self;
        service.kill().await;
        let service = setup.serve().await;
        service.ready().await;
        // The old address is nobody's any more.
        forge.hook(&service);
        Scene { forge, veiled, setup, service, key, _ground }
    }
}

#[track_caller]
fn assert_veiled(what: &str, text: &str, hidden: &BTreeSet<&str>) {
    let told: Vec<_> = hidden.iter().filter(|name| text.contains(**name)).collect();
    assert!(told.is_empty(), "{what} tells of {told:?}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_private_is_named_nowhere_any_more() {
    let Some(mut scene) = Scene::new().await else { return };
    scene.until_all_is_shown().await;

    let mut rng = StdRng::seed_from_u64(seed(63));
    let mut order = scene.veiled.clone();
    order.shuffle(&mut rng);
    let mut hidden = BTreeSet::new();
    // Of the log, so many lines were written before the newest of them was hidden.
    let mut logged = scene.service.running.stderr.text().len();
    for (number, (id, name)) in order.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..40))).await;
        scene.veil(*id, name).await;
        let log = scene.service.running.stderr.text();
        assert_veiled("the log", &log[logged..], &hidden);
        logged = log.len();
        hidden.insert(name.as_str());
        for _ in 0..LOOKS {
            let path = PATHS[rng.random_range(0..PATHS.len())];
            assert_veiled(path, &scene.look(path).await.text(), &hidden);
        }
        if number == VEILED / 2 {
            scene = scene.restart().await;
            logged = 0;
        }
    }
    for path in PATHS {
        let answer = scene.look(path).await;
        assert_veiled(path, &answer.text(), &hidden);
        assert!(answer.status == 200 || answer.status == 503, "{path}: {}", answer.status);
    }
    let ops = scene.service.ops_reader();
    for path in OPS_PATHS {
        assert_veiled(path, &ops.ask(Method::GET, path, &[]).await.ok().text(), &hidden);
    }
    assert_veiled("the log", &scene.service.running.stderr.text()[logged..], &hidden);
    assert!(scene.look("/v1/accounts/octo/repos").await.text().contains("octo/open"), "the others stay");
}
