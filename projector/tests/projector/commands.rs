//! What people and our own sources say about keeping an account.

use domain::{Event, Millis, StreamKey, directory::DirectoryState, event::TrackedBy};
use testkit::stage::Stage;

use crate::scene::{Scene, records};

const DAY_MS: i64 = 24 * 3_600_000;

/// A scene whose last chapter is a push to the account's repository.
fn scene() -> Scene {
    let mut scene = Scene::new();
    let repo = scene.repository("repo-0");
    let repo_id = scene.end().repositories[&repo].truth.id;
    scene.chapter(|world| {
        world.push_commits(repo_id, "main", 2).unwrap();
    });
    scene
}

async fn state(stage: &Stage, account: domain::AccountId) -> DirectoryState {
    stage.rows().directory(account).await.unwrap().state
}

#[tokio::test]
async fn an_untracked_account_asks_nothing_until_a_person_tracks_it() {
    let scene = scene();
    let account = scene.account("owner-0");
    let stream = StreamKey::Account(account);
    let stage = Stage::new().await;
    scene.play(&stage).await;
    assert_eq!(state(&stage, account).await, DirectoryState::Kept);

    let script = scene.script();
    script.set(scene.end().at_ms);
    stage.command(stream, script.ours(), vec![Event::Untracked]).await;
    assert_eq!(state(&stage, account).await, DirectoryState::Muted);
    for event in &scene.emitted[1] {
        stage.append(records(event, &script)).await;
    }
    stage.command(stream, script.ours(), vec![Event::Tracked(TrackedBy::Settings)]).await;
    assert_eq!(state(&stage, account).await, DirectoryState::Muted, "only a person ends a mute");
    assert_eq!(stage.rows().open_needs(stream).await, []);

    stage.command(stream, script.ours(), vec![Event::Tracked(TrackedBy::Person)]).await;
    assert_eq!(state(&stage, account).await, DirectoryState::Kept);
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, account).await;
}

#[tokio::test]
async fn a_dropped_account_asks_nothing_until_something_is_heard_of_it() {
    let scene = scene();
    let account = scene.account("owner-0");
    let stream = StreamKey::Account(account);
    let stage = Stage::new().await;
    scene.play(&stage).await;

    let script = scene.script();
    script.set(scene.end().at_ms);
    stage.command(stream, script.ours(), vec![Event::Dropped]).await;
    assert_eq!(state(&stage, account).await, DirectoryState::Dropped);
    assert_eq!(stage.rows().open_needs(stream).await, []);
    stage.restart().await;
    assert_eq!(state(&stage, account).await, DirectoryState::Dropped);

    for event in &scene.emitted[1] {
        stage.append(records(event, &script)).await;
    }
    assert_eq!(state(&stage, account).await, DirectoryState::Kept);
    scene.ask_all(&stage, &script).await;
    scene.assert_true(&stage, account).await;
}

#[tokio::test]
async fn who_reads_an_account_is_remembered() {
    let scene = scene();
    let account = scene.account("owner-0");
    let stage = Stage::new().await;
    scene.play(&stage).await;
    let before = stage.rows().directory(account).await.unwrap().read_ms;
    let later = Millis(before.0 + 3 * DAY_MS);
    stage.command(StreamKey::Account(account), later, vec![Event::Read]).await;
    let read = stage.rows().directory(account).await.unwrap().read_ms;
    assert!(read > before && read <= later, "{before:?} {read:?} {later:?}");
    stage.command(StreamKey::Account(account), before, vec![Event::Read]).await;
    assert_eq!(stage.rows().directory(account).await.unwrap().read_ms, read, "an old word changes nothing");
}
