//! Other ways to the same rows: with accounts forgotten all the time, into another generation, and on from a
//! store that is older than what was committed.

use domain::{RowKey, Version};
use event_log::embedded::PARTITIONS;
use projector::ProjectorSettings;
use testkit::stage::Stage;
use view_store::{EmbeddedStore, ViewStore};

use crate::scene::{Scene, records};

const SEED: u64 = 11;
const STEPS: usize = 60;

#[tokio::test]
async fn accounts_that_are_forgotten_after_every_batch_give_the_same_rows() {
    let scene = Scene::busy(SEED, STEPS);
    let stages = [
        Stage::new().await,
        Stage::with(ProjectorSettings { working_set_bytes_max: 1, ..ProjectorSettings::default() }).await,
    ];
    for stage in &stages {
        scene.play(stage).await;
        scene.assert_true(stage, scene.account("owner-0")).await;
    }
    let streams = stages[0].streams();
    assert_eq!(stages[0].rows().all(&streams).await, stages[1].rows().all(&streams).await);
}

#[tokio::test]
async fn a_generation_that_is_not_there_yet_is_built_from_the_whole_log() {
    let scene = Scene::busy(SEED, STEPS);
    let stage = Stage::new().await;
    scene.play(&stage).await;
    let streams = stage.streams();
    let rows = stage.rows().all(&streams).await;

    let before = stage.store();
    let next = before.with_generation(before.generation() + 1);
    stage.restart_on(next.clone()).await;
    assert_eq!(stage.rows().all(&streams).await, rows);
    assert_eq!(next.generations().unwrap(), [before.generation(), next.generation()]);
    // The older one is untouched, and goes on where it was.
    stage.restart_on(before).await;
    assert_eq!(stage.rows().all(&streams).await, rows);
}

async fn seen(store: &EmbeddedStore, partition: u32) -> Version {
    let row = store.get(&RowKey::Seen(partition)).await.unwrap();
    row.map_or(Version::NONE, |row| row.version)
}

#[tokio::test]
async fn a_store_that_is_older_than_the_commits_is_folded_on_from_where_it_was() {
    let scene = Scene::busy(SEED, STEPS);
    let stage = Stage::new().await;
    let script = scene.script();
    let (early, late) = scene.emitted[1].split_at(scene.emitted[1].len() / 2);
    for event in early {
        stage.append(records(event, &script)).await;
    }
    let old = stage.store();
    // Another store takes part of the way; the group's commits are those of the whole log then.
    stage.restart_on(Stage::empty_store()).await;
    for event in late {
        stage.append(records(event, &script)).await;
    }
    let streams = stage.streams();
    let rows = stage.rows().all(&streams).await;
    stage.stop().await.unwrap();
    let mut is_older = false;
    for partition in 0..PARTITIONS {
        is_older |= seen(&old, partition).await < seen(&stage.store(), partition).await;
    }
    assert!(is_older, "the store that is put back knows all that was committed");

    stage.restart_on(old).await;
    assert_eq!(stage.rows().all(&streams).await, rows);
}
