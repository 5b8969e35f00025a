//! The suite fails on adapters that are broken on purpose, and says where.

mod arrival;
mod fault;

use std::{collections::BTreeSet, sync::Arc};

use crate::support::{OnPowerLossDisk, run_all};
use async_trait::async_trait;
use fault::{Fault, Memory};
use view_store::{
    ViewStore,
    contract::{CASES, Capabilities, Case, Harness, power_loss::Unsynced},
};

/// The embedded adapter on a disk that forgets, with a fault in front of it.
struct Broken {
    inner: OnPowerLossDisk,
    fault: Fault,
    memory: Arc<Memory>,
    // Used by one fault only.
    others: Vec<OnPowerLossDisk>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        let disk = || OnPowerLossDisk::new(Unsynced::Lost);
        Broken { inner: disk(), fault, memory: Arc::default(), others: vec![disk(), disk(), disk()] }
    }
}

#[async_trait]
impl Harness for Broken {
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String> {
        let store = match self.fault {
            Fault::LeaksGenerations => self.inner.open(1).await?,
            Fault::SharesNothing => self.others[generation as usize].open(generation).await?,
            _ => self.inner.open(generation).await?,
        };
        Ok(self.fault.in_front_of(store, &self.memory))
    }

    async fn crash(&self) {
        self.inner.crash().await;
        self.memory.forget();
        if let (Fault::TearsByCrash, Some(mut torn)) = (self.fault, self.memory.take_last_unflushed()) {
            torn.value.truncate(torn.value.len() / 2);
            let store = self.inner.open(1).await.unwrap();
            store.write(vec![torn]).await.unwrap();
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

/// The cases that fail. One thread, so that tasks take turns where the stores wait and nowhere else.
#[tokio::main(flavor = "current_thread")]
async fn caught_by(fault: Fault) -> BTreeSet<Case> {
    run_all(|| Broken::new(fault)).await.into_iter().map(|failure| failure.case).collect()
}

const MADE_FOR: &[(Fault, &[Case])] = &[
    (Fault::ReturnsBeforeVisible, &[Case::ReadsWhatWasWritten]),
    (Fault::CutsLargeValues, &[Case::ValuesOfAnySize]),
    (Fault::DropsTheTailOfACall, &[Case::WholeBatchIsWritten]),
    (Fault::ForgetsAFamily, &[Case::EveryKeyRoundTrips]),
    (
        Fault::IgnoresVersions,
        &[Case::GreatestVersionWinsAcrossCalls, Case::RetryIsHarmless, Case::ErasedRowsAreGone],
    ),
    (Fault::MixesVersionAndValue, &[Case::GreatestVersionWinsAcrossCalls]),
    (Fault::LastOfACallWins, &[Case::GreatestVersionWinsWithinACall]),
    (Fault::SkipsEqualVersions, &[Case::EqualVersionRewrites]),
    (Fault::OneVersionForACall, &[Case::OlderWriteIsIgnored]),
    (Fault::IgnoresEpochs, &[Case::LaterEpochWins]),
    (Fault::ScansOutOfOrder, &[Case::ScanIsCompleteAndOrdered]),
    (Fault::ScanMissesTheLastPiece, &[Case::ScanIsCompleteAndOrdered]),
    (Fault::ScanGivesANeighbour, &[Case::ScanStaysInItsRange]),
    (Fault::ScanPagesByNumber, &[Case::ScanWhileWriting]),
    (Fault::ChecksThenWrites, &[Case::ConcurrentWritersOfOneRow]),
    (Fault::ReadsInTwoSteps, &[Case::ConcurrentReads]),
    (Fault::LeaksGenerations, &[Case::GenerationsAreIsolated, Case::OlderGenerationIsServed]),
    (Fault::SharesNothing, &[Case::SharedFamiliesAreShared]),
    (Fault::RefusesIdleFlushes, &[Case::FlushesMayBeIdle]),
    (Fault::DoesNotFlush, &[Case::FlushedRowsSurviveACrash, Case::ConcurrentFlushesSurviveACrash]),
    (Fault::TearsByCrash, &[Case::UnflushedRowsAreWholeOrGone]),
    (Fault::KeepsVersionsInMemory, &[Case::VersionsDecideAfterACrash]),
];

#[test]
fn each_fault_is_caught_by_the_case_made_for_it_and_each_case_catches_one() {
    let mut catching = BTreeSet::new();
    for (fault, expected) in MADE_FOR {
        let caught = caught_by(*fault);
        for case in *expected {
            assert!(caught.contains(case), "{fault:?} was caught by {caught:?} only");
        }
        catching.extend(*expected);
    }
    assert_eq!(catching, CASES.iter().copied().collect(), "a case that never fails proves nothing");
}

#[test]
fn without_a_fault_nothing_is_caught() {
    assert_eq!(caught_by(Fault::None), BTreeSet::new());
}
