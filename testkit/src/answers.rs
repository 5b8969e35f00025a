//! Asking as backfill asks, from the truth of a scripted world instead of over HTTP: the same questions, in the
//! same order, saying the same events to the same streams. Between a question's first request and the moment
//! at which its answer is in the log, scripted time passes, and the world goes on.
//!
//! How often and when something is asked is up to whoever holds the script.

mod check;
mod commits;
mod languages;
mod login;
mod profile;
mod pulls;
mod repositories;
mod repository;

use std::{
    cell::RefCell,
    collections::{BTreeMap, hash_map::DefaultHasher},
    fmt::Debug,
    hash::{Hash as _, Hasher as _},
    rc::Rc,
};

use domain::{
    AccountId, Asked, Event, Millis, NeedKey, RepoId, Second, StreamKey, Version,
    entity::repository::Repository,
    record::{self, CursorNote},
};
use serde::{Deserialize, Serialize};

use crate::{
    forge::Moment,
    script::Script,
    stage::{Folded, Stage, TypedRows},
};

/// How long things take, in milliseconds of scripted time.
pub trait Pace {
    /// From a request to its answer. What is answered is the world at the end of it, less [`Self::lag`].
    fn answer(&mut self) -> i64;
    /// How far the replica that answers is behind.
    fn lag(&mut self) -> i64;
    /// From an answer to the moment at which it is in the log.
    fn append(&mut self) -> i64;
}

/// Everything at once, from the newest replica.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce;

impl Pace for AtOnce {
    fn answer(&mut self) -> i64 {
        0
    }

    fn lag(&mut self) -> i64 {
        0
    }

    fn append(&mut self) -> i64 {
        0
    }
}

/// Who asks.
pub struct Asker<'s> {
    stage: &'s Stage,
    script: &'s Script,
    pace: RefCell<Box<dyn Pace>>,
    /// What was folded when the sweep of an account began that is not finished yet.
    sweeps: RefCell<BTreeMap<AccountId, Version>>,
    /// Pull requests on a page of a list.
    per_page: usize,
}

/// The moment before a question.
#[derive(Debug, Clone)]
struct Asking {
    folded: Folded,
    at: Millis,
}

/// What an answer says to one stream.
struct Told {
    stream: StreamKey,
    events: Vec<Event<'static>>,
    cursors: Vec<CursorNote<'static>>,
}

/// A repository that is asked about.
struct Target {
    account: AccountId,
    id: RepoId,
    repo: Repository,
}

/// The `ETag` of the last answer about something, and when that was asked.
#[derive(Serialize, Deserialize)]
struct Etag {
    etag: String,
    asked_at: Version,
}

impl Told {
    fn to(stream: StreamKey, events: Vec<Event<'static>>) -> Self {
        Told { stream, events, cursors: Vec::new() }
    }

    fn cursor(mut self, kind: String, value: String) -> Self {
        self.cursors.push(CursorNote { kind: kind.into(), value: value.into() });
        self
    }

    fn etag(self, what: &str, repo: Option<RepoId>, etag: String, asked_at: Version) -> Self {
        let value = serde_json::to_string(&Etag { etag, asked_at }).expect("an etag serializes");
        self.cursor(record::etag_cursor(what, repo), value)
    }
}

impl Target {
    fn stream(&self) -> StreamKey {
        StreamKey::Account(self.account)
    }
}

impl<'s> Asker<'s> {
    /// Asks about what is known on this stage, in the time of this script.
    pub fn new(stage: &'s Stage, script: &'s Script, pace: impl Pace + 'static) -> Self {
        let pace: Box<dyn Pace> = Box::new(pace);
        // So few that lists have several pages.
        let per_page = 3;
        Asker { stage, script, pace: RefCell::new(pace), sweeps: RefCell::new(BTreeMap::new()), per_page }
    }

    /// Asks what a need row names. Whoever asks looks at the row again afterwards.
    pub async fn ask(&self, stream: StreamKey, key: NeedKey) {
        let account = match stream {
            StreamKey::Service => return self.ask_login(&key).await,
            StreamKey::Account(account) => account,
        };
        if let Some(repo) = key.repository() {
            let Some(target) = self.target(account, repo).await else { return };
            return match key {
                NeedKey::Commits(_) => self.ask_commits(&target).await,
                NeedKey::Pulls(_) => self.ask_pulls(&target).await,
                NeedKey::Pull(_, number) => self.ask_pull(&target, number).await,
                NeedKey::Languages(_) => self.ask_languages(&target).await,
                _ => self.ask_repository(&target).await,
            };
        }
        match key {
            NeedKey::Profile => self.ask_profile(account).await,
            NeedKey::Repositories => self.ask_repositories(account).await,
            NeedKey::Everything => self.check(account, true).await,
            _ => {}
        }
    }

    /// Asks about everything of an account, as the sweep does.
    pub async fn sweep(&self, account: AccountId) {
        self.check(account, false).await;
    }

    /// Asks all that may be asked, until nothing is open: time passes to the next need where none may be asked
    /// yet. Returns how many questions that took.
    ///
    /// # Panics
    /// When there is no end to it.
    pub async fn ask_all(&self) -> usize {
        /// A need takes a handful of questions; this many mean that answers end nothing.
        const QUESTIONS_MAX: usize = 3_000;
        let mut questions = 0;
        loop {
            let open = self.stage.open_needs().await;
            let next = open.into_iter().min_by_key(|(_, _, need)| not_before(need));
            let Some((stream, key, need)) = next else { return questions };
            self.script.set(self.script.theirs(not_before(&need)));
            self.script.finish(Box::pin(self.ask(stream, key.clone()))).await;
            questions += 1;
            assert!(questions < QUESTIONS_MAX, "{key:?} of {stream} stays open: {need:?}");
        }
    }

    fn rows(&self) -> TypedRows {
        self.stage.rows()
    }

    async fn target(&self, account: AccountId, id: RepoId) -> Option<Target> {
        let repo = self.rows().repository(account, id).await?;
        Some(Target { account, id, repo })
    }

    fn asking(&self) -> Asking {
        Asking { folded: self.stage.folded(), at: self.script.ours() }
    }

    fn version(&self, asking: &Asking, stream: StreamKey) -> Version {
        asking.folded.of(stream, &*self.stage.log())
    }

    /// Waits for one answer: the world that answers, and the answer's `Date`.
    async fn hear(&self) -> (Rc<Moment>, Second) {
        let (wait, lag) = {
            let mut pace = self.pace.borrow_mut();
            (pace.answer(), pace.lag())
        };
        self.script.sleep(wait).await;
        let date = Second(self.script.now_ms().div_euclid(1000));
        (Rc::clone(self.script.world(lag)), date)
    }

    /// Appends what was answered, a while later.
    async fn append(&self, asking: &Asking, date: Second, told: Vec<Told>) {
        let wait = self.pace.borrow_mut().append();
        self.script.sleep(wait).await;
        for told in told {
            let asked_at = self.version(asking, told.stream);
            let asked = Asked { asked_at, asked_ms: asking.at, date };
            self.stage.answer(asked, self.script.ours(), told.stream, told.events, told.cursors).await;
        }
    }

    /// The `ETag` to ask with, unless something that the answer would not show has changed since.
    async fn etag(
        &self,
        stream: StreamKey,
        what: &str,
        repo: Option<RepoId>,
        changed_at: Version,
    ) -> Option<String> {
        let known: Option<Etag> = self.rows().cursor(stream, &record::etag_cursor(what, repo)).await;
        known.filter(|known| known.asked_at >= changed_at).map(|known| known.etag)
    }
}

/// When a need may be asked, on our clock.
pub fn not_before(need: &domain::need::Need) -> Millis {
    match need {
        domain::need::Need::Open { not_before, .. } => *not_before,
        domain::need::Need::Met => Millis(i64::MAX),
    }
}

/// What stands for an answer's bytes.
fn etag_of(answer: &impl Debug) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{answer:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
