//! A member whose process is stopped for longer than its session lasts, and then wakes.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use event_log::{LogError, Next, Wait};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    follow::{after, join_alone, next, take},
    sample::fill,
    server::{self, PARTITIONS},
};

/// The address of the log, for the process that is stopped.
const ADDRESS: &str = "TALLYHOOK_TEST_LOST_MEMBER";
/// The shortest session that a broker allows by default.
const QUERY: &str = "?session.timeout.ms=6000";

struct Member(Child);

impl Member {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_wakes_after_its_session_is_fenced_and_hears_that_it_lost() {
    if server::is_missing() {
        return;
    }
    let brokers = server::shared().await;
    let address = server::made(&brokers, QUERY).await;
    let log = server::open(&address).await;
    fill(&log, 4).await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lost::the_member_that_is_stopped", "--ignored", "--nocapture"])
        .env(ADDRESS, format!("{address}{QUERY}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut member = Member(child);
    let lines = BufReader::new(member.0.stdout.take().unwrap()).lines();
    let mut lines = lines
        .map(Result::unwrap)
        .filter_map(|line| line.split_once("member: ").map(|(_, said)| said.to_owned()));
    let mut said = move || lines.next();
    assert_eq!(said().as_deref(), Some("took 16"));
    member.signal(Signal::STOP);

    let (mut heir, committed) = join_alone(&log, "group").await;
    assert!(committed.values().all(Option::is_none), "{committed:?}");
    let records = take(&mut *heir, 4 * PARTITIONS as usize).await;
    let ends = after(&records);
    let early: Vec<_> = ends.iter().map(|end| event_log::Position { offset: 2, ..*end }).collect();
    heir.commit(&early, Wait::Durable).await.unwrap();

    member.signal(Signal::CONT);
    writeln!(member.0.stdin.as_ref().unwrap()).unwrap();
    let outcome = said();
    assert!(matches!(outcome.as_deref(), Some("commit refused" | "commit ignored")), "{outcome:?}");
    assert_eq!(said().as_deref(), Some("lost 4"));
    drop(member);
    drop(heir);
    let (_, committed) = join_alone(&log, "group").await;
    assert!(
        committed.values().all(|committed| *committed == Some(2)),
        "the dead member committed: {committed:?}"
    );
}

/// The other process of the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above"]
async fn the_member_that_is_stopped() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let log = server::open(&address.parse().unwrap()).await;
    let (mut member, _) = join_alone(&log, "group").await;
    let records = take(&mut *member, 4 * PARTITIONS as usize).await;
    println!("\nmember: took {}", records.len());
    // Stopped here, and woken when its partitions are somebody else's.
    tokio::task::block_in_place(|| std::io::stdin().read_line(&mut String::new())).unwrap();
    match member.commit(&after(&records), Wait::Durable).await {
        Ok(()) => println!("\nmember: commit ignored"),
        Err(LogError::Retry(_)) => println!("\nmember: commit refused"),
        Err(error) => println!("\nmember: stopped: {error}"),
    }
    loop {
        if let Next::Lost(partitions) = next(&mut *member).await {
            println!("\nmember: lost {}", partitions.len());
            return;
        }
    }
}
