//! A process that really is killed, and one that is started twice.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use event_log::{EmbeddedLog, EmbeddedLogSettings, OpenError, Partition, Position};
use tempfile::TempDir;

use crate::sample::{append_new, read_all, sized};

/// Names the folder to a test that is run as a process of its own.
const FOLDER: &str = "EVENT_LOG_TEST_FOLDER";
const ROUND: &str = "EVENT_LOG_TEST_ROUND";

/// How many acknowledgements each round waits for before it kills.
const ACKED_BEFORE_KILL: [usize; 8] = [1, 2, 17, 40, 5, 90, 3, 61];

fn start(folder: &Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::appends_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The process that is killed: prints `acked <partition>:<offset> <number>` once an append is acknowledged.
#[test]
#[ignore = "run as a process of its own by the tests below"]
fn appends_until_it_is_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let log = Arc::new(EmbeddedLog::open(Path::new(&folder), EmbeddedLogSettings::default()).unwrap());
        let mut appenders = tokio::task::JoinSet::new();
        for appender in 0..4 {
            let log = log.clone();
            appenders.spawn(async move {
                for number in 0.. {
                    let number = (round * 10 + appender) * 100_000 + number;
                    let position = append_new(&*log, record(number)).await;
                    println!("acked {position} {number}");
                }
            });
        }
        appenders.join_all().await;
    });
}

fn record(number: u64) -> event_log::Record {
    sized(number % 13, number, 2000)
}

/// The position and number of an acknowledgement.
fn parse(line: &str) -> Option<(Position, u64)> {
    let (position, number) = line.strip_prefix("acked ")?.split_once(' ')?;
    let (partition, offset) = position.split_once(':')?;
    let partition = Partition(partition.parse().ok()?);
    Some((Position { partition, offset: offset.parse().ok()? }, number.parse().ok()?))
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_there() {
    let folder = TempDir::new().unwrap();
    let mut acked = BTreeMap::new();
    for (round, count) in (0..).zip(ACKED_BEFORE_KILL) {
        let mut child = start(folder.path(), round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acked.len();
        while acked.len() < before + count {
            let line = lines.next().expect("the process appends until it is killed").unwrap();
            acked.extend(parse(&line));
        }
        child.kill().unwrap();
        // What else was acknowledged by then is in the pipe; a line goes into it whole.
        acked.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
        child.wait().unwrap();

        let log = EmbeddedLog::open(folder.path(), EmbeddedLogSettings::default()).unwrap();
        let found: BTreeMap<_, _> = read_all(&log).await.into_iter().collect();
        for (position, number) in &acked {
            assert_eq!(found.get(position), Some(&record(*number)), "round {round}: {position}");
        }
    }
}

#[test]
fn a_second_process_is_refused_in_one_sentence() {
    let folder = TempDir::new().unwrap();
    let mut child = start(folder.path(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while parse(&lines.next().unwrap().unwrap()).is_none() {}
    let outcome = EmbeddedLog::open(folder.path(), EmbeddedLogSettings::default());
    child.kill().unwrap();
    child.wait().unwrap();
    let refused = outcome.err().expect("two processes have it open");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let sentence = refused.to_string();
    assert!(sentence.starts_with("another process uses") && sentence.contains("--data-dir"), "{sentence}");
    EmbeddedLog::open(folder.path(), EmbeddedLogSettings::default()).unwrap();
}
