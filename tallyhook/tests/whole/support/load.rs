//! A load of deliveries of which everything is known: what was acknowledged of each repository, and what was on
//! its way when the process was gone.
//!
//! The forge answers nothing while this goes on, so that no sweep can repair what was lost: the numbers are
//! those of the deliveries alone. Each sender tells of one repository, in order, and repeats what was not
//! acknowledged, as GitHub does when it is asked to. Then what is shown of its repository is the state after
//! the last delivery that was acknowledged, or after the one that was on its way.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::Method;
use fake_github::{
    AccountId, Clock, Emitted, FakeConfig, NewRepository, RepoId, RepoTruth, Second, World,
    faults::RequestFault,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    forge::{Forge, TOKEN},
    reader::Reader,
    seconds, seed,
    sender::{Delivery, Sender},
    until,
};

const OWNERS: usize = 5;

/// So many deliveries of a line may be told once more later on.
const REMEMBERED_MAX: usize = 100;

/// What is acknowledged is shown within this; a debug build on a busy machine takes a moment.
const SHOWN_WITHIN: Duration = seconds(10);

/// Some deliveries more are acknowledged within this, also where a server is just coming back.
const MORE_WITHIN: Duration = seconds(120);

/// Every repository is given so long, however long the ones before it took.
const PATIENCE_MIN: Duration = SHOWN_WITHIN;

/// How long a sender waits after nobody answered, or was told to come back.
const PAUSE: Duration = Duration::from_millis(5);

/// What a reader should see of a repository.
type Shown = Value;

/// Where deliveries go, and how many senders are at work: none while the address is not there.
#[derive(Debug, Clone, Copy)]
struct Target {
    address: Option<SocketAddr>,
    senders: usize,
    is_over: bool,
}

/// One sender's repository: what was acknowledged, and what may be there already.
struct Line {
    repo: RepoId,
    acknowledged: Shown,
    /// After the delivery that is on its way.
    on_its_way: Shown,
}

/// What was found to be wrong.
#[derive(Debug, Default)]
pub(crate) struct Wrongs {
    /// Numbers below what was acknowledged, or not shown at all.
    pub(crate) lost: Vec<String>,
    /// Numbers above everything that was sent.
    pub(crate) doubled: Vec<String>,
}

impl Wrongs {
    fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty()
    }

    /// That there are none.
    #[track_caller]
    pub(crate) fn none(&self) {
        assert!(self.is_empty(), "{self:#?}");
    }
}

/// What came of the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) acknowledged: usize,
    /// Of these, those that were sent again on purpose.
    pub(crate) repeated: usize,
    /// How often a sender was told to come back later.
    pub(crate) sent_away: usize,
}

pub(crate) struct Load {
    pub(crate) forge: Forge,
    clock: Clock,
    target: watch::Sender<Target>,
    lines: Vec<Mutex<Line>>,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
    sent_away: AtomicUsize,
}

/// A forge with so many repositories with one push each, on a clock that stands still between two happenings:
/// GitHub's grain of a second would make doubt of two in one, and this forge settles none.
pub(crate) async fn forge(lines: usize) -> (Forge, Clock) {
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
        for index in 0..lines {
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

impl Load {
    /// Over every repository of a forge, which is down from now on. Nothing is sent yet.
    pub(crate) fn new(forge: Forge, clock: Clock) -> Arc<Self> {
        forge.fake.faults().on_requests("*", RequestFault::ServerError(503), None);
        let lines = forge.repositories().iter().map(|truth| Mutex::new(Line::new(truth))).collect();
        Arc::new(Load {
            forge,
            clock,
            target: watch::Sender::new(Target { address: None, senders: 0, is_over: false }),
            lines,
            acknowledged: AtomicUsize::new(0),
            repeated: AtomicUsize::new(0),
            sent_away: AtomicUsize::new(0),
        })
    }

    /// One sender for each line; they wait to be told where to send to.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        (0..self.lines.len()).map(|index| tokio::spawn(Arc::clone(self).send_all(index))).collect()
    }

    /// Lets so many of the senders send there.
    pub(crate) fn send_to(&self, address: SocketAddr, senders: usize) {
        self.target.send_modify(|target| {
            target.address = Some(address);
            target.senders = senders;
        });
    }

    /// Nobody is there any more.
    pub(crate) fn pause(&self) {
        self.target.send_modify(|target| target.address = None);
    }

    /// Ends the senders; each still tells all of what happened last, so somebody must be there.
    pub(crate) async fn end(&self, address: SocketAddr, senders: Vec<JoinHandle<()>>) -> Sent {
        self.target.send_modify(|target| target.is_over = true);
        self.send_to(address, self.lines.len());
        for sender in senders {
            sender.await.unwrap();
        }
        self.sent()
    }

    /// What came of it so far.
    pub(crate) fn sent(&self) -> Sent {
        let count = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        Sent {
            acknowledged: count(&self.acknowledged),
            repeated: count(&self.repeated),
            sent_away: count(&self.sent_away),
        }
    }

    /// Lets things happen to one repository and tells them, until the end.
    async fn send_all(self: Arc<Self>, index: usize) {
        let mut rng = StdRng::seed_from_u64(seed(52) + index as u64);
        let sender = Sender::new();
        let repo = self.lines[index].lock().unwrap().repo;
        let mut sent: Vec<Delivery> = Vec::new();
        loop {
            let mut target = self.target.subscribe();
            let begins =
                |target: &Target| target.is_over || target.address.is_some() && index < target.senders;
            if target.wait_for(begins).await.unwrap().is_over {
                return;
            }
            // What each delivery shows is known when all that happened at once is done; the ones of one
            // happening agree in these numbers or leave some out, and are told one after the other.
            let (events, truth) = self.happen(repo, &mut rng);
            self.lines[index].lock().unwrap().on_its_way = numbers(&truth);
            let before = sent.len();
            for event in &events {
                let delivery = Delivery::of(event);
                self.deliver(index, &sender, &delivery).await;
                sent.push(delivery);
            }
            self.lines[index].lock().unwrap().acknowledged = numbers(&truth);
            if rng.random_bool(0.1) {
                // Of the last happening's deliveries only the last one agrees with what is true now: an earlier
                // one, told again as if it were new, leaves a tie, which is doubt that nobody settles here.
                let place = rng.random_range(0..=before);
                let again = if place == before { sent.last() } else { sent.get(place) };
                let again = again.expect("something was sent");
                let again = if rng.random_bool(0.5) { again.clone() } else { again.by_another_hook() };
                self.deliver(index, &sender, &again).await;
                self.repeated.fetch_add(1, Ordering::SeqCst);
            }
            while sent.len() > REMEMBERED_MAX {
                sent.swap_remove(rng.random_range(0..REMEMBERED_MAX / 2));
            }
        }
    }

    /// Sends until it is acknowledged.
    async fn deliver(&self, index: usize, sender: &Sender, delivery: &Delivery) {
        loop {
            let mut target = self.target.subscribe();
            let is_there = |target: &Target| target.address.is_some() && index < target.senders;
            let to = target.wait_for(is_there).await.unwrap().address.expect("just seen");
            match sender.ask(to, delivery).await {
                Ok(answer) if matches!(answer.status, 200 | 202) => break,
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    let retry_after =
                        answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
                    assert!(retry_after.is_some(), "{answer:?}");
                    self.sent_away.fetch_add(1, Ordering::SeqCst);
                }
                // Gone on the way: whether it is there, nobody knows. The next life is told at once.
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
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

    /// Returns when this many deliveries more are acknowledged.
    pub(crate) async fn more(&self, deliveries: usize) {
        let enough = self.sent().acknowledged + deliveries;
        until(MORE_WITHIN, "deliveries to be acknowledged", async || {
            let acknowledged = self.sent().acknowledged;
            if acknowledged >= enough { Ok(()) } else { Err(acknowledged) }
        })
        .await;
    }

    /// Whether every repository is shown as its sender told it; what is not, after a while, is noted.
    pub(crate) async fn compare(&self, reader: &Reader, when: &str, wrongs: &mut Wrongs) {
        self.compare_within(reader, when, SHOWN_WITHIN, wrongs).await;
    }

    /// As [`Self::compare`], with other patience.
    pub(crate) async fn compare_within(
        &self,
        reader: &Reader,
        when: &str,
        within: Duration,
        wrongs: &mut Wrongs,
    ) {
        let answered = self.try_compare_within(reader, when, within, wrongs).await;
        answered.unwrap_or_else(|no_answer| panic!("{when}: {no_answer}"));
    }

    /// As [`Self::compare`]; an error when nobody answers, or a payload was not to be had all the while.
    pub(crate) async fn try_compare(
        &self,
        reader: &Reader,
        when: &str,
        wrongs: &mut Wrongs,
    ) -> Result<(), String> {
        self.try_compare_within(reader, when, SHOWN_WITHIN, wrongs).await
    }

    async fn try_compare_within(
        &self,
        reader: &Reader,
        when: &str,
        within: Duration,
        wrongs: &mut Wrongs,
    ) -> Result<(), String> {
        let within = Instant::now() + within;
        for line in &self.lines {
            let (repo, before) = {
                let line = line.lock().unwrap();
                (line.repo, line.acknowledged.clone())
            };
            let path = format!("/v1/repos/{}", self.forge.truth(repo).full_name);
            let patience = within.max(Instant::now() + PATIENCE_MIN);
            loop {
                let answer = reader.try_ask(Method::GET, &path, &[]).await;
                let answer = answer.map_err(|error| format!("{path}: {error:?}"))?;
                // A store that is just back sends its first readers away.
                let found = (answer.status == 200)
                    .then(|| wrong(&answer.json(), &before, &line.lock().unwrap().on_its_way));
                if found.as_ref().is_some_and(Wrongs::is_empty) {
                    break;
                }
                if Instant::now() > patience {
                    let Some(found) = found else {
                        return Err(format!("{path}: {} {}", answer.status, answer.text()));
                    };
                    let described =
                        |of: Vec<String>| of.into_iter().map(|what| format!("{path} {when}: {what}"));
                    wrongs.lost.extend(described(found.lost));
                    wrongs.doubled.extend(described(found.doubled));
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// What is shown of every repository.
    pub(crate) async fn shown(&self, reader: &Reader) -> Vec<Value> {
        let mut all = Vec::new();
        for line in &self.lines {
            let repo = line.lock().unwrap().repo;
            let path = format!("/v1/repos/{}", self.forge.truth(repo).full_name);
            all.push(shown(&reader.get(&path).await.ok().json()));
        }
        all
    }
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

/// Every number that is none of the two: what happens at once is told by several deliveries.
fn wrong(payload: &Value, acknowledged: &Shown, on_its_way: &Shown) -> Wrongs {
    let mut wrongs = Wrongs::default();
    for (name, number) in shown(payload).as_object().unwrap() {
        let (one, other) = (&acknowledged[name], &on_its_way[name]);
        if number == one || number == other {
            continue;
        }
        let missing = &payload["freshness"]["missing"];
        let what = format!("{name} {number}, acknowledged {one}, on its way {other}, missing {missing}");
        match number.as_u64() {
            Some(shown) if [one, other].iter().all(|known| known.as_u64() < Some(shown)) => {
                wrongs.doubled.push(what);
            }
            _ => wrongs.lost.push(what),
        }
    }
    wrongs
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
