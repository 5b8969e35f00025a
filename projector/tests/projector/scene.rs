//! A small forge whose story is over when a test begins: what it emitted can be delivered in any order, and
//! questions are answered from any moment of it.

use std::rc::Rc;

use domain::{AccountId, Event, Forge as ForgeTag, RepoId, StreamKey, ViewKey, event::TrackedBy};
use event_log::Record;
use fake_github::{Emitted, Life, NewRepository, Weights, World};
use serde_json::Value;
use testkit::{
    answers::{Asker, AtOnce},
    deliveries::{self, Ear},
    expected,
    forge::{Forge, Moment},
    script::Script,
    stage::Stage,
};

/// The first second.
const START: fake_github::Second = fake_github::Second(1_780_000_000);
/// Between two chapters; every question of the one before is answered by then.
const CHAPTER_MS: i64 = 3_600_000;

/// What happened, chapter by chapter.
pub(crate) struct Scene {
    forge: Forge,
    /// The world at the end of each chapter.
    pub(crate) moments: Vec<Rc<Moment>>,
    /// What was emitted in each.
    pub(crate) emitted: Vec<Vec<Emitted>>,
}

impl Scene {
    /// Two owners, `owner-0` with a repository `repo-0` and `owner-1` with none, in chapter 0.
    pub(crate) fn new() -> Self {
        let mut scene = Scene { forge: Forge::new(7, START), moments: Vec::new(), emitted: Vec::new() };
        scene.chapter(|world| {
            let owner = world.create_user("owner-0").unwrap();
            world.create_user("owner-1").unwrap();
            let repo = world.create_repository(owner, NewRepository::public("repo-0")).unwrap();
            world.push_commits(repo, "main", 3).unwrap();
        });
        scene
    }

    /// The same, and a chapter of many things that happened.
    pub(crate) fn busy(seed: u64, steps: usize) -> Self {
        let mut scene = Scene::new();
        let mut life = Life::new(seed, Weights::default());
        for _ in 0..steps {
            scene.forge.pass(life.pause_ms());
            scene.forge.live(&mut life);
        }
        scene.chapter(|_| {});
        scene
    }

    /// Lets these things happen within one second.
    pub(crate) fn chapter(&mut self, happens: impl FnOnce(&mut World)) {
        happens(&mut self.forge.world);
        self.emitted.push(self.forge.heard());
        self.moments.push(Rc::new(self.forge.moment()));
        self.forge.pass(CHAPTER_MS);
    }

    /// An account by the login that it has in the beginning.
    pub(crate) fn account(&self, login: &str) -> AccountId {
        self.moments[0].account_named(login).unwrap().0
    }

    /// A repository by the name that it has in the beginning.
    pub(crate) fn repository(&self, name: &str) -> RepoId {
        let mut repositories = self.moments[0].repositories.iter();
        *repositories.find(|(_, repo)| repo.truth.name == name).unwrap().0
    }

    /// The world in the end.
    pub(crate) fn end(&self) -> &Moment {
        self.moments.last().unwrap()
    }

    /// The time of the scene, at the end of its first chapter.
    pub(crate) fn script(&self) -> Script {
        Script::new(self.moments.clone(), 0)
    }

    /// Plays it plainly: both owners are wanted in the beginning, everything is delivered in order, and
    /// in the end everything is asked.
    pub(crate) async fn play(&self, stage: &Stage) {
        let script = self.script();
        want(stage, &script, "owner-0").await;
        want(stage, &script, "owner-1").await;
        self.ask_all(stage, &script).await;
        for (moment, emitted) in self.moments.iter().zip(&self.emitted).skip(1) {
            script.set(moment.at_ms);
            for event in emitted {
                stage.append(records(event, &script)).await;
            }
        }
        self.ask_all(stage, &script).await;
    }

    /// Answers everything that is open.
    pub(crate) async fn ask_all(&self, stage: &Stage, script: &Script) {
        Asker::new(stage, script, AtOnce).ask_all().await;
    }

    /// Fails unless the account's views are the truth in the end, and say so.
    pub(crate) async fn assert_true(&self, stage: &Stage, account: AccountId) {
        let truth = &self.end().accounts[&account].truth;
        for (view, wanted) in [
            (ViewKey::GithubPayload, expected::github_payload(truth)),
            (ViewKey::Account, expected::account(truth)),
        ] {
            let shown = stage.view(account, view).await.unwrap();
            assert_eq!(expected::without_freshness(shown.json()), wanted);
            assert!(shown.meta.complete, "{}", shown.json());
        }
        for (repo, _) in stage.rows().repositories(account).await {
            let shown = stage.view(account, ViewKey::Repository(repo)).await;
            let truth = self.end().public(repo).map(|moment| &moment.truth);
            let mine = truth.filter(|truth| AccountId::github(truth.owner.0) == account);
            let shown = shown.map(|shown| expected::without_freshness(shown.json()));
            assert_eq!(shown, mine.and_then(expected::repository));
        }
    }
}

/// What an App is told, received now.
pub(crate) fn records(event: &Emitted, script: &Script) -> Vec<Record> {
    deliveries::records(event, Ear::App, script.ours())
}

/// Somebody wants an account kept.
pub(crate) async fn want(stage: &Stage, script: &Script, login: &str) {
    let login = login.to_owned().into();
    let wanted = Event::LoginWanted { forge: ForgeTag::GitHub, login, by: TrackedBy::Person };
    stage.command(StreamKey::Service, script.ours(), vec![wanted]).await;
}

/// The account's own page.
pub(crate) async fn page(stage: &Stage, account: AccountId) -> Value {
    stage.view(account, ViewKey::Account).await.unwrap().json()
}
