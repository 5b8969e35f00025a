//! What every adapter of the port must do, as a suite that runs unchanged against each of them.
//!
//! An adapter's tests implement [`Harness`] and [`run`] each of [`CASES`] on a harness of its own. The
//! suite asks for no more than the port promises: where technologies differ (which of two values of
//! *one* version stays, what is kept of rows that were never flushed) every answer that the projector can
//! live with passes.

mod concurrency;
mod crashes;
mod erased;
mod generations;
mod harness;
pub mod power_loss;
mod rows;
mod scans;
mod values;
mod versions;

use std::fmt;

pub use self::harness::{Capabilities, Failure, Harness};
use self::harness::{Finding, Outcome};

/// One promise of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Case {
    /// A written row is read back; what was never written is not there.
    ReadsWhatWasWritten,
    /// Values from empty to 20 MiB come back byte for byte.
    ValuesOfAnySize,
    /// Every row of one call is written, whatever tables they go to.
    WholeBatchIsWritten,
    /// Keys of every family come back from reads and from scans.
    EveryKeyRoundTrips,
    /// Of several calls, in any order, the greatest version stays, with its own value.
    GreatestVersionWinsAcrossCalls,
    /// The same within one call.
    GreatestVersionWinsWithinACall,
    /// A write with the version that is there writes its value.
    EqualVersionRewrites,
    /// A late writer changes nothing, in whatever company its row comes.
    OlderWriteIsIgnored,
    /// A row that was erased is found by nobody, an older value does not bring it back, and a newer one does.
    ErasedRowsAreGone,
    /// A version of a later epoch beats every one of an earlier epoch.
    LaterEpochWins,
    /// Writing the same rows again, or a part of them, changes nothing.
    RetryIsHarmless,
    /// 10 000 rows come back complete and in key order, and so do a few large ones.
    ScanIsCompleteAndOrdered,
    /// A scan gives no row of a neighbour.
    ScanStaysInItsRange,
    /// Rows written before a scan are in it whatever is written meanwhile.
    ScanWhileWriting,
    /// Many writers of one row end at the greatest version, and each sees what it wrote.
    ConcurrentWritersOfOneRow,
    /// Many reads at once, while others write, each give a whole row.
    ConcurrentReads,
    /// Each generation has rows of its own.
    GenerationsAreIsolated,
    /// Families without generations are the same in all.
    SharedFamiliesAreShared,
    /// Readers see of each partition the generation that has caught up there.
    OlderGenerationIsServed,
    /// A flush with nothing to do, and several at once, return.
    FlushesMayBeIdle,
    /// What was flushed is there after a crash.
    FlushedRowsSurviveACrash,
    /// So is what several tasks wrote and flushed at the same time.
    ConcurrentFlushesSurviveACrash,
    /// What was not flushed may be lost in a crash, but every row is one that was written, and none is
    /// older than what was flushed.
    UnflushedRowsAreWholeOrGone,
    /// Versions still decide after a crash.
    VersionsDecideAfterACrash,
}

/// Every case; cheap ones first.
pub const CASES: &[Case] = &[
    Case::ReadsWhatWasWritten,
    Case::WholeBatchIsWritten,
    Case::EveryKeyRoundTrips,
    Case::GreatestVersionWinsAcrossCalls,
    Case::GreatestVersionWinsWithinACall,
    Case::EqualVersionRewrites,
    Case::OlderWriteIsIgnored,
    Case::ErasedRowsAreGone,
    Case::LaterEpochWins,
    Case::RetryIsHarmless,
    Case::GenerationsAreIsolated,
    Case::SharedFamiliesAreShared,
    Case::OlderGenerationIsServed,
    Case::FlushesMayBeIdle,
    Case::ScanStaysInItsRange,
    Case::ScanWhileWriting,
    Case::ScanIsCompleteAndOrdered,
    Case::ConcurrentWritersOfOneRow,
    Case::ConcurrentReads,
    Case::ValuesOfAnySize,
    Case::FlushedRowsSurviveACrash,
    Case::ConcurrentFlushesSurviveACrash,
    Case::UnflushedRowsAreWholeOrGone,
    Case::VersionsDecideAfterACrash,
];

impl Case {
    /// Whether a store of these capabilities has to pass.
    pub fn applies_to(self, capabilities: Capabilities) -> bool {
        match self {
            Case::FlushedRowsSurviveACrash
            | Case::ConcurrentFlushesSurviveACrash
            | Case::UnflushedRowsAreWholeOrGone
            | Case::VersionsDecideAfterACrash => capabilities.survives_crashes,
            _ => true,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Checks one promise on a store that holds nothing yet.
///
/// # Errors
/// What was found instead. A case that does not apply to the harness's capabilities fails too, so that
/// leaving one out is a decision of the caller's.
pub async fn run(case: Case, harness: &dyn Harness) -> Result<(), Failure> {
    check(case, harness).await.map_err(|Finding(found)| Failure { case, found })
}

async fn check(case: Case, harness: &dyn Harness) -> Outcome {
    if !case.applies_to(harness.capabilities()) {
        return Err(Finding("this store is not able to".to_owned()));
    }
    match case {
        Case::ReadsWhatWasWritten => values::reads_what_was_written(harness).await,
        Case::ValuesOfAnySize => values::values_of_any_size(harness).await,
        Case::WholeBatchIsWritten => values::whole_batch_is_written(harness).await,
        Case::EveryKeyRoundTrips => values::every_key_round_trips(harness).await,
        Case::GreatestVersionWinsAcrossCalls => versions::greatest_wins_across_calls(harness).await,
        Case::GreatestVersionWinsWithinACall => versions::greatest_wins_within_a_call(harness).await,
        Case::EqualVersionRewrites => versions::equal_rewrites(harness).await,
        Case::OlderWriteIsIgnored => versions::older_is_ignored(harness).await,
        Case::ErasedRowsAreGone => erased::are_gone(harness).await,
        Case::LaterEpochWins => versions::later_epoch_wins(harness).await,
        Case::RetryIsHarmless => versions::retry_is_harmless(harness).await,
        Case::ScanIsCompleteAndOrdered => scans::complete_and_ordered(harness).await,
        Case::ScanStaysInItsRange => scans::stays_in_its_range(harness).await,
        Case::ScanWhileWriting => scans::while_writing(harness).await,
        Case::ConcurrentWritersOfOneRow => concurrency::writers_of_one_row(harness).await,
        Case::ConcurrentReads => concurrency::reads(harness).await,
        Case::GenerationsAreIsolated => generations::are_isolated(harness).await,
        Case::SharedFamiliesAreShared => generations::share_some_families(harness).await,
        Case::OlderGenerationIsServed => generations::older_is_served(harness).await,
        Case::FlushesMayBeIdle => concurrency::flushes_may_be_idle(harness).await,
        Case::FlushedRowsSurviveACrash => crashes::flushed_rows_survive(harness).await,
        Case::ConcurrentFlushesSurviveACrash => crashes::concurrent_flushes_survive(harness).await,
        Case::UnflushedRowsAreWholeOrGone => crashes::unflushed_rows_are_whole_or_gone(harness).await,
        Case::VersionsDecideAfterACrash => crashes::versions_decide_afterwards(harness).await,
    }
}
