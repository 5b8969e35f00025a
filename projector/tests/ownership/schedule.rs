//! A schedule: how far each owner gets, and how it ends.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::{
    EntityKey, Family, RowKey,
    directory::{HiddenRow, RepoName},
    entity::{account::Account, repository::Repository},
    key::bytes::KeyBytes,
    need::Need,
    trail::Field,
    view::body::Stored,
};
use projector::Stopped;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    owner::Owner,
    playback::Committed,
    recorded::Recorded,
    replicas::{Replicas, Rows, Shortcut},
};

/// Enough steps for everything that a log says.
const ALL: usize = 1_000_000;

/// One of the many ways in which owners come and go.
#[derive(Debug)]
pub(crate) struct Schedule {
    seed: u64,
    acts: Vec<Act>,
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// The present owner takes some steps.
    Work(usize),
    /// It takes some steps, then crashes in the middle of the next one; another takes over.
    Crash(usize),
    /// It is taken for dead in the middle of a step; another takes over.
    Fence(usize),
    /// One that was taken for dead takes some steps more.
    Wake(usize),
    /// A write arrives that was on its way.
    Surface,
}

/// What a schedule came to.
pub(crate) struct Ran {
    quorums: [Rows; 3],
    pub(crate) disturbances: usize,
}

/// The rows of a fold that nothing disturbs.
pub(crate) fn undisturbed(log: &Recorded) -> Rows {
    let [rows, ..] = Schedule { seed: 0, acts: Vec::new() }.run_calmly(log).quorums;
    rows
}

impl Schedule {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let acts = rng.random_range(2..16);
        let act = |rng: &mut ChaCha8Rng| {
            // Mostly within one write; sometimes through a good part of the log.
            let most = [4, 40, 200][rng.random_range(0..3)];
            let steps = rng.random_range(0..most);
            match rng.random_range(0..20) {
                0..6 => Act::Work(steps),
                6..10 => Act::Crash(steps),
                10..13 => Act::Fence(steps),
                13..17 => Act::Wake(steps),
                _ => Act::Surface,
            }
        };
        Schedule { seed, acts: (0..acts).map(|_| act(&mut rng)).collect() }
    }

    fn run_calmly(&self, log: &Recorded) -> Ran {
        let replicas = Replicas::new(self.seed, false);
        self.run_on(log, &replicas, None).expect("nothing stops an undisturbed fold")
    }

    /// Folds a log by this schedule.
    pub(crate) fn run(&self, log: &Recorded, shortcut: Option<Shortcut>) -> Result<Ran, Stopped> {
        self.run_on(log, &Replicas::new(self.seed, true), shortcut)
    }

    fn run_on(
        &self,
        log: &Recorded,
        replicas: &Arc<Mutex<Replicas>>,
        shortcut: Option<Shortcut>,
    ) -> Result<Ran, Stopped> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let disturbances = runtime.block_on(self.play(log, replicas, shortcut))?;
        let quorums = replicas.lock().unwrap().rows();
        Ok(Ran { quorums, disturbances })
    }

    async fn play(
        &self,
        log: &Recorded,
        replicas: &Arc<Mutex<Replicas>>,
        shortcut: Option<Shortcut>,
    ) -> Result<usize, Stopped> {
        let mut rng = ChaCha8Rng::seed_from_u64(!self.seed);
        let committed = Committed::default();
        let records_max = rng.random_range(1..8);
        let start = || Owner::start(log, replicas, &committed, records_max, shortcut);
        let mut owner = start();
        let mut zombies: Vec<Owner> = Vec::new();
        let mut disturbances = 0;
        for act in &self.acts {
            disturbances += usize::from(!matches!(act, Act::Work(_)));
            match *act {
                Act::Work(steps) => owner.go_on(steps).await,
                Act::Crash(steps) => {
                    owner.go_on(steps).await;
                    std::mem::replace(&mut owner, start()).kill().await?;
                }
                Act::Fence(steps) => {
                    owner.go_on(steps).await;
                    owner.fence();
                    zombies.push(std::mem::replace(&mut owner, start()));
                }
                Act::Wake(steps) if !zombies.is_empty() => {
                    zombies[rng.random_range(0..zombies.len())].go_on(steps).await;
                }
                Act::Surface => drop(replicas.lock().unwrap().surface()),
                Act::Wake(_) => {}
            }
        }
        let ends = log.ends();
        while *committed.lock().unwrap() != ends {
            if owner.has_stopped() {
                return owner.kill().await.map(|()| disturbances);
            }
            owner.go_on(ALL).await;
        }
        owner.kill().await?;
        for zombie in zombies {
            zombie.go_on(rng.random_range(0..100)).await;
            zombie.kill().await?;
        }
        while replicas.lock().unwrap().surface() {}
        Ok(disturbances)
    }
}

/// Whether a row's version says what was folded into it. Others keep theirs while their value stays the same.
fn is_folded(key: &KeyBytes) -> bool {
    matches!(key.family, Family::Entity | Family::Member | Family::Trail)
}

/// Whether a row says more than a missing one. Rows that are never deleted stand for what was and is no more, but
/// only where it was seen: of what came and went between two writes there is none.
fn says_something(key: &KeyBytes, value: &Bytes) -> bool {
    match key.family {
        Family::Need => Need::decode(value) != Ok(Need::Met),
        Family::Hidden => HiddenRow::decode(value) != Ok(HiddenRow { hidden: false }),
        Family::RepoName => RepoName::decode(value) != Ok(RepoName::Nothing),
        Family::View => Stored::decode(value) != Ok(Stored::Gone),
        _ => true,
    }
}

/// Whether a row is a step of pull requests. What their numbers were before and after is derived from several rows, of
/// which some may have been ahead after a crash; readers see by what does not fit.
fn is_of_pulls(key: &KeyBytes) -> bool {
    let row = (key.family == Family::Trail).then(|| RowKey::decode(key.family, &key.bytes)).flatten();
    matches!(row, Some(RowKey::Trail(_, _, Field::PullRequests, _)))
}

/// A value in words, for people.
fn read(row: &RowKey, value: &Bytes) -> String {
    match row {
        RowKey::Entity(_, EntityKey::Repository(_)) => format!("{:?}", Repository::decode(value)),
        RowKey::Entity(_, EntityKey::Account) => format!("{:?}", Account::decode(value)),
        RowKey::View(..) => format!("{:?}", Stored::decode(value)),
        _ => format!("{value:?}"),
    }
}

impl Ran {
    /// The first row that a quorum shows otherwise than it should be.
    pub(crate) fn difference(&self, expected: &Rows) -> Option<String> {
        self.quorums.iter().enumerate().find_map(|(quorum, rows)| {
            let shown = |rows: &Rows, key: &KeyBytes| {
                let (version, value) = rows.get(key).filter(|(_, value)| says_something(key, value))?;
                Some((is_folded(key).then_some(*version), value.clone()))
            };
            let is_wrong = |key: &&KeyBytes| match (shown(expected, key), shown(rows, key)) {
                (Some((expected, _)), Some((found, _))) if is_of_pulls(key) => expected != found,
                (expected, found) => expected != found,
            };
            let key = expected.keys().chain(rows.keys()).find(is_wrong)?;
            let row = RowKey::decode(key.family, &key.bytes)?;
            let text = |rows: &Rows| rows.get(key).map(|(version, value)| (*version, read(&row, value)));
            let (found, expected) = (text(rows), text(expected));
            Some(format!("quorum {quorum}: {row:?} is\n{found:?}\ninstead of\n{expected:?}"))
        })
    }
}
