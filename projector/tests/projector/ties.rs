//! Interleavings that once ended in a wrong payload that called itself complete.

use domain::{NeedKey, StreamKey};
use testkit::{
    answers::{Asker, AtOnce, Pace},
    script::Job,
    stage::Stage,
};

use crate::scene::{Scene, page, records, want};

/// The answer is there at once, and in the log two chapters later.
struct LateAnswer;

impl Pace for LateAnswer {
    fn answer(&mut self) -> i64 {
        0
    }

    fn lag(&mut self) -> i64 {
        0
    }

    fn append(&mut self) -> i64 {
        3 * 3_600_000
    }
}

/// To another owner and back within one second: both deliveries carry the same time, so the owner who has it
/// may hear that it came back before hearing that it went.
#[tokio::test]
async fn there_and_back_within_a_second_is_asked_for() {
    let mut scene = Scene::new();
    let (here, there) = (scene.account("owner-0"), scene.account("owner-1"));
    let repo = scene.repository("repo-0");
    let forge_id = |account| scene.end().accounts[&account].truth.id;
    let (here_id, there_id) = (forge_id(here), forge_id(there));
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| {
        world.transfer_repository(repo_id, there_id).unwrap();
        world.transfer_repository(repo_id, here_id).unwrap();
    });

    let stage = Stage::new().await;
    let script = scene.script();
    want(&stage, &script, "owner-0").await;
    want(&stage, &script, "owner-1").await;
    scene.ask_all(&stage, &script).await;

    script.set(scene.end().at_ms);
    for event in scene.emitted[1].iter().rev() {
        stage.append(records(event, &script)).await;
    }
    assert_eq!(page(&stage, here).await["freshness"]["complete"], false);
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, here).await;
    scene.assert_true(&stage, there).await;
}

/// Asked while it was private, before anybody heard so: what was refused then is asked again once it is told
/// to be public, although it was never seen to be hidden.
#[tokio::test]
async fn what_was_refused_while_private_is_asked_again() {
    let mut scene = Scene::new();
    let (account, repo) = (scene.account("owner-0"), scene.repository("repo-0"));
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| world.privatize_repository(repo_id).unwrap());
    scene.chapter(|world| world.publicize_repository(repo_id).unwrap());

    let stage = Stage::new().await;
    let script = scene.script();
    let asker = Asker::new(&stage, &script, AtOnce);
    let stream = StreamKey::Account(account);
    want(&stage, &script, "owner-0").await;
    let login = stage.open_needs().await.remove(0).1;
    script.finish(Box::pin(asker.ask(StreamKey::Service, login))).await;
    script.finish(Box::pin(asker.ask(stream, NeedKey::Repositories))).await;

    script.set(scene.moments[1].at_ms);
    script.finish(Box::pin(asker.ask(stream, NeedKey::Pulls(repo)))).await;
    script.set(scene.moments[2].at_ms);
    for event in scene.emitted[2].iter().chain(&scene.emitted[1]) {
        stage.append(records(event, &script)).await;
    }
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, account).await;
}

/// Away when it was asked, back before the answer is in: what was told since, by the forge's own time, is not
/// undone by the older answer.
#[tokio::test]
async fn an_answer_that_is_older_than_a_return_does_not_hide_it() {
    let mut scene = Scene::new();
    let (here, there) = (scene.account("owner-0"), scene.account("owner-1"));
    let repo = scene.repository("repo-0");
    let forge_id = |account| scene.end().accounts[&account].truth.id;
    let (here_id, there_id) = (forge_id(here), forge_id(there));
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| world.transfer_repository(repo_id, there_id).unwrap());
    scene.chapter(|world| world.transfer_repository(repo_id, here_id).unwrap());

    let stage = Stage::new().await;
    let script = scene.script();
    want(&stage, &script, "owner-0").await;
    want(&stage, &script, "owner-1").await;
    scene.ask_all(&stage, &script).await;

    script.set(scene.moments[1].at_ms);
    let asker = Asker::new(&stage, &script, LateAnswer);
    let mut question: Job<'_> = Box::pin(asker.ask(StreamKey::Account(here), NeedKey::Repository(repo)));
    let asked_at = script.go_on(&mut question).await.unwrap();
    assert_eq!(asked_at, scene.moments[1].at_ms);
    let answered_at = script.go_on(&mut question).await.unwrap();
    script.set(scene.end().at_ms);
    for event in scene.emitted[2].iter().chain(&scene.emitted[1]) {
        stage.append(records(event, &script)).await;
    }
    script.set(answered_at);
    assert_eq!(script.go_on(&mut question).await, None);
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, here).await;
    scene.assert_true(&stage, there).await;
}
