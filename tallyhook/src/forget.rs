//! What an account that was forgotten has told the embedded log, erased there: at once when a person asks, and as long as
//! it is forgotten whatever comes in later.
//!
//! How far that is done is a committed offset of a group of its own, so that a restart goes on. Nothing is erased that is
//! not folded, and only while its fold says that the account is forgotten.

mod scrub;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use domain::{
    AccountId, EntityKey, RowKey, ScanKey, StreamKey, Version,
    directory::{Directory, DirectoryState},
    entity::forgotten_login::ForgottenLogin,
    event::LoginsForgotten,
    key::BUCKETS,
};
use event_log::{EventLog, Limit, Next, Partition, Position, Wait, embedded::EmbeddedLog};
use futures::TryStreamExt;
use projector::ProgressReader;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use view_store::{ViewStore, embedded::EmbeddedStore};

pub(crate) use scrub::{copy_mark, scrub_if_wanted};

/// So much of the log is read at once, and at most so much is put in its place in one transaction, for which appends
/// wait.
const STEP: Limit = Limit { records_max: 512, bytes_max: 4 << 20 };

/// How often it is looked whether anything came in of an account that is forgotten. Meanwhile it is in the log as it
/// came, and in no row.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What erases in the log of this process.
#[derive(Clone)]
pub(crate) struct Eraser {
    // Not held: whoever closes the log waits for nobody.
    log: Weak<EmbeddedLog>,
    store: EmbeddedStore,
    data_dir: PathBuf,
    /// One at a time: a group has one member.
    turn: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<Standing>>,
}

#[derive(Default)]
struct Standing {
    progress: Progress,
    /// Accounts that are forgotten, and up to where that is done.
    forgotten: BTreeMap<AccountId, Vec<Position>>,
    folded: Option<ProgressReader>,
}

/// What became of the erasing that was asked for last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Progress {
    /// None was asked for since the start.
    #[default]
    None,
    /// The log is read.
    Running,
    /// Nothing is left.
    Done {
        /// So many records were erased, or shortened.
        records: u64,
        /// By so many bytes, as stored.
        bytes: u64,
    },
    /// Something is left.
    Failed {
        /// Why.
        reason: String,
    },
    /// This log drops its records when their time is over, and not before.
    AtRetention,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: AccountId,
}

impl Eraser {
    pub(crate) fn new(log: Weak<EmbeddedLog>, store: EmbeddedStore, data_dir: PathBuf) -> Self {
        Eraser { log, store, data_dir, turn: Arc::default(), state: Arc::default() }
    }

    /// `POST /admin/erase {"account"}` begins, `GET /admin/erase` tells what became of it.
    pub(crate) fn router(self) -> Router {
        Router::new().route("/admin/erase", get(progress).post(begin)).with_state(self)
    }

    /// Goes on with what a former process left, then looks now and then whether anything came in.
    pub(crate) async fn run(self, mut folded: ProgressReader, stopping: CancellationToken) {
        self.state().folded = Some(folded.clone());
        let running = async {
            if !folded.wait_caught_up().await {
                return;
            }
            match self.find().await {
                Ok(found) => {
                    self.state().forgotten.extend(found.into_iter().map(|account| (account, Vec::new())));
                }
                Err(reason) => warn!(reason, "accounts that are forgotten could not be listed"),
            }
            loop {
                self.look().await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        stopping.run_until_cancelled(running).await;
    }

    async fn look(&self) {
        let forgotten = self.state().forgotten.clone();
        for (account, done) in forgotten {
            if !done.is_empty() && self.ends_at(&done).await {
                continue;
            }
            match self.erase(account).await {
                Ok(Erased { records: 0, .. }) => {}
                Ok(Erased { records, .. }) => {
                    info!(records, %account, "erased what came in of an account that is forgotten");
                }
                Err(reason) => warn!(reason, %account, "an account's records could not be erased"),
            }
        }
    }

    /// Whether nothing was appended since: an idle process touches no disk.
    async fn ends_at(&self, done: &[Position]) -> bool {
        let Some(log) = self.log.upgrade() else { return true };
        let Ok(bounds) = log.bounds().await else { return false };
        let is_end =
            |at: &Position| bounds.iter().any(|it| it.partition == at.partition && it.end == at.offset);
        done.iter().all(is_end)
    }

    /// The accounts that are forgotten.
    async fn find(&self) -> Result<BTreeSet<AccountId>, String> {
        let mut found = BTreeSet::new();
        for bucket in 0..BUCKETS {
            let mut rows = self.store.scan(&ScanKey::Directory(bucket)).await.map_err(sentence)?;
            while let Some(row) = rows.try_next().await.map_err(sentence)? {
                let RowKey::Directory(account) = row.key else { continue };
                if Directory::decode(&row.value).is_ok_and(|entry| entry.state == DirectoryState::Forgotten) {
                    found.insert(account);
                }
            }
        }
        Ok(found)
    }

    /// Erases what the log holds of an account, up to its present end.
    async fn erase(&self, account: AccountId) -> Result<Erased, String> {
        let _turn = self.turn.lock().await;
        let log = self.log.upgrade().ok_or("the process is ending")?;
        let ends = self.folded_ends(&log).await?;
        // Read after that: what was folded meanwhile may have brought it back.
        if !self.is_forgotten(account).await? {
            self.state().forgotten.remove(&account);
            return Ok(Erased::default());
        }
        self.state().forgotten.entry(account).or_default();
        let forgotten = self.logins(account).await?;
        let mut group = log.subscribe(&format!("forget-{account}")).await.map_err(sentence)?;
        let Next::Assigned(assigned) = group.next(STEP).await.map_err(sentence)? else {
            return Err("the log gave records before partitions".to_owned());
        };
        let streams = [StreamKey::Account(account), StreamKey::Service];
        let partitions: BTreeSet<Partition> = streams.map(|stream| log.partition_of(stream)).into();
        let (mut erased, mut done) = (Erased::default(), Vec::new());
        for assignment in assigned.iter().filter(|assignment| partitions.contains(&assignment.partition)) {
            let partition = assignment.partition;
            let end = ends.iter().find(|end| end.partition == partition).map_or(0, |end| end.offset);
            let from = Position { partition, offset: assignment.committed.unwrap_or(0) };
            erased += erase_until(&log, from, end, &forgotten).await?;
            let at = Position { partition, offset: end.max(from.offset) };
            group.seek(at).await.map_err(sentence)?;
            done.push(at);
        }
        if erased.records > 0 {
            // A start that copies both files must find the rows erased, whatever ends this process.
            self.store.flush().await.map_err(sentence)?;
            scrub::want(&self.data_dir).map_err(|error| error.to_string())?;
        }
        group.commit(&done, Wait::Durable).await.map_err(sentence)?;
        self.state().forgotten.insert(account, done);
        Ok(erased)
    }

    /// The ends of all partitions, once everything before them is folded.
    async fn folded_ends(&self, log: &EmbeddedLog) -> Result<Vec<Position>, String> {
        let folded = self.state().folded.clone();
        let mut folded = folded.ok_or("the process is starting")?;
        let bounds = log.bounds().await.map_err(sentence)?;
        for bounds in bounds.iter().filter(|bounds| bounds.end > bounds.start) {
            if !folded.wait_folded(bounds.partition, bounds.end - 1).await {
                return Err("the process is ending".to_owned());
            }
        }
        let end = |bounds: &event_log::Bounds| Position { partition: bounds.partition, offset: bounds.end };
        Ok(bounds.iter().map(end).collect())
    }

    async fn is_forgotten(&self, account: AccountId) -> Result<bool, String> {
        let row = self.store.get(&RowKey::Directory(account)).await.map_err(sentence)?;
        let entry = row.and_then(|row| Directory::decode(&row.value).ok());
        Ok(entry.is_some_and(|entry| entry.state == DirectoryState::Forgotten))
    }

    /// By what its traces in the service's stream are recognised.
    async fn logins(&self, account: AccountId) -> Result<LoginsForgotten, String> {
        let mut logins = Vec::new();
        let mut rows = self.store.scan(&ScanKey::Entities(StreamKey::Service)).await.map_err(sentence)?;
        while let Some(row) = rows.try_next().await.map_err(sentence)? {
            let RowKey::Entity(_, EntityKey::ForgottenLogin(login)) = row.key else { continue };
            if ForgottenLogin::decode(&row.value).is_ok_and(|forgotten| forgotten.account == account) {
                logins.push(login);
            }
        }
        Ok(LoginsForgotten { account, logins, aliases_at: Version::NONE })
    }

    fn state(&self) -> MutexGuard<'_, Standing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was erased.
#[derive(Debug, Clone, Copy, Default)]
struct Erased {
    records: u64,
    bytes: u64,
}

impl std::ops::AddAssign for Erased {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// Puts others in the place of a partition's records in `from.offset..end`.
async fn erase_until(
    log: &EmbeddedLog,
    from: Position,
    end: u64,
    forgotten: &LoginsForgotten,
) -> Result<Erased, String> {
    let (mut erased, mut from) = (Erased::default(), from);
    while from.offset < end {
        let read = log.read(from, STEP).await.map_err(sentence)?;
        let Some((last, _)) = read.last() else { break };
        from.offset = last.offset + 1;
        let before_end = read.iter().filter(|(position, _)| position.offset < end);
        let stand_ins: Vec<_> = before_end
            .filter_map(|(position, record)| Some((*position, projector::stand_in(record, forgotten)?)))
            .collect();
        if !stand_ins.is_empty() {
            erased.records += stand_ins.len() as u64;
            erased.bytes += log.replace(stand_ins).await.map_err(sentence)?;
        }
    }
    Ok(erased)
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn progress(State(eraser): State<Eraser>) -> Json<Progress> {
    Json(eraser.state().progress.clone())
}

async fn begin(
    State(eraser): State<Eraser>,
    Json(Wanted { account }): Json<Wanted>,
) -> (StatusCode, Json<Value>) {
    if std::mem::replace(&mut eraser.state().progress, Progress::Running) == Progress::Running {
        let problem = json!({
            "type": "https://tallyhook.dev/errors/erasing",
            "title": "Another account is being erased",
            "status": 409,
            "detail": "another account is being erased; ask again when that is done",
        });
        return (StatusCode::CONFLICT, Json(problem));
    }
    tokio::spawn(async move {
        let done = match eraser.erase(account).await {
            Ok(Erased { records, bytes }) => Progress::Done { records, bytes },
            Err(reason) => Progress::Failed { reason },
        };
        eraser.state().progress = done;
    });
    (StatusCode::ACCEPTED, Json(json!({ "state": "running" })))
}

/// The same routes where the log is not this process's to change.
pub(crate) fn at_retention() -> Router {
    Router::new().route("/admin/erase", get(keeps_its_records).post(keeps_its_records))
}

async fn keeps_its_records() -> Json<Progress> {
    Json(Progress::AtRetention)
}
