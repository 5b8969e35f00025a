//! The contract suite on the embedded log.

use event_log::contract::{
    CASES, Failure, Harness,
    power_loss::{PowerLossDisk, Unsynced},
    run,
};
use redb::backends::FileBackend;

use crate::harness::{DiskHarness, FolderHarness};

/// Runs every case on a harness of its own, and tells all failures at once.
async fn run_all<H: Harness>(harness: impl Fn() -> H) {
    let mut failures = Vec::new();
    for case in CASES {
        if let Err(Failure(failure)) = run(*case, &harness()).await {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_when_power_loss_takes_all_that_was_not_synced() {
    run_all(|| DiskHarness::new(PowerLossDisk::in_memory(), |_| Unsynced::Lost)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_when_power_loss_tears_what_was_not_synced() {
    run_all(|| DiskHarness::new(PowerLossDisk::in_memory(), |crash| Unsynced::Torn { seed: crash })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_when_the_process_is_killed_on_a_real_disk() {
    run_all(|| {
        let file = FileBackend::new(tempfile::tempfile().unwrap()).unwrap();
        DiskHarness::new(PowerLossDisk::over(file).unwrap(), |_| Unsynced::Kept)
    })
    .await;
}

#[tokio::test]
async fn it_holds_in_a_folder_and_on_one_thread() {
    run_all(FolderHarness::new).await;
}
