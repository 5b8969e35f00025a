//! A store knows the log that it was folded from, and refuses another.

use std::sync::Arc;

use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, Partition, Position, Record};
use projector::ProjectorSettings;
use testkit::stage::Stage;
use view_store::EmbeddedStore;

use crate::scene::Scene;

async fn played() -> Stage {
    let stage = Stage::new().await;
    Scene::busy(3, 10).play(&stage).await;
    stage.stop().await.unwrap();
    stage
}

async fn all_records(log: &Arc<EmbeddedLog>) -> Vec<Record> {
    let mut records = Vec::new();
    for partition in (0..log.identity().partitions).map(Partition) {
        let from = Position { partition, offset: 0 };
        let limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };
        records.extend(log.read(from, limit).await.unwrap().into_iter().map(|(_, record)| record));
    }
    records
}

/// Why a projector does not fold a log of these records into this store; `None` where it does.
async fn refusal(records: Vec<Record>, store: EmbeddedStore) -> Option<String> {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
    if !records.is_empty() {
        log.append(records).await.unwrap();
    }
    let stage = Stage::over(log, store, ProjectorSettings::default()).await;
    if stage.progress().wait_caught_up().await {
        stage.stop().await.unwrap();
        return None;
    }
    Some(stage.join().await.unwrap_err().to_string())
}

#[tokio::test]
async fn a_log_that_lost_its_tail_or_is_another_one_is_refused_with_the_remedy() {
    let stage = played().await;
    let records = all_records(&stage.log()).await;
    let remedy = "move state.redb away; it is rebuilt from the log at the next start";

    let sentence = refusal(Vec::new(), stage.store()).await.unwrap();
    assert!(sentence.contains("is missing") && sentence.contains(remedy), "{sentence}");

    let shorter = records[..records.len() - 1].to_vec();
    let sentence = refusal(shorter, stage.store()).await.unwrap();
    assert!(sentence.contains("is missing") && sentence.contains(remedy), "{sentence}");

    let mut other = records.clone();
    other.last_mut().unwrap().body = "{}".into();
    let sentence = refusal(other, stage.store()).await.unwrap();
    assert!(sentence.contains("is another one") && sentence.contains(remedy), "{sentence}");

    assert_eq!(refusal(records, stage.store()).await, None, "a faithful copy of the log is the log");
}
