//! A hundred repositories go private at random moments: once one's own page is gone, its name is in no later answer of
//! any kind, in no line of the log, in no metric, in no event that a listener hears, and in nothing that an operator is
//! shown, also after a kill -9.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::Method;
use fake_github::{FakeConfig, NewRepository, RepoId};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::{Answer, http_client},
        seconds, seed, until,
    },
};

const VEILED: usize = 100;
/// Answers of any kind that are read after each.
const LOOKS: usize = 4;
const WITHIN: Duration = seconds(60);
/// Somebody listens as long as a process lives.
const LISTEN_MAX: Duration = seconds(3_600);
const REQUESTS_AN_HOUR: u64 = 100_000_000;
/// After so many it is made sure how far a listener has heard.
const LISTEN_EVERY: usize = 10;

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
    "/v1/gaps",
    "/v1/gaps/octo",
    "/console",
    "/console/gaps/octo",
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
    /// Stays public.
    open: RepoId,
    setup: Setup,
    service: Service,
    key: String,
    _ground: Ground,
}

/// One who listens to `/v1/events` until it is dropped.
struct Listener {
    heard: Arc<Mutex<String>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Listener {
    async fn of(service: &Service) -> Self {
        let request = http_client().get(format!("http://{}/v1/events", service.api)).timeout(LISTEN_MAX);
        let mut answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let heard = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&heard);
        let listening = tokio::spawn(async move {
            while let Ok(Some(chunk)) = answer.chunk().await {
                told.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk));
            }
        });
        Listener { heard, listening }
    }

    /// Waits until something is heard that happens now; returns how much was heard by then.
    async fn catch_up(&self, scene: &Scene) -> usize {
        let marks = || self.heard.lock().unwrap().matches("/v1/repos/octo/open\"").count();
        let before = marks();
        scene.forge.fake.world(|world| world.push_commits(scene.open, "main", 1)).unwrap();
        until(WITHIN, "the event of a push", async || {
            let count = marks();
            if count > before { Ok(()) } else { Err(count) }
        })
        .await;
        self.heard.lock().unwrap().len()
    }

    /// What was heard from there on.
    fn since(&self, place: usize) -> String {
        self.heard.lock().unwrap()[place..].to_owned()
    }
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
        let (owners, veiled, open) = forge.fake.world(|world| {
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
            let open = world.create_repository(octo, NewRepository::public("open")).unwrap();
            world.push_commits(open, "main", 1).unwrap();
            (vec![octo, hubot], veiled, open)
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
        Some(Scene { forge, veiled, open, setup, service, key, _ground: ground })
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
        let Scene { forge, veiled, open, setup, service, key, _ground } = self;
        service.kill().await;
        let service = setup.serve().await;
        service.ready().await;
        // The old address is nobody's any more.
        forge.hook(&service);
        Scene { forge, veiled, open, setup, service, key, _ground }
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
    let mut listener = Listener::of(&scene.service).await;
    // Of what was heard, so much came before it was looked at last, and these were hidden by then.
    let (mut heard, mut hidden_then) = (0, BTreeSet::new());
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
        if number % LISTEN_EVERY == LISTEN_EVERY - 1 {
            let now = listener.catch_up(&scene).await;
            assert_veiled("an event", &listener.since(heard), &hidden_then);
            // An event that was on its way while something was hidden has arrived.
            (heard, hidden_then) = (now, hidden.clone());
        }
        if number == VEILED / 2 {
            scene = scene.restart().await;
            listener = Listener::of(&scene.service).await;
            (logged, heard, hidden_then) = (0, 0, hidden.clone());
        }
    }
    listener.catch_up(&scene).await;
    assert_veiled("an event", &listener.since(heard), &hidden_then);
    assert!(listener.since(0).contains("/v1/accounts/octo"), "something was heard");
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
