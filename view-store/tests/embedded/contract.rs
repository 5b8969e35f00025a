//! The embedded adapter keeps every promise of the port, wherever its bytes lie.

use crate::support::{InFolder, InMemory, OnPowerLossDisk, run_all, run_one};
use view_store::contract::{CASES, Case, power_loss::Unsynced};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    assert_eq!(run_all(InMemory::default).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_folder() {
    assert_eq!(run_all(InFolder::default).await, []);
}

/// One thread for everything: nothing in the adapter may wait for another task of the same thread.
#[tokio::test]
async fn in_a_folder_on_one_thread() {
    assert_eq!(run_all(InFolder::default).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_disk_that_forgets_what_was_not_synced() {
    assert_eq!(run_all(|| OnPowerLossDisk::new(Unsynced::Lost)).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_disk_that_keeps_some_of_what_was_not_synced() {
    let crashes = CASES
        .iter()
        .filter(|case| !case.applies_to(view_store::contract::Capabilities { survives_crashes: false }));
    for case in crashes {
        for seed in 0..10 {
            assert_eq!(run_one(*case, OnPowerLossDisk::new(Unsynced::Mixed(seed))).await, Ok(()));
        }
    }
}

#[tokio::test]
async fn a_case_that_does_not_apply_is_not_passed_silently() {
    assert!(run_one(Case::FlushedRowsSurviveACrash, InMemory::default()).await.is_err());
}

#[test]
fn every_case_is_listed_once() {
    let mut cases = CASES.to_vec();
    cases.sort_unstable();
    cases.dedup();
    assert_eq!(cases.len(), CASES.len());
    assert_eq!(cases.last(), Some(&Case::VersionsDecideAfterACrash));
    assert_eq!(cases.len(), Case::VersionsDecideAfterACrash as usize + 1);
}
