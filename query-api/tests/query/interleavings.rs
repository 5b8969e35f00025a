//! Random interleavings of writes, hints and reads: no reader gets a row older than the newest hint that was
//! taken in before the request.

use std::{collections::VecDeque, sync::Arc};

use domain::{
    Epoch, Millis, RepoId, Row, RowKey, Version, ViewKey,
    directory::{Alias, Directory, DirectoryState, RepoName},
    event::TrackedBy,
    view::body::{Body, Meta, Stored, hash},
};
use proptest::{prelude::*, test_runner::RngSeed};
use tokio::task::JoinHandle;
use view_store::{Hint, Hints as _, ViewStore as _};

use crate::{
    bench::{Bench, Gate, Reply, patient},
    forge::OCTO,
};

const PATH: &str = "/v1/repos/octo/a";

/// A load that was overtaken so often in a row gives up rather than show something old.
const OVERTAKEN_MAX: usize = 4;

/// One step of an interleaving.
#[derive(Debug, Clone)]
enum Step {
    /// The next version is written; its hint is on its way.
    Write,
    /// The repository is hidden by the next version.
    Hide,
    /// The oldest hint on its way arrives, and is taken in; with its value or without.
    Hint { with_value: bool },
    /// A hint of a writer that was overtaken arrives once more.
    OldHint { behind: u64, with_value: bool },
    /// Hints are lost: those on their way never arrive, but it is heard that some are missing.
    Lose,
    /// A reader asks.
    Read,
    /// A reader who stands at the store goes on.
    LetGo,
    /// One who asked goes away.
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Write),
        1 => Just(Step::Hide),
        4 => any::<bool>().prop_map(|with_value| Step::Hint { with_value }),
        1 => (1..4_u64, any::<bool>()).prop_map(|(behind, with_value)| Step::OldHint { behind, with_value }),
        1 => Just(Step::Lose),
        6 => Just(Step::Read),
        4 => Just(Step::LetGo),
        1 => Just(Step::Leave),
    ];
    proptest::collection::vec(step, 1..40)
}

struct World {
    bench: Arc<Bench>,
    gate: Arc<Gate>,
    /// What was written, by version; `true` where it hides.
    written: Vec<bool>,
    on_their_way: VecDeque<u64>,
    /// The newest version whose hint was taken in, or that was there when hints were found missing.
    heard: u64,
    /// How often something was heard.
    news: usize,
    readers: VecDeque<Reader>,
}

/// A request under way, with what was heard when it was made.
struct Reader {
    heard: u64,
    news: usize,
    reply: JoinHandle<Reply>,
}

fn view() -> RowKey {
    RowKey::View(OCTO.stream(), ViewKey::Repository(RepoId::github(1)))
}

fn version(number: u64) -> Version {
    Version::new(Epoch::FIRST, number)
}

fn row(number: u64, hides: bool) -> Row {
    let payload = format!("{{\"version\":{number}}}");
    let meta = Meta {
        hash: hash(payload.as_bytes()),
        length: u32::try_from(payload.len()).unwrap(),
        as_of: domain::Second(1),
        checked_ms: Some(Millis(1)),
        complete: true,
        name: "Octo/a".to_owned(),
    };
    let stored = if hides { Stored::Gone } else { Stored::Body(Body::new(payload.as_bytes(), meta)) };
    Row { key: view(), version: version(number), value: stored.encode() }
}

/// The rows that lead to the view; they do not change.
fn way() -> Vec<Row> {
    let directory = Directory {
        state: DirectoryState::Kept,
        login: Some("Octo".to_owned()),
        by: Some(TrackedBy::Person),
        since_ms: Millis(1),
        read_ms: Millis(1),
        listed: true,
        complete: true,
        checked_ms: Some(Millis(1)),
        repositories: 1,
    };
    let row = |key, value: Vec<u8>| Row { key, version: Version::LEAST, value: value.into() };
    vec![
        row(RowKey::Alias(domain::Forge::GitHub, "octo".to_owned()), Alias { account: OCTO.id() }.encode()),
        row(RowKey::Directory(OCTO.id()), directory.encode()),
        row(RowKey::RepoName(OCTO.id(), "a".to_owned()), RepoName::Is(RepoId::github(1)).encode()),
    ]
}

impl World {
    async fn new() -> Self {
        let bench = Arc::new(Bench::behind_a_shut_door(patient(), None).await);
        bench.store.write(way()).await.unwrap();
        let gate = bench.store.gate(view());
        let mut world = World {
            bench,
            gate,
            written: Vec::new(),
            on_their_way: VecDeque::new(),
            heard: 0,
            news: 0,
            readers: VecDeque::new(),
        };
        world.write(false).await;
        world
    }

    async fn write(&mut self, hides: bool) {
        let number = self.written.len() as u64;
        self.written.push(hides);
        self.bench.store.write(vec![row(number, hides)]).await.unwrap();
        self.on_their_way.push_back(number);
    }

    async fn hint(&mut self, number: u64, with_value: bool) {
        let row = row(number, self.written[usize::try_from(number).unwrap()]);
        let value = with_value.then_some(row.value);
        self.bench.hints.publish(vec![Hint::Row { key: view(), version: row.version, value }]);
        self.bench.settle().await;
        self.heard = self.heard.max(number);
        self.news += 1;
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Write => self.write(false).await,
            Step::Hide => self.write(true).await,
            Step::Hint { with_value } => {
                if let Some(number) = self.on_their_way.pop_front() {
                    self.hint(number, *with_value).await;
                }
            }
            Step::OldHint { behind, with_value } => {
                if let Some(number) = self.heard.checked_sub(*behind) {
                    self.hint(number, *with_value).await;
                }
            }
            Step::Lose => {
                self.on_their_way.clear();
                self.bench.hints.overrun();
                self.bench.settle().await;
                self.heard = self.written.len() as u64 - 1;
                self.news += 1;
            }
            Step::Read => {
                let bench = Arc::clone(&self.bench);
                let reply = tokio::spawn(async move { bench.get(PATH).await });
                self.readers.push_back(Reader { heard: self.heard, news: self.news, reply });
                breathe().await;
            }
            Step::LetGo => {
                self.gate.let_go();
                breathe().await;
            }
            Step::Leave => {
                if let Some(reader) = self.readers.pop_front() {
                    reader.reply.abort();
                    breathe().await;
                }
            }
        }
    }

    /// Lets everybody go and looks at what each was given.
    async fn end(mut self) {
        for mut reader in std::mem::take(&mut self.readers) {
            let reply = loop {
                tokio::select! {
                    biased;
                    reply = &mut reader.reply => break reply.unwrap(),
                    () = self.gate.arrival() => self.gate.let_go(),
                }
            };
            if reply.status == 503 {
                assert!(self.news - reader.news >= OVERTAKEN_MAX, "{reply:?}");
            } else {
                self.check(reader.heard, &reply);
            }
        }
        // Whoever comes last, with every hint in, gets what is.
        while let Some(number) = self.on_their_way.pop_front() {
            self.hint(number, number % 2 == 0).await;
        }
        let last = self.written.len() as u64 - 1;
        let gate = Arc::clone(&self.gate);
        let helper = tokio::spawn(async move {
            loop {
                gate.arrival().await;
                gate.let_go();
            }
        });
        for _ in 0..2 {
            let reply = self.bench.get(PATH).await;
            self.check(last, &reply);
        }
        helper.abort();
    }

    /// What was given is one of the versions that was heard of when it was asked for, or a later one.
    fn check(&self, heard: u64, reply: &Reply) {
        let possible = &self.written[usize::try_from(heard).unwrap()..];
        if reply.status == 404 {
            assert!(possible.contains(&true), "hidden, though nothing since {heard} hides");
            return;
        }
        assert_eq!(reply.status, 200, "{reply:?}");
        let shown = reply.json()["version"].as_u64().unwrap();
        assert!(shown >= heard, "shown {shown}, heard of {heard}");
    }
}

/// Lets every task run until it waits for something.
async fn breathe() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nobody_is_shown_a_row_older_than_the_last_hint(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
            }
            world.end().await;
        });
    }
}
