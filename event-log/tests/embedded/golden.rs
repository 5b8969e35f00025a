//! A file that an earlier build wrote: every later one must open it, and find in it what was put there.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use domain::{AccountId, Millis, StreamKey};
use event_log::{
    Appended, DedupeKey, EmbeddedLog, EmbeddedLogSettings, EventLog, Identity, Next, Partition, Position,
    Record, Wait, embedded::FILE_NAME,
};
use tempfile::TempDir;

use crate::sample::{ALL, read_all};

/// What the file was given when it was made.
const IDENTITY: Identity =
    Identity { incarnation: 281_510_826_530_282_604_423_584_756_437_808_083_156, partitions: 4 };

/// What its one group committed.
const COMMITTED: (Partition, u64) = (Partition(2), 1);

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(FILE_NAME)
}

/// What is in it, in the order of the appends.
fn appends() -> Vec<Vec<Record>> {
    let push = Record {
        stream: StreamKey::Account(AccountId::github(583_231)),
        id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        dedupe: Some(DedupeKey([1; 16])),
        kind: "github/push".to_owned(),
        received_at: Millis(1_763_719_200_123),
        headers: vec![("X-GitHub-Event".to_owned(), "push".to_owned())],
        body: Bytes::from("{\"ref\":\"refs/heads/main\"}".repeat(200)),
    };
    let transfer = Record {
        id: "a2b8c1d0-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        dedupe: Some(DedupeKey([2; 16])),
        received_at: Millis(1_763_719_201_456),
        body: Bytes::from_static(b"{}"),
        ..push.clone()
    };
    let to_other_owner = Record { stream: StreamKey::Account(AccountId::github(9_919)), ..transfer.clone() };
    let command = Record {
        stream: StreamKey::Service,
        id: "command-1".to_owned(),
        dedupe: None,
        kind: "service/track".to_owned(),
        headers: Vec::new(),
        ..transfer.clone()
    };
    let bitbucket = Record {
        stream: StreamKey::Account(AccountId::bitbucket(0x1234_5678_9abc_def0_1122_3344_5566_7788)),
        dedupe: None,
        body: Bytes::new(),
        ..push.clone()
    };
    vec![vec![push], vec![transfer, to_other_owner], vec![command], vec![bitbucket]]
}

/// Makes the file, once: it is never made again, because then it would prove nothing.
#[tokio::test]
#[ignore = "makes the file, which is in the repository"]
async fn makes_the_golden_file() {
    let path = golden();
    if path.exists() {
        return;
    }
    let dir = path.parent().unwrap();
    let log = EmbeddedLog::open(dir, EmbeddedLogSettings::default()).unwrap();
    println!("{:?}", log.identity());
    for records in appends() {
        log.append(records).await.unwrap();
    }
    let mut member = log.subscribe("projector-1").await.unwrap();
    member.next(ALL).await.unwrap();
    let next = Position { partition: COMMITTED.0, offset: COMMITTED.1 };
    member.seek(next).await.unwrap();
    member.commit(&[next], Wait::Durable).await.unwrap();
}

#[tokio::test]
async fn the_file_of_an_earlier_build_opens_and_is_whole() {
    let folder = TempDir::new().unwrap();
    fs::copy(golden(), folder.path().join(FILE_NAME)).unwrap();
    let log = EmbeddedLog::open(folder.path(), EmbeddedLogSettings::default()).unwrap();
    assert_eq!(log.identity(), IDENTITY);

    let mut found: Vec<Record> = read_all(&log).await.into_iter().map(|(_, record)| record).collect();
    let mut expected: Vec<Record> = appends().into_iter().flatten().collect();
    let by_stream = |record: &Record| (record.stream, record.received_at, record.id.clone());
    found.sort_by_key(by_stream);
    expected.sort_by_key(by_stream);
    assert_eq!(found, expected);

    for records in appends().into_iter().filter(|records| records[0].dedupe.is_some()) {
        assert_eq!(log.append(records).await.unwrap(), Appended::Duplicate);
    }
    let mut member = log.subscribe("projector-1").await.unwrap();
    let Next::Assigned(assignments) = member.next(ALL).await.unwrap() else { panic!("not assigned") };
    for assignment in assignments {
        let committed = (assignment.partition == COMMITTED.0).then_some(COMMITTED.1);
        assert_eq!(assignment.committed, committed, "{assignment:?}");
    }
}
