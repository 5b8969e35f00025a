//! S3, star neighbours for readers with an API key, through the running process against a fake GitHub.

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::{Answer, Reader},
        seconds, until,
    },
};
use axum::http::Method;
use fake_github::{AccountId, FakeConfig, NewRepository, RepoId, World, faults::RequestFault};
use serde_json::{Value, json};

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
    setup: Setup,
    calls: Setup,
    key: String,
    _ground: Ground,
}

impl Scene {
    /// `None` where there is no ground for it.
    async fn new() -> Option<Self> {
        Self::with(|setup| setup).await
    }

    /// With other settings.
    async fn with(settings: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        Self::of(FakeConfig::default(), settings).await
    }

    /// On a forge of another make.
    async fn of(config: FakeConfig, settings: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        let ground = Ground::new("star neighbours").await?;
        let config = FakeConfig { limit_authorised: 1_000_000, ..config };
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
        let setup = settings(ground.setup(&forge).await);
        let service = setup.serve().await;
        service.ready().await;
        forge.hook(&service);
        let calls = setup.talking_to(&service);
        let key = make_key(&calls, &[]).await;
        Some(Scene { forge, hello, others, fans, service, setup, calls, key, _ground: ground })
    }

    /// As [`Self::until_shown`], with keys of its own: where a key may not ask often.
    async fn until_shown_slowly(&self, expected: &Value) {
        until(WITHIN, "the neighbours", async || {
            let key = make_key(&self.calls, &[]).await;
            let answer = self.reader().get_with(PATH, &[("x-api-key", &key)]).await;
            if answer.status == 200 && answer.is_complete() && answer.json() == *expected {
                return Ok(());
            }
            Err(format!("{} {}", answer.status, answer.text()))
        })
        .await;
    }

    /// Stars, and takes stars back, without a word.
    fn silently(&self, change: impl FnOnce(&mut World) -> Result<(), fake_github::Refused>) {
        self.forge.fake.world(|world| {
            change(world).unwrap();
            world.take_events();
        });
    }

    /// How often the forge was asked what somebody starred, and how often that was counted against its limit.
    fn starred_requests(&self) -> (usize, usize) {
        let requests = self.forge.fake.requests();
        let starred = requests.iter().filter(|request| request.path.ends_with("/starred"));
        (starred.clone().count(), starred.filter(|request| request.counted).count())
    }

    /// The same after the process was ended and started again.
    async fn restarted(self) -> Self {
        let Scene { forge, hello, others, fans, service, setup, key, _ground, .. } = self;
        service.terminate().await.done();
        let service = setup.serve().await;
        service.ready().await;
        let calls = setup.talking_to(&service);
        Scene { forge, hello, others, fans, service, setup, calls, key, _ground }
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

/// Makes a key on the command line.
async fn make_key(calls: &Setup, more: &[&str]) -> String {
    let arguments = [&["key", "create", "dashboard", "ada@example.org"], more].concat();
    let made = calls.run(&arguments).await.done();
    made.lines().last().unwrap().to_owned()
}

/// What the three stargazers of the scene share at first.
fn at_first() -> Value {
    json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace"]},
        {"repo": "hubot/one", "stargazers": ["ada"]},
    ])
}

/// The same once Grace starred the other too.
fn with_grace() -> Value {
    json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace"]},
        {"repo": "hubot/one", "stargazers": ["ada", "grace"]},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stargazer_stars_later_elsewhere_counts() {
    let Some(scene) = Scene::new().await else { return };
    scene.until_shown(&at_first()).await;
    let one = scene.others[1];
    scene.forge.fake.world(|world| world.star(one, scene.fans[1])).unwrap();
    scene.until_shown(&with_grace()).await;
    scene.forge.fake.world(|world| world.unstar(one, scene.fans[1])).unwrap();
    scene.until_shown(&at_first()).await;

    // Of what nobody wants to know nobody is asked.
    scene.forge.fake.forget_requests();
    let dora = scene.forge.fake.world(|world| {
        let dora = world.create_user("dora").unwrap();
        world.star(one, dora).unwrap();
        world.star(scene.others[0], scene.fans[2]).unwrap();
        world.star(scene.hello, scene.fans[2]).unwrap();
        dora
    });
    let joan = json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace", "joan"]},
        {"repo": "hubot/one", "stargazers": ["ada", "joan"]},
    ]);
    scene.until_shown(&joan).await;
    let asked = scene.forge.fake.requests();
    let about = |who: &str| asked.iter().any(|it| it.path.contains(who) && it.path.ends_with("/starred"));
    assert!(about("joan") && !about("dora") && !about(&format!("/user/{}/", dora.0)));
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_notices_what_no_delivery_told_and_costs_nothing_where_nothing_changed() {
    let Some(scene) = Scene::with(|setup| setup.with("RECONCILE", "4s")).await else { return };
    scene.until_shown(&at_first()).await;
    scene.forge.fake.forget_requests();
    until(WITHIN, "some checks", async || {
        let (all, _) = scene.starred_requests();
        if all >= 6 { Ok(()) } else { Err(all) }
    })
    .await;
    assert_eq!(scene.starred_requests().1, 0, "what did not change is not counted against the limit");

    scene.silently(|world| world.star(scene.others[1], scene.fans[1]));
    scene.until_shown(&with_grace()).await;
    scene.silently(|world| world.unstar(scene.others[1], scene.fans[1]));
    scene.until_shown(&at_first()).await;
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_neighbours_are_marked_until_they_are_checked_again() {
    let Some(scene) = Scene::new().await else { return };
    scene.until_shown(&at_first()).await;
    let before = scene.ask(PATH).await;
    scene.forge.fake.faults().on_requests("*", RequestFault::ServerError(503), None);
    scene.silently(|world| world.star(scene.others[1], scene.fans[1]));

    let scene = scene.restarted().await;
    let after = scene.ask(PATH).await.ok();
    assert_eq!((after.text(), after.is_complete()), (before.text(), false), "nobody confirmed it");
    assert_eq!(after.header("etag"), before.header("etag"));
    scene.forge.fake.faults().stop();
    scene.until_shown(&with_grace()).await;
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_as_the_contract_says() {
    let Some(scene) = Scene::new().await else { return };
    scene.until_shown(&at_first()).await;
    let answer = scene.ask(PATH).await.ok();
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "private, no-store"),
        ("tallyhook-complete", "true"),
        ("x-ratelimit-limit", "600"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    for name in [
        "tallyhook-as-of",
        "tallyhook-checked-at",
        "tallyhook-position",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ] {
        assert!(answer.header(name).is_some(), "{name}");
    }
    let key = ("x-api-key", scene.key.as_str());
    let known =
        scene.reader().get_with(PATH, &[key, ("if-none-match", answer.header("etag").unwrap())]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let head = scene.reader().ask(Method::HEAD, PATH, &[key]).await;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, answer.header("etag")));
    let bearer = format!("Bearer {}", scene.key);
    assert_eq!(scene.reader().get_with(PATH, &[("authorization", &bearer)]).await.ok().json(), at_first());
    for (query, count) in [("limit=1", 1), ("limit=0", 0), ("min_shared=2", 1), ("min_shared=3", 0)] {
        let narrow = scene.ask(&format!("{PATH}?{query}")).await.ok().json();
        assert_eq!(narrow.as_array().unwrap()[..], at_first().as_array().unwrap()[..count], "{query}");
    }

    // Nobody starred it; and a former name leads on.
    scene.forge.fake.world(|world| {
        world.create_repository(scene.forge.owners[0], NewRepository::public("none")).unwrap();
        world.rename_repository(scene.hello, "renamed").unwrap();
    });
    until(WITHIN, "no neighbours", async || {
        let answer = scene.ask("/repos/octo/none/starneighbours").await;
        if answer.status == 200 && answer.is_complete() { Ok(answer.text()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(scene.ask("/repos/octo/none/starneighbours").await.text(), "[]");
    until(WITHIN, "the new name", async || {
        let answer = scene.ask(PATH).await;
        let leads_on = answer.header("location") == Some("/repos/octo/renamed/starneighbours");
        let is_kept = answer.header("cache-control") != Some("private, no-store");
        if answer.status == 301 && leads_on && !is_kept { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_good_key_or_asks_for_no_repository_is_refused_in_the_words_of_s3() {
    let Some(scene) = Scene::with(|setup| setup.with("KEY_LIMIT", "200/h")).await else { return };
    scene.until_shown_slowly(&at_first()).await;
    let detail = |answer: &Answer| {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        (answer.status, answer.json()["detail"].as_str().unwrap().to_owned())
    };
    let refusal = |status: u16, words: &str| (status, words.to_owned());
    let key = &scene.key;
    let (shorter, longer) = (key[..key.len() - 1].to_owned(), format!("{key}0"));
    let huge = "x".repeat(4_000);
    let unknown = format!("th_{}{}", "0".repeat(16), &key[19..]);
    for wrong in [shorter.as_str(), &longer, &huge, &unknown, "th_", "x", "%00", &key.to_uppercase()] {
        let answer = scene.reader().get_with(PATH, &[("x-api-key", wrong)]).await;
        assert_eq!(detail(&answer), refusal(401, "Invalid API key"), "{wrong}");
        assert_eq!(answer.header("x-ratelimit-limit"), None, "nobody's key");
    }
    for empty in ["", " "] {
        let answer = scene.reader().get_with(PATH, &[("x-api-key", empty)]).await;
        assert_eq!(detail(&answer), refusal(401, "API key is missing"));
    }

    let short = make_key(&scene.calls, &["--expires", "1s"]).await;
    until(WITHIN, "its end", async || {
        let answer = scene.reader().get_with(PATH, &[("x-api-key", &short)]).await;
        let expired = refusal(401, "API key has expired");
        if answer.status == 401 && detail(&answer) == expired { Ok(()) } else { Err(answer.status) }
    })
    .await;

    let other = make_key(&scene.calls, &[]).await;
    let ask = async |path: &str| scene.reader().get_with(path, &[("x-api-key", &other)]).await;
    let long = "x".repeat(300);
    for name in ["nothing", "-1", "99999999999999999999", "%00", "a%2Fb", "%FF", "..%2f..", "%20", &long] {
        let answer = ask(&format!("/repos/octo/{name}/starneighbours")).await;
        assert_eq!(detail(&answer), refusal(404, "Repository not found"), "{name}");
    }
    for owner in ["-octo", "no--body%21", "%E2%82%AC", "a%2Fb", &long] {
        // The forge is asked who that is, which may take a moment.
        until(WITHIN, owner, async || {
            let answer = ask(&format!("/repos/{owner}/hello/starneighbours")).await;
            let is_refused = answer.status == 404 && detail(&answer).1 == "Repository not found";
            if is_refused { Ok(()) } else { Err((answer.status, answer.text())) }
        })
        .await;
    }
    for query in ["limit=-1", "limit=x", "min_shared=1.5", "limit=99999999999999999999"] {
        assert_eq!(ask(&format!("{PATH}?{query}")).await.status, 400, "{query}");
    }
    // One request more is allowed every 18 seconds; nobody asks so slowly.
    let mut left = 200;
    let refused = loop {
        let answer = ask(PATH).await;
        if answer.status != 200 {
            break answer;
        }
        let remaining: u32 = answer.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        assert!(remaining <= left, "{remaining} after {left}");
        left = remaining + 1;
    };
    assert_eq!(detail(&refused), refusal(429, "This API key asks too often"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=18).contains(&wait), "{wait}");
    scene.service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_read_from_github_and_follow_the_stars() {
    let Some(scene) = Scene::new().await else { return };
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
    let Some(scene) = Scene::new().await else { return };
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
    let Some(scene) = Scene::new().await else { return };
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

/// GitHub pages a list of stargazers to its oldest 40 000; here the wall stands at a hundred.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_longer_than_the_forge_shows_is_read_up_to_its_wall_and_marked() {
    let config = FakeConfig { stargazers_max: 100, ..FakeConfig::default() };
    let Some(scene) = Scene::of(config, |setup| setup.with("KEY_LIMIT", "off")).await else { return };
    scene.forge.next_second().await;
    scene.silently(|world| {
        for number in 0..120 {
            let fan = world.create_user(&format!("fan-{number:03}"))?;
            world.star(scene.hello, fan)?;
        }
        Ok(())
    });
    // Of the oldest hundred two share something; joan is behind the wall.
    scene.forge.next_second().await;
    scene.silently(|world| world.star(scene.hello, scene.fans[2]));
    let within_the_wall = json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace"]},
        {"repo": "hubot/one", "stargazers": ["ada"]},
    ]);
    let until_marked = async |expected: &Value| {
        until(WITHIN, "neighbours that are called incomplete", async || {
            let answer = scene.ask(PATH).await;
            if answer.status == 200 && answer.json() == *expected && !answer.is_complete() {
                return Ok(());
            }
            Err(format!("{} {} {}", answer.status, answer.is_complete(), answer.text()))
        })
        .await;
    };
    until_marked(&within_the_wall).await;
    until(WITHIN, "every stargazer within the wall is asked about", async || {
        let (asked, _) = scene.starred_requests();
        if asked >= 100 { Ok(()) } else { Err(asked) }
    })
    .await;
    until_marked(&within_the_wall).await;
    let pages = scene.forge.fake.requests();
    let refused =
        pages.iter().filter(|request| request.path.ends_with("/stargazers") && request.status == Some(422));
    assert!(
        (1..=2).contains(&refused.count()),
        "the wall is met once in each pass, and not run against again and again"
    );

    // What a delivery tells counts behind the wall too.
    scene.forge.fake.world(|world| world.unstar(scene.hello, scene.fans[2])).unwrap();
    scene.forge.next_second().await;
    scene.forge.fake.world(|world| world.star(scene.hello, scene.fans[2])).unwrap();
    until_marked(&json!([
        {"repo": "hubot/both", "stargazers": ["ada", "grace"]},
        {"repo": "hubot/one", "stargazers": ["ada", "joan"]},
    ]))
    .await;
    scene.service.terminate().await.done();
}
