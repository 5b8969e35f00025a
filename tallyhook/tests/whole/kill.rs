//! kill -9 of the real binary under load, over and over on one data folder: what got a 2xx is in the payloads
//! after every restart, and nothing is counted twice.
//!
//! The forge answers nothing while this goes on, so that no sweep can repair what was lost: the numbers are
//! those of the deliveries alone. Each sender tells of one repository, in order, and repeats what was not
//! acknowledged, as GitHub does when it is asked to. Then what is shown of its repository is the state after
//! the last delivery that was acknowledged, or after the one that was on its way.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fake_github::{
    AccountId, Clock, Emitted, FakeConfig, NewRepository, RepoId, RepoTruth, Second, World,
    faults::RequestFault,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use super::support::{
    forge::{Forge, TOKEN},
    process::{Service, Setup, is_listening},
    reader::Reader,
    seconds, seed,
    sender::{Delivery, Sender},
    truth::until_true,
    until,
};

const KILLS: usize = 32;
/// One repository for each.
const SENDERS: usize = 16;
const OWNERS: usize = 5;
/// The process lives at most so long after it was started.
const LIFE_MS_MAX: u64 = 1_200;
/// Restarts are compared with this: a log of some thousand records is folded in a second or two.
const READY_WITHIN: Duration = seconds(30);

/// What a reader should see of a repository.
type Shown = Value;

/// One sender's repository: what was acknowledged, and what may be there already.
struct Line {
    repo: RepoId,
    acknowledged: Shown,
    /// After the delivery that is on its way.
    on_its_way: Shown,
}

struct Load {
    forge: Forge,
    clock: Clock,
    address: watch::Receiver<Option<SocketAddr>>,
    lines: Vec<Mutex<Line>>,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
    is_over: watch::Receiver<bool>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_counted_twice() {
    let folder = TempDir::new().unwrap();
    let (forge, clock) = forge().await;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), seconds(60)).await;
    forge.fake.faults().on_requests("*", RequestFault::ServerError(503), None);

    let (tell_address, address) = watch::channel(Some(service.api));
    let (tell_end, is_over) = watch::channel(false);
    let lines = forge.repositories().iter().map(|truth| Mutex::new(Line::new(truth))).collect();
    let (acknowledged, repeated) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = Arc::new(Load { forge, clock, address, lines, acknowledged, repeated, is_over });
    let senders: Vec<_> = (0..SENDERS).map(|index| tokio::spawn(Arc::clone(&load).send_all(index))).collect();

    let mut rng = StdRng::seed_from_u64(seed(51));
    let mut slowest = Duration::ZERO;
    let mut service = Some(service);
    for kill in 0..KILLS {
        let life = Duration::from_millis(rng.random_range(1..LIFE_MS_MAX));
        tokio::time::sleep(life).await;
        tell_address.send_replace(None);
        if let Some(service) = service.take() {
            service.kill().await;
        }
        if kill == KILLS / 2 {
            fs::remove_file(setup.data().join("state.redb")).unwrap();
        }
        if kill % 4 == 1 {
            // Killed while it starts, wherever it is by then.
            let starting = setup.begin_serving();
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..250))).await;
            starting.kill().await;
        }
        let started = Instant::now();
        let running = setup.begin_serving();
        let line = running.stderr.find(READY_WITHIN, is_listening).await.expect("it starts again");
        let restarted = Service::new(running, &line);
        // Some restarts are looked at before the load goes on, in others it goes on at once.
        if kill % 2 == 0 {
            restarted.ready().await;
            slowest = slowest.max(started.elapsed());
            load.compare(&restarted.reader(), &format!("after kill {kill}")).await;
        }
        tell_address.send_replace(Some(restarted.api));
        service = Some(restarted);
    }
    tell_end.send_replace(true);
    for sender in senders {
        sender.await.unwrap();
    }
    let service = service.expect("the last one runs");
    service.ready().await;
    load.compare(&service.reader(), "at the end").await;
    let (acknowledged, repeated) =
        (load.acknowledged.load(Ordering::SeqCst), load.repeated.load(Ordering::SeqCst));
    println!(
        "{acknowledged} deliveries acknowledged ({repeated} sent again on purpose), {KILLS} kills, 0 lost, \
         0 counted twice, slowest restart {} ms",
        slowest.as_millis()
    );
    assert!(acknowledged > 50 * KILLS, "there was hardly any load");
    assert!(slowest < READY_WITHIN);

    load.forge.fake.faults().stop();
    until_true(&load.forge, &service.reader(), seconds(60)).await;
    assert!(service.ops_reader().get("/metrics").await.text().contains("tallyhook_dead_letters 0"));
}

/// Repositories with one push each, on a clock that stands still between two happenings: GitHub's grain of a
/// second would make doubt of two in one, and this forge settles none.
async fn forge() -> (Forge, Clock) {
    let now = Clock::Real.now();
    let clock = Clock::scripted(Second(now.0 - 10 * 86_400));
    let config = FakeConfig {
        seed: seed(51),
        clock: clock.clone(),
        limit_authorised: 1_000_000,
        ..FakeConfig::default()
    };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let owners: Vec<AccountId> =
            (0..OWNERS).map(|index| world.create_user(&format!("owner-{index}")).unwrap()).collect();
        for index in 0..SENDERS {
            let owner = owners[index % OWNERS];
            let repo =
                world.create_repository(owner, NewRepository::public(format!("line-{index}"))).unwrap();
            world.push_commits(repo, "main", 3).unwrap();
        }
        world.accept_token(TOKEN, owners[0]);
        owners
    });
    clock.advance_ms(60_000);
    (forge, clock)
}

impl Line {
    fn new(truth: &RepoTruth) -> Self {
        let shown = numbers(truth);
        Line { repo: truth.id, acknowledged: shown.clone(), on_its_way: shown }
    }
}

/// The numbers that deliveries tell.
fn numbers(truth: &RepoTruth) -> Shown {
    json!({
        "commits": truth.commits,
        "open": truth.pulls.open,
        "merged": truth.pulls.merged,
        "closed": truth.pulls.closed,
        "stars": truth.stars,
        "open_issues": truth.open_issues,
    })
}

/// The same numbers as a payload shows them.
fn shown(payload: &Value) -> Shown {
    let counts = &payload["counts"];
    json!({
        "commits": counts["commits"],
        "open": counts["pull_requests"]["open"],
        "merged": counts["pull_requests"]["merged"],
        "closed": counts["pull_requests"]["closed"],
        "stars": counts["stars"],
        "open_issues": counts["open_issues"],
    })
}

impl Load {
    /// Lets things happen to one repository and tells them, until the end.
    async fn send_all(self: Arc<Self>, index: usize) {
        let mut rng = StdRng::seed_from_u64(seed(52) + index as u64);
        let sender = Sender::new();
        let repo = self.lines[index].lock().unwrap().repo;
        let mut sent: Vec<Delivery> = Vec::new();
        while !*self.is_over.borrow() {
            // What each delivery shows is known when all that happened at once is done; the ones of one
            // happening agree in these numbers or leave some out, and are told one after the other.
            let (events, truth) = self.happen(repo, &mut rng);
            self.lines[index].lock().unwrap().on_its_way = numbers(&truth);
            for event in &events {
                let delivery = Delivery::of(event);
                self.deliver(&sender, &delivery).await;
                sent.push(delivery);
            }
            self.lines[index].lock().unwrap().acknowledged = numbers(&truth);
            if rng.random_bool(0.1) {
                // Of the last happening's deliveries only the last one agrees with what is true now: an earlier
                // one, told again as if it were new, leaves a tie, which is doubt that nobody settles here.
                let before_the_last = sent.len() - events.len();
                let place = rng.random_range(0..=before_the_last);
                let again = if place == before_the_last { sent.last() } else { sent.get(place) };
                let again = again.expect("something was sent");
                let again = if rng.random_bool(0.5) { again.clone() } else { again.by_another_hook() };
                self.deliver(&sender, &again).await;
                self.repeated.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Sends until it is acknowledged.
    async fn deliver(&self, sender: &Sender, delivery: &Delivery) {
        loop {
            let mut address = self.address.clone();
            let to = address.wait_for(Option::is_some).await.unwrap().expect("just seen");
            match sender.send(to, delivery).await {
                Ok((200 | 202, _)) => break,
                Ok((status, body)) => assert_eq!(status, 503, "{body}"),
                // Killed on the way: whether it is there, nobody knows. The next life is told at once.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    /// Something that deliveries tell whole, in a second of its own.
    fn happen(&self, repo: RepoId, rng: &mut StdRng) -> (Vec<Emitted>, RepoTruth) {
        self.forge.fake.world(|world| {
            self.clock.advance_ms(1_000);
            act(world, repo, rng);
            (world.take_events(), world.truth(repo).unwrap())
        })
    }

    /// That every repository is shown as its sender told it.
    async fn compare(&self, reader: &Reader, when: &str) {
        for line in &self.lines {
            let (repo, before) = {
                let line = line.lock().unwrap();
                (line.repo, line.acknowledged.clone())
            };
            let path = format!("/v1/repos/{}", self.forge.truth(repo).full_name);
            until(seconds(5), &format!("{path} {when}"), async || {
                let payload = reader.get(&path).await.ok().json();
                let line = line.lock().unwrap();
                let shown = shown(&payload);
                if between(&shown, &before, &line.on_its_way) {
                    Ok(())
                } else {
                    let missing = &payload["freshness"]["missing"];
                    let on_its_way = &line.on_its_way;
                    Err(format!(
                        "shown {shown} without {missing}, acknowledged {before}, on its way {on_its_way}"
                    ))
                }
            })
            .await;
        }
    }
}

/// Whether every number is one of the two: what happens at once is told by several deliveries.
fn between(shown: &Shown, one: &Shown, other: &Shown) -> bool {
    let numbers = shown.as_object().unwrap();
    numbers.iter().all(|(name, number)| *number == one[name] || *number == other[name])
}

fn act(world: &mut World, repo: RepoId, rng: &mut StdRng) {
    let truth = world.truth(repo).unwrap();
    let by = truth.owner;
    let is_done = match rng.random_range(0..10) {
        0..5 => world.push_commits(repo, "main", rng.random_range(1..4)).is_ok(),
        5..7 => {
            // A request needs something to ask for.
            let branch = format!("side-{}", world.now().0);
            world.create_branch(repo, &branch, "main", by).unwrap();
            world.push_commits(repo, &branch, 1).unwrap();
            world.open_pull(repo, (repo, &branch), "main", "More", by).is_ok()
        }
        7 if truth.pulls.open > 0 => (1..200).any(|number| world.close_pull(repo, number, by).is_ok()),
        8 => world.open_issue(repo, "Less", by).is_ok(),
        _ => {
            let fan = world.create_user(&format!("fan-{}", world.now().0)).unwrap();
            world.star(repo, fan).is_ok()
        }
    };
    if !is_done {
        world.push_commits(repo, "main", 1).unwrap();
    }
}
