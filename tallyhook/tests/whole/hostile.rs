//! Hostile clients against the running binary: what they send is bounded in memory, others are served meanwhile,
//! and afterwards every number is right.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fake_github::RepoId;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tokio::{sync::Mutex, task::JoinSet};

use super::support::{
    forge::Forge,
    memory::{Memory, open_files},
    process::{Service, Setup},
    seconds,
    sender::{Delivery, Sender},
    truth::until_true,
    until,
    wire::{self, Wire},
};

const WITHIN: Duration = seconds(60);

/// What the process may take for connections that send next to nothing: about 10 kB each in a release build.
const CONNECTIONS_BYTES_MAX: u64 = 256 << 20;
/// What it may take for bodies, in whatever state they are.
const BODIES_BYTES_MAX: u64 = 256 << 20;

const IDLE_CONNECTIONS: usize = 10_000;
/// Files of the test beside its connections, those of other tests that run beside it included.
const OTHER_FILES: usize = 2_000;

/// Senders that never come to an end, of each kind.
const SLOW_SENDERS: usize = 500;
const SLOW_EVERY: Duration = Duration::from_millis(500);

const LARGE_BODIES: usize = 64;
const LARGE_BYTES: usize = 25 << 20;
const FORM_BYTES: usize = 75 << 20;

/// How often a well-behaved client must have been served beside an attack.
const ROUNDS_MIN: usize = 3;

/// The service with one repository, and a client of it that behaves well.
struct Stage {
    forge: Forge,
    service: Service,
    repo: RepoId,
    login: String,
    memory: Memory,
    _folder: TempDir,
}

impl Stage {
    async fn new(seed: u64) -> Self {
        boot::open_files::raise_limit();
        let folder = TempDir::new().unwrap();
        let forge = Forge::with_past(seed, 1).await;
        let repo = forge.open_repository(0).id;
        let login = forge.logins().remove(0);
        // No sweep repairs what goes wrong here.
        let setup = Setup::of(folder.path(), &forge).with("TRACK", &login).with("RECONCILE", "off");
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        let memory = Memory::watch(service.running.id());
        Stage { forge, service, repo, login, memory, _folder: folder }
    }

    fn address(&self) -> SocketAddr {
        self.service.api
    }

    /// Runs an attack while a well-behaved client reads and pushes, and is served every time.
    async fn beside(&self, attack: impl Future<Output = ()>) {
        let is_over = AtomicBool::new(false);
        let attacking = async {
            attack.await;
            is_over.store(true, Ordering::SeqCst);
        };
        let behaving = async {
            let (reader, sender) = (self.service.reader(), Sender::new());
            let path = format!("/githubPayload?user={}", self.login);
            let mut rounds = 0;
            while rounds < ROUNDS_MIN || !is_over.load(Ordering::SeqCst) {
                reader.get(&path).await.ok();
                sender.accepted(self.address(), &self.forge.untold_push(self.repo)).await;
                rounds += 1;
                // One that asks a few times a second.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            rounds
        };
        let ((), rounds) = tokio::join!(attacking, behaving);
        println!("a well-behaved client was served {rounds} times meanwhile");
    }

    /// That everything is right, and nothing was left behind.
    async fn ends_well(self) {
        until_true(&self.forge, &self.service.reader(), WITHIN).await;
        let ops = self.service.ops_reader();
        until(WITHIN, "room that was given back", async || {
            let metrics = ops.get("/metrics").await.text();
            let held = metrics
                .lines()
                .find(|line| line.starts_with("tallyhook_ingest_bytes_in_flight "))
                .map(str::to_owned);
            if held.as_deref() == Some("tallyhook_ingest_bytes_in_flight 0") { Ok(()) } else { Err(held) }
        })
        .await;
        assert!(ops.get("/metrics").await.text().contains("tallyhook_dead_letters 0"));
        self.service.terminate().await.done();
    }

    /// A push of which somebody else says that he tells it, with so many bytes of something inside.
    fn padded_push(&self, bytes: usize) -> Delivery {
        let delivery = self.forge.untold_push(self.repo);
        let mut body = br#"{"padding":""#.to_vec();
        let rest = [br#"","#, &delivery.body[1..]].concat();
        let mut rng = StdRng::seed_from_u64(1);
        // Nothing that a compressor could make small.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let padding = (body.len() + rest.len()..bytes).map(|_| letters[rng.random_range(0..letters.len())]);
        body.extend(padding);
        body.extend(rest);
        Delivery { body, ..delivery }
    }
}

/// As many connections as the machine lets one process have, up to this many.
fn connections(wanted: usize) -> usize {
    let allowed = boot::open_files::raise_limit().map_or(usize::MAX, |files| usize::try_from(files).unwrap());
    let connections = wanted.min(allowed.saturating_sub(OTHER_FILES));
    println!("{connections} of {wanted} connections: {allowed} files may be open");
    connections
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_send_nothing_or_never_end_take_little_and_keep_nobody_out() {
    let stage = Stage::new(111).await;
    let address = stage.address();
    let connections = connections(IDLE_CONNECTIONS);
    let body = stage.forge.untold_push(stage.repo);
    stage
        .beside(async {
            let idle = async {
                let mut idle = Vec::with_capacity(connections);
                for _ in 0..connections {
                    idle.push(Wire::connect(address).await.unwrap());
                }
                let open = open_files(stage.service.running.id());
                println!("{open} files of the service were open when all were connected");
                let mut ends = JoinSet::new();
                for wire in idle {
                    ends.spawn(wire.until_the_end());
                }
                for answer in ends.join_all().await {
                    assert!(answer.is_empty() || wire::statuses(&answer) == [408], "{answer}");
                }
            };
            let mut slow = JoinSet::new();
            for _ in 0..SLOW_SENDERS {
                slow.spawn(trickle(address, "POST /webhooks/github HTTP/1.1\r\n".into(), "x-slow: 1\r\n"));
                let begun = format!("{}content-length: 1000000\r\n\r\n", wire::head(&body));
                slow.spawn(trickle(address, begun, "{"));
                let begun = format!("{}transfer-encoding: chunked\r\n\r\n", wire::head(&body));
                slow.spawn(trickle(address, begun, "1\r\n{\r\n"));
            }
            let slow = async {
                for answer in slow.join_all().await {
                    let statuses = wire::statuses(&answer);
                    assert!(statuses.is_empty() || matches!(statuses[..], [408 | 431]), "{answer}");
                }
            };
            tokio::join!(idle, slow);
        })
        .await;
    stage.memory.below(CONNECTIONS_BYTES_MAX, "idle and slow connections");
    // The push of which the slow ones told the beginning.
    Sender::new().accepted(address, &body).await;
    stage.ends_well().await;
}

/// Begins, and sends a little more now and then until the server has enough; its answer.
async fn trickle(address: SocketAddr, begun: String, more: &'static str) -> String {
    let mut wire = Wire::connect(address).await.unwrap();
    let mut sent = wire.send(begun).await;
    while sent.is_ok() {
        tokio::time::sleep(SLOW_EVERY).await;
        sent = wire.send(more).await;
    }
    wire.until_the_end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_bodies_all_at_once_stay_within_their_bound() {
    let stage = Stage::new(112).await;
    let address = stage.address();
    let largest = Arc::new(stage.padded_push(LARGE_BYTES));
    let refused = Arc::new(Mutex::new(Vec::new()));
    stage
        .beside(async {
            let mut senders = JoinSet::new();
            for number in 0..LARGE_BODIES {
                let (largest, refused) = (Arc::clone(&largest), Arc::clone(&refused));
                senders.spawn(async move {
                    let guid = format!("large-{number}");
                    let head = wire::head(&Delivery { guid: guid.clone(), ..Delivery::clone(&largest) });
                    let mut wire = Wire::connect(address).await.unwrap();
                    wire.send(format!("{head}content-length: {LARGE_BYTES}\r\n\r\n")).await.unwrap();
                    let answer = wire.exchange(&largest.body).await;
                    match wire::statuses(&answer)[..] {
                        [202] => {}
                        [503] => {
                            assert!(answer.to_ascii_lowercase().contains("\r\nretry-after: "), "{answer}");
                            refused.lock().await.push(guid);
                        }
                        _ => panic!("{guid}: {answer}"),
                    }
                });
            }
            senders.join_all().await;
        })
        .await;
    let mut refused = refused.lock().await.clone();
    println!("{} of {LARGE_BODIES} bodies were refused for want of room", refused.len());
    stage.memory.below(BODIES_BYTES_MAX, "64 bodies of 25 MiB");
    assert!(refused.len() < LARGE_BODIES, "none was let in");
    // There is room again for one that was sent away.
    if let Some(guid) = refused.pop() {
        Sender::new().accepted(address, &Delivery { guid, ..Delivery::clone(&largest) }).await;
    }
    stage.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ill_formed_requests_and_bombs_are_refused_and_cost_little() {
    let stage = Stage::new(113).await;
    let address = stage.address();
    let push = stage.forge.untold_push(stage.repo);
    let chunked = format!("{}transfer-encoding: chunked\r\n\r\n", wire::head(&push));
    let both =
        format!("{}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", wire::head(&push));
    let hidden = "GET /githubPayload HTTP/1.1\r\nhost: x\r\n\r\n";
    let deep = |open: &str, close: &str| {
        let body = format!("{{\"a\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
        wire::bytes(&Delivery::new("push", "deep", body.into_bytes()))
    };
    let attacks: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("both lengths", format!("{both}{hidden}").into(), &[400]),
        ("chunks of no size", format!("{chunked}xyz\r\nabc\r\n0\r\n\r\n{hidden}").into(), &[400]),
        ("chunks of endless size", format!("{chunked}ffffffffffffffffff\r\n{hidden}").into(), &[400]),
        ("chunks below nothing", format!("{chunked}-1\r\n{hidden}").into(), &[400]),
        (
            "two lengths",
            format!("{}content-length: 1\r\ncontent-length: 2\r\n\r\nab", wire::head(&push)).into(),
            &[400],
        ),
        (
            "endless headers",
            ["GET / HTTP/1.1\r\n".to_owned(), "x: y\r\n".repeat(1 << 20)].concat().into(),
            &[431],
        ),
        ("an endless header", ["GET / HTTP/1.1\r\nx: ", &"y".repeat(8 << 20)].concat().into(), &[431]),
        ("an endless extension of a chunk", [&*chunked, "1;", &"y".repeat(8 << 20)].concat().into(), &[400]),
        ("endless trailers", [&*chunked, "0\r\n", &"x: y\r\n".repeat(1 << 20)].concat().into(), &[400]),
        ("deep lists", deep("[", "]"), &[400]),
        ("deep objects", deep("{\"a\":", "}"), &[400]),
    ];
    stage
        .beside(async {
            for (what, bytes, expected) in attacks {
                let bytes: Arc<[u8]> = bytes.into();
                let mut attackers = JoinSet::new();
                for _ in 0..8 {
                    let bytes = Arc::clone(&bytes);
                    attackers
                        .spawn(async move { Wire::connect(address).await.unwrap().exchange(&bytes).await });
                }
                for answer in attackers.join_all().await {
                    assert_eq!(wire::statuses(&answer), expected, "{what}: {answer}");
                }
            }
            pipelined(&stage).await;
        })
        .await;
    stage.memory.below(CONNECTIONS_BYTES_MAX / 2, "ill-formed requests");
    stage.beside(form_bombs(address)).await;
    stage.memory.below(BODIES_BYTES_MAX, "forms of 75 MiB");
    Sender::new().accepted(address, &push).await;
    stage.ends_well().await;
}

/// Thousands of requests at once on one connection, whose sender is slow to read the answers.
async fn pipelined(stage: &Stage) {
    const REQUESTS: usize = 5_000;
    let path = format!("/githubPayload?user={}", stage.login);
    let one = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let last = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let all = [one.repeat(REQUESTS - 1), last].concat();
    let answers = Wire::connect(stage.address()).await.unwrap().exchange(all.as_bytes()).await;
    let statuses = wire::statuses(&answers);
    assert_eq!(statuses.len(), REQUESTS);
    assert!(statuses.iter().all(|status| *status == 200));
}

/// Signed forms that cost much to decode: all escapes, or nothing but fields.
async fn form_bombs(address: SocketAddr) {
    let escapes = ["payload=", &"%5B".repeat(FORM_BYTES / 3 - 4)].concat();
    let fields = ["a&".repeat(FORM_BYTES / 2 - 16), "payload=%7B%7D".to_owned()].concat();
    let names = ["%70ayloa%64&".repeat(FORM_BYTES / 12 - 4), "payload=1".to_owned()].concat();
    for (what, form) in [("escapes", escapes), ("fields", fields), ("names", names)] {
        let form: Arc<[u8]> = form.into_bytes().into();
        let mut senders = JoinSet::new();
        for number in 0..4 {
            let delivery = Delivery::new("push", &format!("{what}-{number}"), form.to_vec());
            let head = wire::head(&delivery).replace("application/json", "application/x-www-form-urlencoded");
            let form = Arc::clone(&form);
            senders.spawn(async move {
                let mut wire = Wire::connect(address).await.unwrap();
                wire.send(format!("{head}content-length: {}\r\n\r\n", form.len())).await.unwrap();
                wire.exchange(&form).await
            });
        }
        for answer in senders.join_all().await {
            let statuses = wire::statuses(&answer);
            // The one with a payload at its end is a delivery like any other.
            let is_expected = match statuses[..] {
                [202] => what == "fields",
                [400 | 413 | 503] => true,
                _ => false,
            };
            assert!(is_expected, "{what}: {answer}");
        }
    }
}
