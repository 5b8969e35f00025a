//! A month in which everything goes wrong that can, under the forge's scripted clock: deliveries lost, doubled and out
//! of order, an outage of an hour and one of four days, limits, replicas that lag, renames and transfers that nobody
//! announced, deleted users, and a kill -9. At each quiet point every payload equals the truth without help, and every
//! number adds up from the deliveries and questions that made it. Meanwhile a reader looks for lies: numbers that are
//! called complete and are wrong although we were told in time.
//!
//! `TALLYHOOK_TEST_SEED=N cargo test -p tallyhook --test whole chaos -- --nocapture` is another month,
//! `TALLYHOOK_TEST_DAYS=300` a longer one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use fake_github::{
    AccountId, Clock, Delivery, FakeConfig, HookTarget, Life, NewHook, NewRepository, RepoId, RepoTruth,
    Second,
    faults::{DeliveryRates, RequestFault, RequestRates},
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::Value;
use testkit::expected;
use tokio::task::JoinHandle;

use super::{
    ground::Ground,
    support::{
        SECRET,
        explained::explained,
        forge::{Forge, TOKEN, told},
        process::{Service, Setup},
        reader::Reader,
        seconds, seed,
        truth::{is_shown, until_true},
    },
};

/// The month's days, unless `TALLYHOOK_TEST_DAYS` says otherwise. A script of ten days is repeated.
const DAYS: usize = 30;
const SCRIPT_DAYS: usize = 10;
/// Things that happen in a day, this far apart.
const STEPS_A_DAY: usize = 12;
const STEP_S: i64 = 2 * 60 * 60;
/// A day takes about a second of ours.
const STEP_LASTS: Duration = Duration::from_millis(60);

/// After the faults of a quiet point have ended, all is true within this.
const TRUE_WITHIN: Duration = seconds(120);
/// Whoever was told so long ago shows it, or says that it does not.
const TOLD_AGO: Duration = seconds(5);
/// The forge allows so many requests in an hour of its clock.
const REQUESTS_AN_HOUR: u64 = 5_000;
/// At most this share of right numbers may be called incomplete, in a month of hardly anything but faults.
const DOUBTED_MAX: f64 = 0.5;

fn days() -> usize {
    let days = std::env::var("TALLYHOOK_TEST_DAYS").ok();
    days.map_or(DAYS, |days| days.parse().expect("TALLYHOOK_TEST_DAYS is a number"))
}

/// What is true of the counts of every repository, and when it became so, on both clocks.
#[derive(Default)]
struct History {
    truths: HashMap<RepoId, RepoTruth>,
    changes: HashMap<RepoId, Vec<(SystemTime, Second)>>,
}

impl History {
    /// Notes what is otherwise than before.
    fn note(&mut self, forge: &Forge) {
        let (now, second) = (SystemTime::now(), forge.fake.world(|world| world.now()));
        for truth in forge.repositories() {
            if self.truths.get(&truth.id) != Some(&truth) {
                self.changes.entry(truth.id).or_default().push((now, second));
                self.truths.insert(truth.id, truth);
            }
        }
    }
}

/// What a reader found who never stopped reading.
#[derive(Debug, Default)]
struct Found {
    read: usize,
    right: usize,
    /// Right, and called incomplete.
    doubted: usize,
    /// Wrong, and called incomplete.
    admitted: usize,
    /// Wrong and called complete, while not everything was told to us, or only just.
    untold: usize,
    lies: Vec<String>,
}

struct Month {
    forge: Arc<Forge>,
    clock: Clock,
    life: Life,
    rng: StdRng,
    setup: Setup,
    service: Option<Service>,
    /// Where the reader reads; nowhere while the service is down.
    reader: Arc<Mutex<Option<Reader>>>,
    history: Arc<Mutex<History>>,
    _ground: Ground,
}

impl Month {
    /// `None` where there is no ground for it.
    async fn new(days: usize) -> Option<Month> {
        let ground = Ground::new("a month of chaos").await?;
        let days = i64::try_from(days).unwrap();
        // So far back that it never gets ahead of our clock.
        let clock = Clock::scripted(Clock::Real.now().plus(-(days + 2) * 24 * 60 * 60));
        let config = FakeConfig {
            seed: seed(111),
            clock: clock.clone(),
            limit_authorised: REQUESTS_AN_HOUR,
            ..FakeConfig::default()
        };
        let mut forge = Forge::empty(config).await;
        forge.owners = forge.fake.world(|world| {
            let ada = world.create_user("ada").unwrap();
            world.accept_token(TOKEN, ada);
            for login in ["grace", "joan", "edith", "mary", "jean"] {
                world.create_user(login).unwrap();
            }
            ["guild", "league", "club"].map(|login| world.create_organization(login, ada).unwrap()).to_vec()
        });
        forge.fake.world(|world| {
            for owner in &forge.owners {
                for count in 1..=3 {
                    let new = NewRepository::public(format!("house-{count}"));
                    let repo = world.create_repository(*owner, new).unwrap();
                    world.push_commits(repo, "main", count).unwrap();
                }
            }
        });
        clock.advance_ms(60_000);
        let setup = ground
            .setup(&forge)
            .await
            .with("TRACK", &forge.track())
            .with("DELIVERIES_POLL", "500ms")
            .with("RECONCILE", "3s");
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), TRUE_WITHIN).await;
        // Its next life listens at the same address: webhooks stay as they are.
        let setup = setup.with("LISTEN", &service.api.to_string());
        for owner in forge.owners.clone() {
            let hook = NewHook::new(HookTarget::Organization(owner), service.hook_url(), SECRET);
            forge.fake.world(|world| world.create_hook(hook)).unwrap();
        }
        forge.fake.settle().await;
        let life = forge.life(seed(112), told());
        let mut history = History::default();
        history.note(&forge);
        Some(Month {
            clock,
            life,
            rng: StdRng::seed_from_u64(seed(113)),
            setup,
            reader: Arc::new(Mutex::new(Some(service.reader()))),
            service: Some(service),
            history: Arc::new(Mutex::new(history)),
            forge: Arc::new(forge),
            _ground: ground,
        })
    }

    /// Something happens that is worth a note.
    fn act(&mut self, act: impl FnOnce(&mut Self)) {
        self.clock.advance_ms(1_000);
        // Nobody may compare between the change and its note.
        let history = Arc::clone(&self.history);
        let mut history = history.lock().unwrap();
        act(self);
        history.note(&self.forge);
    }

    /// Lets so many days go by.
    async fn days(&mut self, days: usize) {
        for _ in 0..days * STEPS_A_DAY {
            self.clock.advance_ms(STEP_S * 1_000);
            self.act(|month| {
                let step = month.forge.fake.world(|world| month.life.step(world)).unwrap();
                println!("{} {}", month.clock.now(), step.text);
            });
            tokio::time::sleep(STEP_LASTS).await;
        }
    }

    /// The faults end: all is true, with nobody's help.
    async fn quiet(&mut self, after: &str) {
        self.forge.fake.faults().stop();
        self.forge.fake.settle().await;
        let begun = Instant::now();
        let reader = self.service.as_ref().unwrap().reader();
        until_true(&self.forge, &reader, TRUE_WITHIN).await;
        println!("after {after}: true within {:.1} s", begun.elapsed().as_secs_f64());
        self.explained(&reader).await;
    }

    /// Every number that is shown adds up from what made it.
    async fn explained(&self, reader: &Reader) {
        let found = explained(&self.forge, reader).await;
        assert!(found.wrong.is_empty(), "{:#?}", found.wrong);
        // A crash in the middle of a write to a cluster may leave out a step, and what was before it.
        assert!(found.unrecorded.len() < found.numbers / 10, "{:#?}", found.unrecorded);
        println!("{} numbers add up from {} steps", found.numbers, found.steps);
    }

    async fn killed(&mut self) {
        *self.reader.lock().unwrap() = None;
        self.service.take().unwrap().kill().await;
        self.days(1).await;
        let service = self.setup.serve().await;
        *self.reader.lock().unwrap() = Some(service.reader());
        self.service = Some(service);
    }

    /// Nobody is told of a rename, a transfer and an end.
    fn behind_our_back(&mut self) {
        let shown: Vec<RepoTruth> = self.forge.repositories().into_iter().filter(is_shown).collect();
        let mut drawn = shown.sample(&mut self.rng, 2).cloned().collect::<Vec<_>>().into_iter();
        let owners = self.forge.owners.clone();
        let number = self.rng.random_range(0..1_000_000);
        self.act(|month| {
            month.forge.fake.faults().forget_deliveries(true);
            month.forge.fake.world(|world| {
                if let Some(renamed) = drawn.next() {
                    world.rename_repository(renamed.id, &format!("renamed-{number}")).unwrap();
                }
                if let Some(moved) = drawn.next() {
                    let to = owners.iter().find(|owner| **owner != moved.owner).unwrap();
                    // Refused where the new owner has one of that name.
                    let _ = world.transfer_repository(moved.id, *to);
                }
            });
        });
        self.forge.fake.faults().forget_deliveries(false);
    }

    /// A user goes, and their stars with them.
    fn a_user_goes(&mut self, login: &str) {
        self.act(|month| {
            month.forge.fake.world(|world| {
                let user: AccountId = world.account_id(login).unwrap();
                world.purge_stars(user).unwrap();
            });
        });
    }

    /// Ten days of it.
    async fn script(&mut self, round: usize) {
        let faults = self.forge.fake.faults().clone();
        let unruly = DeliveryRates {
            drop: 0.0,
            double: 0.3,
            hold_back: 0.3,
            delay: 0.3,
            delay_max: Duration::from_secs(2),
        };
        faults.delivery_rates(unruly);
        self.days(1).await;
        self.quiet("a day of deliveries in any order").await;

        let now = self.clock.now();
        faults.lose_deliveries_between(now, now.plus(60 * 60 + STEP_S));
        faults.delivery_rates(DeliveryRates { drop: 0.2, ..unruly });
        self.days(2).await;
        self.quiet("an outage of an hour, and a fifth lost").await;

        self.behind_our_back();
        self.a_user_goes(["grace", "joan", "edith"][round % 3]);
        self.days(1).await;
        self.quiet("what nobody was told of").await;

        faults.request_rates(RequestRates {
            server_error: 0.05,
            secondary_limit: 0.02,
            retry_after_seconds: 1,
            reset: 0.02,
            truncate: 0.02,
            lag: 0.2,
            lag_operations_max: 6,
            ..RequestRates::default()
        });
        faults.delivery_rates(unruly);
        self.days(1).await;
        self.quiet("a forge that fails and lags").await;

        self.killed().await;
        self.quiet("a day in which nobody listened").await;

        faults.lose_deliveries(true);
        faults.on_requests("*/deliveries*", RequestFault::ServerError(502), None);
        self.days(4).await;
        self.clock.advance_ms(3 * 24 * 60 * 60 * 1_000);
        self.quiet("four days away").await;
    }
}

/// Reads one repository after the other, until told to stop.
fn look_for_lies(month: &Month, stop: &Arc<AtomicBool>) -> JoinHandle<Found> {
    let (forge, history) = (Arc::clone(&month.forge), Arc::clone(&month.history));
    let (reader, stop) = (Arc::clone(&month.reader), Arc::clone(stop));
    tokio::spawn(async move {
        let mut found = Found::default();
        let mut rng = StdRng::seed_from_u64(seed(114));
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let ids: Vec<RepoId> = history.lock().unwrap().truths.keys().copied().collect();
            let id = *ids.choose(&mut rng).unwrap();
            let truth = history.lock().unwrap().truths[&id].clone();
            let Some(reader) = reader.lock().unwrap().clone() else { continue };
            let Ok(answer) = reader.try_ask(axum::http::Method::GET, &path(&truth), &[]).await else {
                continue;
            };
            if answer.status != 200 {
                continue;
            }
            let checked: jiff::Timestamp = answer
                .header("tallyhook-checked-at")
                .map_or(jiff::Timestamp::UNIX_EPOCH, |at| at.parse().unwrap());
            let history = history.lock().unwrap();
            if history.truths[&id] != truth {
                continue;
            }
            let shown = answer.json();
            let true_counts = expected::repository(&truth).map(|payload| payload["counts"].clone());
            let is_right = true_counts.as_ref() == Some(&shown["counts"]);
            found.read += 1;
            found.right += usize::from(is_right);
            match (is_right, answer.is_complete()) {
                (true, true) => {}
                (true, false) => found.doubted += 1,
                (false, true) if was_told(&forge, id, &history.changes[&id], checked) => {
                    let changes = &history.changes[&id];
                    found.lies.push(format!(
                        "{}: {shown}, not {true_counts:?}; {checked}, {changes:?}",
                        path(&truth)
                    ));
                }
                (false, true) => found.untold += 1,
                (false, false) => found.admitted += 1,
            }
        }
        found
    })
}

fn path(truth: &RepoTruth) -> String {
    format!("/v1/repos/{}", truth.full_name)
}

/// Whether every change of a repository since then was told to us, and long enough ago.
fn was_told(forge: &Forge, id: RepoId, changes: &[(SystemTime, Second)], since: jiff::Timestamp) -> bool {
    let since = SystemTime::from(since);
    let deliveries = forge.fake.deliveries();
    changes.iter().filter(|(at, _)| *at >= since).all(|(_, second)| {
        let mut of_it =
            deliveries.iter().filter(|delivery| delivery.at == *second && is_about(delivery, id)).peekable();
        // Without a delivery, nobody told.
        of_it.peek().is_some()
            && of_it.all(|delivery| {
                let ago = delivery.concluded.map(|at| at.elapsed());
                delivery.outcome.is_success() && ago.is_some_and(|ago| ago > TOLD_AGO)
            })
    })
}

fn is_about(delivery: &Delivery, id: RepoId) -> bool {
    let payload: Value = serde_json::from_slice(&delivery.payload).unwrap();
    payload["repository"]["id"] == id.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_in_which_everything_goes_wrong_ends_in_the_truth() {
    let days = days();
    let Some(mut month) = Month::new(days).await else { return };
    let stop = Arc::new(AtomicBool::new(false));
    let looking = look_for_lies(&month, &stop);
    for round in 0..days.div_ceil(SCRIPT_DAYS) {
        month.script(round).await;
    }
    stop.store(true, Ordering::Relaxed);
    let found = looking.await.unwrap();
    let requests = month.forge.fake.requests();
    let refused = requests.iter().filter(|request| matches!(request.status, Some(403 | 429))).count();
    let counted = requests.iter().filter(|request| request.counted).count();
    println!(
        "{} readings: {} right, of which {} were called incomplete; wrong: {} called incomplete, {} not told in time, \
         {} lies; {} requests, of which {counted} counted and {refused} were refused",
        found.read,
        found.right,
        found.doubted,
        found.admitted,
        found.untold,
        found.lies.len(),
        requests.len(),
    );
    assert!(found.lies.is_empty(), "{:#?}", found.lies);
    assert!(found.right > 500 && found.untold + found.admitted > 50, "hardly anything was tried: {found:?}");
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let doubted = found.doubted as f64 / found.right as f64;
    assert!(doubted < DOUBTED_MAX, "{doubted} of what was right was called incomplete");
}
