//! Repair without an operator, ring by ring: what a webhook sends in vain is taken out of GitHub's own record of it
//! (`deliveries_poll`), what no record holds any more is found by the sweep (`reconcile`), and with `pull` the record
//! is the only way in. The forge's clock is a script here, so that hours and days pass between two requests. Each
//! test heals by one ring alone, and shows that without it nothing else would.

mod gaps;

use std::time::{Duration, Instant};

use fake_github::{
    AccountId, Clock, FakeConfig, HookId, HookTarget, Kind, Lag, NewCommits, NewHook, NewRepository, Outcome,
    RepoId, Weights,
    faults::{DeliveryFault, DeliveryRates, RequestFault, RequestRates},
};

use super::{
    ground::Ground,
    support::{
        SECRET,
        forge::{Forge, TOKEN, told},
        lies::{Changes, Samples},
        process::{Service, Setup},
        seconds, seed,
        truth::{differences, until_true},
        until,
    },
};

const WITHIN: Duration = seconds(90);

/// How often it is looked through what was sent.
const POLL: &str = "500ms";

/// A bad day lasts as long.
const BAD_DAY: Duration = seconds(15);

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9/webhooks/github";

const HOUR_S: i64 = 60 * 60;
const DAY_S: i64 = 24 * HOUR_S;

/// Two organisations with repositories and a webhook each, and people around them.
struct Scene {
    forge: Forge,
    clock: Clock,
    hooks: Vec<HookId>,
    ground: Ground,
}

impl Scene {
    async fn new(what: &str, seed: u64) -> Option<Self> {
        Scene::of(what, FakeConfig { seed, clock: scripted(), ..FakeConfig::default() }).await
    }

    async fn of(what: &str, config: FakeConfig) -> Option<Self> {
        let ground = Ground::new(what).await?;
        let clock = config.clock.clone();
        let config = FakeConfig { limit_authorised: 100_000_000, ..config };
        let mut forge = Forge::empty(config).await;
        forge.owners = forge.fake.world(|world| {
            let ada = world.create_user("ada").unwrap();
            for login in ["grace", "joan", "edith"] {
                world.create_user(login).unwrap();
            }
            world.accept_token(TOKEN, ada);
            let mut organization = |login: &str, names: [&str; 3]| {
                let owner = world.create_organization(login, ada).unwrap();
                for (count, name) in names.into_iter().enumerate() {
                    let repo = world.create_repository(owner, NewRepository::public(name)).unwrap();
                    world.push_commits(repo, "main", count + 2).unwrap();
                }
                owner
            };
            vec![
                organization("guild", ["hall", "yard", "gate"]),
                organization("league", ["field", "stand", "cup"]),
            ]
        });
        clock.advance_ms(60_000);
        Some(Scene { forge, clock, hooks: Vec::new(), ground })
    }

    async fn setup(&self) -> Setup {
        self.ground.setup(&self.forge).await.with("TRACK", &self.forge.track())
    }

    /// Starts a service, waits until it shows the truth, and lets the webhooks send there.
    async fn serve(&mut self, setup: &Setup) -> Service {
        let service = setup.serve().await;
        until_true(&self.forge, &service.reader(), WITHIN).await;
        self.hook(&service.hook_url());
        self.forge.fake.settle().await;
        service
    }

    fn hook(&mut self, url: &str) {
        for owner in self.forge.owners.clone() {
            let hook = NewHook::new(HookTarget::Organization(owner), url, SECRET);
            self.hooks.push(self.forge.fake.world(|world| world.create_hook(hook)).unwrap());
        }
    }

    /// So many things happen, this far apart.
    fn live(&self, seed: u64, steps: usize, apart_s: i64) {
        // Of what goes private nobody hears whose fork it was the parent of.
        let weights: Weights = told().with(Kind::Privatize, 0);
        let mut life = self.forge.life(seed, weights);
        for _ in 0..steps {
            self.clock.advance_ms(apart_s * 1000);
            self.forge.fake.world(|world| life.step(world));
        }
        self.clock.advance_ms(60_000);
    }

    fn repository(&self, owner: &str, name: &str) -> RepoId {
        self.forge.fake.world(|world| world.repository_id(owner, name)).unwrap()
    }

    fn star(&self, repo: RepoId, by: &str) {
        self.clock.advance_ms(1_000);
        self.forge.fake.world(|world| {
            let by: AccountId = world.account_id(by).unwrap();
            world.star(repo, by).unwrap();
        });
    }

    /// How many deliveries were sent in vain.
    fn in_vain(&self) -> usize {
        self.forge.fake.deliveries().iter().filter(|delivery| !delivery.outcome.is_success()).count()
    }
}

/// Some days back, so that it can move on as far without ever being ahead of ours.
fn scripted() -> Clock {
    Clock::scripted(Clock::Real.now().plus(-9 * DAY_S))
}

/// The value of a metric.
async fn metric(service: &Service, name: &str) -> u64 {
    let text = service.ops_reader().get("/metrics").await.ok().text();
    let line =
        text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn until_metric(service: &Service, name: &str, least: u64) {
    until(WITHIN, name, async || match metric(service, name).await {
        value if value >= least => Ok(()),
        value => Err(value),
    })
    .await;
}

/// Waits until the stars of a repository are shown as they are.
async fn until_starred(scene: &Scene, service: &Service, repo: RepoId) {
    let reader = service.reader();
    until(WITHIN, "a star that was told", async || {
        let truth = scene.forge.truth(repo);
        let shown = reader.get(&format!("/v1/repos/{}", truth.full_name)).await.ok().json();
        if shown["counts"]["stars"] == truth.stars { Ok(()) } else { Err(shown) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_loses_a_fifth_is_healed_out_of_its_record() {
    let Some(mut scene) = Scene::new("a fifth is lost", seed(91)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;

    scene.forge.fake.faults().delivery_rates(DeliveryRates { drop: 0.2, ..DeliveryRates::default() });
    scene.live(seed(92), 150, 60);
    scene.forge.fake.settle().await;
    let lost = scene.in_vain();
    assert!(lost > 10, "{lost}");
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    let taken = metric(&service, r#"tallyhook_repaired_deliveries_total{result="taken"}"#).await;
    assert_eq!(taken, u64::try_from(lost).unwrap(), "each of them, and each once");
}

/// Without the first ring (`recount`) a forced push is called open, and nobody asks; the sweep does.
#[tokio::test(flavor = "multi_thread")]
async fn without_needs_what_a_delivery_leaves_open_waits_for_the_sweep() {
    let Some(mut scene) = Scene::new("nobody asks", seed(119)).await else { return };
    let setup = scene.setup().await.with("RECONCILE", "off").with("RECOUNT", "false");
    let service = scene.serve(&setup).await;
    let (hall, yard) = (scene.repository("guild", "hall"), scene.repository("guild", "yard"));
    let pending = "tallyhook_backfill_pending ";
    let waiting = metric(&service, pending).await;
    scene.clock.advance_ms(1_000);
    scene.forge.fake.world(|world| {
        let ada = world.account_id("ada").unwrap();
        world.push(hall, "main", NewCommits { back: 1, count: 3 }, ada).unwrap();
    });
    let missing = async |service: &Service| {
        let page = service.reader().get("/v1/repos/guild/hall").await.ok().json();
        page["freshness"]["missing"].clone()
    };
    let open = serde_json::json!([
        {"field": "counts.commits", "repository": "guild/hall", "reason": "recounting"}
    ]);
    until(WITHIN, "it is called open", async || {
        let missing = missing(&service).await;
        if missing == open { Ok(()) } else { Err(missing) }
    })
    .await;
    // Languages are asked for half a minute after a push. With the ring a question about commits would wait too.
    until_metric(&service, pending, waiting + 1).await;
    assert_eq!(metric(&service, pending).await, waiting + 1);
    scene.star(yard, "grace");
    until_starred(&scene, &service, yard).await;
    assert_eq!(missing(&service).await, open);
    service.terminate().await.done();
    let service = setup.with("RECONCILE", "2s").serve().await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_look_at_the_record_what_was_lost_stays_lost() {
    let Some(mut scene) = Scene::new("nobody looks", seed(93)).await else { return };
    let setup = scene.setup().await;
    let service = scene.serve(&setup).await;
    let (hall, yard) = (scene.repository("guild", "hall"), scene.repository("guild", "yard"));
    scene.forge.fake.faults().lose_deliveries(true);
    scene.star(hall, "grace");
    scene.forge.fake.faults().stop();
    scene.star(yard, "grace");
    until_starred(&scene, &service, yard).await;
    let found = differences(&scene.forge, &service.reader()).await;
    assert!(found.iter().any(|it| it.contains("guild/hall") && it.contains("stars")), "{found:?}");
}

/// Lost, late, doubled and reordered deliveries, failing and outdated answers, and no sweep: while it lasts nothing
/// that calls itself complete is wrong, and after it the record heals what was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_shows_no_lies_while_the_record_heals_it() {
    let config = FakeConfig { seed: seed(107), ..FakeConfig::default() };
    let Some(mut scene) = Scene::of("a bad day and its record", config).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let (forge, reader) = (&scene.forge, service.reader());

    let faults = forge.fake.faults();
    faults.delivery_rates(DeliveryRates {
        drop: 0.15,
        double: 0.1,
        hold_back: 0.1,
        delay: 0.2,
        delay_max: seconds(3),
    });
    faults.request_rates(RequestRates {
        server_error: 0.04,
        reset: 0.03,
        truncate: 0.03,
        ..RequestRates::default()
    });
    // As far behind as the pause before a question allows for.
    faults.lag(Some(Lag::Seconds(1)));
    let changes = Changes::default();
    let until = Instant::now() + BAD_DAY;
    let living = async {
        let mut life = forge.life(seed(108), told().with(Kind::Privatize, 0));
        for step in 0.. {
            // Moments of rest, in which much becomes complete again.
            if step % 50 < 35 {
                changes.step(forge, &mut life);
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
            if Instant::now() > until {
                break;
            }
        }
    };
    let looking = async {
        let mut samples = Samples::default();
        while Instant::now() < until {
            changes.look(forge, &reader, &mut samples).await;
        }
        samples
    };
    let (samples, ()) = tokio::join!(looking, living);
    faults.stop();
    forge.fake.settle().await;
    let lost = scene.in_vain();
    println!("{samples:?}, {lost} deliveries lost");
    // On a busy machine few answers are complete between two losses.
    assert!(lost > 10 && samples.right > 4, "{lost} {samples:?}");
    until_true(forge, &reader, WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_too_late_is_counted_once() {
    let config = FakeConfig {
        seed: seed(106),
        clock: scripted(),
        delivery_timeout: seconds(1),
        ..FakeConfig::default()
    };
    let Some(mut scene) = Scene::of("answered too late", config).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;

    // The deliveries reach the machine, and nobody reads them in time.
    service.running.signal("STOP").await;
    let hall = scene.repository("guild", "hall");
    for _ in 0..5 {
        scene.clock.advance_ms(60_000);
        scene.forge.push(hall, 2);
    }
    scene.forge.fake.settle().await;
    service.running.signal("CONT").await;
    let pushes =
        |delivery: &&fake_github::Delivery| delivery.event == "push" && !delivery.outcome.is_success();
    let late = scene.forge.fake.deliveries().iter().filter(pushes).count();
    assert_eq!(late, 5);
    until(WITHIN, "all of them are settled", async || {
        let taken = metric(&service, r#"tallyhook_repaired_deliveries_total{result="taken"}"#).await;
        let held = metric(&service, r#"tallyhook_repaired_deliveries_total{result="held"}"#).await;
        if taken + held >= 5 { Ok(()) } else { Err((taken, held)) }
    })
    .await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_an_hour_is_healed_out_of_the_record() {
    let Some(mut scene) = Scene::new("an hour", seed(94)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;

    let begun = scene.forge.fake.world(|world| world.now());
    scene.forge.fake.faults().lose_deliveries_between(begun, begun.plus(HOUR_S));
    scene.live(seed(95), 60, 58);
    until_metric(&service, r#"tallyhook_hooks{state="failing"}"#, 1).await;
    scene.clock.advance_ms(HOUR_S * 1000);
    scene.live(seed(96), 20, 60);
    scene.forge.fake.settle().await;
    assert!(scene.in_vain() > 30, "{}", scene.in_vain());
    until_true(&scene.forge, &service.reader(), WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_four_days_is_healed_by_the_sweep() {
    let Some(mut scene) = Scene::new("four days", seed(98)).await else { return };
    // Nobody looks at the record: what it shows is taken from there, and of what it does not show any more nothing is
    // called complete, so that nothing drifts.
    let setup = scene.setup().await.with("RECONCILE", "3s");
    let service = scene.serve(&setup).await;
    let faults = scene.forge.fake.faults();
    faults.lose_deliveries(true);
    scene.live(seed(97), 80, 4 * DAY_S / 80);
    faults.stop();
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    until_metric(&service, r#"tallyhook_drift_total{field="commits"}"#, 1).await;
    let says = |line: &str| line.contains("the sweep found what nobody told") && line.contains("commits");
    service.running.stderr.find(WITHIN, says).await.expect("drift is told with its values");
}

#[tokio::test(flavor = "multi_thread")]
async fn stars_of_a_deleted_account_are_taken_away_by_the_sweep() {
    let Some(mut scene) = Scene::new("a deleted account", seed(105)).await else { return };
    let hall = scene.repository("guild", "hall");
    for by in ["grace", "joan"] {
        scene.star(hall, by);
    }
    let setup = scene.setup().await.with("RECONCILE", "2s");
    let service = scene.serve(&setup).await;
    assert_eq!(scene.forge.truth(hall).stars, 2);
    let told = scene.forge.fake.deliveries().len();
    scene.clock.advance_ms(1_000);
    scene.forge.fake.world(|world| {
        let joan = world.account_id("joan").unwrap();
        world.delete_user(joan).unwrap();
    });
    until_starred(&scene, &service, hall).await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    assert_eq!(
        (scene.forge.truth(hall).stars, scene.forge.fake.deliveries().len()),
        (1, told),
        "nobody was told"
    );
    until_metric(&service, r#"tallyhook_drift_total{field="stars"}"#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_what_did_not_change_costs_one_list() {
    let Some(mut scene) = Scene::new("nothing changed", seed(104)).await else { return };
    let setup = scene.setup().await.with("RECONCILE", "2s");
    let _service = scene.serve(&setup).await;
    let sweeps = |scene: &Scene| {
        let requests = scene.forge.fake.requests();
        requests.iter().filter(|request| request.path.starts_with("/users/guild/repos")).count()
    };
    // What was asked for the first time is known by then.
    let known = sweeps(&scene) + 2;
    until(WITHIN, "two sweeps", async || if sweeps(&scene) >= known { Ok(()) } else { Err(()) }).await;
    scene.forge.fake.forget_requests();
    until(WITHIN, "three more", async || if sweeps(&scene) >= 3 { Ok(()) } else { Err(()) }).await;
    let requests = scene.forge.fake.requests();
    let counted: Vec<&str> =
        requests.iter().filter(|request| request.counted).map(|request| request.path.as_str()).collect();
    assert!(
        counted.iter().all(|path| path.starts_with("/users/") && path.ends_with("/repos")),
        "{counted:?}"
    );
    assert!(requests.len() > 3 * counted.len(), "{} of {}", counted.len(), requests.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_sweep_what_no_record_holds_stays_lost() {
    let Some(mut scene) = Scene::new("nobody sweeps", seed(103)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL).with("RECONCILE", "off");
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let (hall, field) = (scene.repository("guild", "hall"), scene.repository("league", "field"));
    let faults = scene.forge.fake.faults();
    faults.lose_deliveries(true);
    // It is looked for too late: the record is away as long as the webhook.
    faults.on_requests("*/deliveries*", RequestFault::ServerError(502), None);
    scene.star(hall, "grace");
    scene.clock.advance_ms(4 * DAY_S * 1000);
    scene.star(field, "grace");
    scene.clock.advance_ms(60_000);
    faults.stop();
    until_starred(&scene, &service, field).await;
    let found = differences(&scene.forge, &service.reader()).await;
    assert!(found.iter().any(|it| it.contains("guild/hall") && it.contains("stars")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pulled_deliveries_need_no_address_of_ours() {
    let Some(mut scene) = Scene::new("pulled", seed(99)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL).with("PULL", "true");
    let service = setup.serve().await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    scene.hook(NOWHERE);
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;

    scene.live(seed(100), 60, 30);
    scene.forge.fake.settle().await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    assert!(scene.forge.fake.deliveries().iter().all(|it| it.outcome == Outcome::Unreachable));
    let door = metric(&service, r#"tallyhook_deliveries_total{event="push",result="accepted"}"#).await;
    let taken = metric(&service, r#"tallyhook_repaired_deliveries_total{result="taken"}"#).await;
    assert!(door == 0 && taken > 30, "{door} {taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_record_says_too_little_is_sent_again() {
    let Some(mut scene) = Scene::new("sent again", seed(101)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let faults = scene.forge.fake.faults();
    faults.hide_payloads(true);
    faults.next_delivery(Some("star"), DeliveryFault::Drop);
    let hall = scene.repository("guild", "hall");
    scene.star(hall, "grace");
    let star = scene.forge.fake.deliveries().into_iter().rfind(|delivery| delivery.event == "star");
    let lost = star.unwrap().guid;
    until_metric(&service, r#"tallyhook_repaired_deliveries_total{result="redelivered"}"#, 1).await;
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    scene.forge.fake.settle().await;
    let attempts: Vec<(bool, bool)> = (scene.forge.fake.deliveries().into_iter())
        .filter(|delivery| delivery.guid == lost)
        .map(|delivery| (delivery.redelivery, delivery.outcome.is_success()))
        .collect();
    assert_eq!(attempts, [(false, false), (true, true)]);
    assert_eq!(metric(&service, r#"tallyhook_repaired_deliveries_total{result="redelivered"}"#).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_not_well_is_shown() {
    let Some(mut scene) = Scene::new("not well", seed(102)).await else { return };
    let setup = scene.setup().await.with("DELIVERIES_POLL", POLL);
    let service = scene.serve(&setup).await;
    until_metric(&service, r#"tallyhook_hooks{state="well"}"#, 2).await;
    let calls = setup.talking_to(&service);
    let said = calls.run(&["hook", "list", "guild"]).await.done();
    assert!(said.contains("STATE") && said.contains("well"), "{said}");

    // A habit of one every minute, then nothing for five hours.
    let hall = scene.repository("guild", "hall");
    for _ in 0..30 {
        scene.clock.advance_ms(60_000);
        scene.forge.push(hall, 1);
        scene.forge.fake.settle().await;
    }
    until_true(&scene.forge, &service.reader(), WITHIN).await;
    scene.clock.advance_ms(5 * HOUR_S * 1000);
    until_metric(&service, r#"tallyhook_hooks{state="silent"}"#, 1).await;
    let said = calls.run(&["hook", "list", "guild"]).await.done();
    assert!(said.contains("silent"), "{said}");

    let hook = scene.hooks[1];
    scene.forge.fake.world(|world| world.set_hook_active(hook, false)).unwrap();
    until_metric(&service, r#"tallyhook_hooks{state="inactive"}"#, 1).await;
    let said = calls.run(&["hook", "list", "league"]).await.done();
    assert!(said.contains("inactive"), "{said}");
}
