//! The contract suite notices adapters that are broken on purpose, each by a case that is named here, and every
//! case is there for one of them.

mod log;
mod storage;
mod subscription;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use event_log::contract::{
    CASES, Case, Failure,
    power_loss::{PowerLossDisk, Unsynced},
    run,
};

use tokio::task::JoinSet;

use self::log::BrokenLog;
use crate::harness::DiskHarness;

/// What the suite says of an adapter that hangs.
const IT_HANGS: &str = "it hangs";

/// Such an adapter is noticed by waiting so long for it.
const PATIENCE_WITH_HANGING: Duration = Duration::from_secs(3);

/// A way to break an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    DropsTheTail,
    AcksBeforeSyncing,
    TearsAppends,
    TearsAppendsOverACrash,
    GivesOffsetsOutAgain,
    ReordersAppends,
    ReordersDelivery,
    LeavesGaps,
    LosesHeaders,
    CutsLargeBodies,
    ReadsWithoutLimits,
    ReadsNothingWhenTheFirstIsLarge,
    TellsOldBounds,
    StartsUnknownGroupsAtZero,
    DeliversUnasked,
    LosesCommits,
    LosesCommitsAtACrash,
    SkipsARecordAfterSeek,
    SeeksForwardOnly,
    CommitsForwardOnly,
    CommitsBackward,
    SharesOffsetsAmongGroups,
    DeliversWithoutLimits,
    NeverWakes,
    LosesWhatWasDropped,
    TrimsCommandsToo,
    ReadsFromTheStart,
    StartsWhereItBegan,
    ChangesIdentity,
    HasOneIdentityForAll,
    MovesStreams,
    KnowsNoDuplicates,
    ForgetsDuplicatesAtACrash,
    ChecksForDuplicatesTooEarly,
    TakesIdsForKeys,
}

/// Which case notices which break, and a part of what it says.
const NOTICED: &[(Break, Case, &str)] = &[
    (Break::DropsTheTail, Case::AckedSurvivesCrash, "is gone"),
    (Break::AcksBeforeSyncing, Case::AckedSurvivesCrash, "is gone"),
    (Break::TearsAppends, Case::AckedAppendIsWhole, "there is something else"),
    (Break::TearsAppendsOverACrash, Case::AppendIsAllOrNothing, "records of one append"),
    (Break::GivesOffsetsOutAgain, Case::AppendsContinueAfterCrash, "given out again"),
    (Break::ReordersAppends, Case::StreamKeepsOrder, "comes after"),
    (Break::ReordersDelivery, Case::ReplayStartsAtCommit, "was delivered as"),
    (Break::LeavesGaps, Case::OffsetsAreDense, "offsets given out"),
    (Break::LosesHeaders, Case::RecordsRoundTrip, "there is something else"),
    (Break::CutsLargeBodies, Case::LargeRecordRoundTrips, "there is something else"),
    (Break::ReadsWithoutLimits, Case::ReadKeepsLimits, "20 records came"),
    (Break::ReadsNothingWhenTheFirstIsLarge, Case::ReadKeepsLimits, "returned nothing"),
    (Break::TellsOldBounds, Case::BoundsAreExact, "the bounds are"),
    (Break::StartsUnknownGroupsAtZero, Case::UnknownGroupHasNoOffsets, "a new group starts"),
    (Break::DeliversUnasked, Case::DeliveryStartsWithSeek, "nobody asked for"),
    (Break::LosesCommits, Case::ReplayStartsAtCommit, "4 was committed"),
    (Break::LosesCommitsAtACrash, Case::CommitSurvivesCrash, "after a crash"),
    (Break::SkipsARecordAfterSeek, Case::SeekBackRedelivers, IT_HANGS),
    (Break::SeeksForwardOnly, Case::SeekBackRedelivers, IT_HANGS),
    (Break::CommitsForwardOnly, Case::RebuildCommitsFromItsStart, "a rebuild committed 1"),
    (Break::CommitsBackward, Case::LateCommitIsIgnored, "later commits made it"),
    (Break::SharesOffsetsAmongGroups, Case::GroupsAreIndependent, "another one's offsets"),
    (Break::DeliversWithoutLimits, Case::NextKeepsLimits, "30 records came"),
    (Break::NeverWakes, Case::NextWakesOnAppend, IT_HANGS),
    (Break::LosesWhatWasDropped, Case::NextMayBeDropped, IT_HANGS),
    (Break::TrimsCommandsToo, Case::TrimForgets, "records were forgotten"),
    (Break::ReadsFromTheStart, Case::WhatIsGoneIsRefused, "a read of what was forgotten gave"),
    (Break::StartsWhereItBegan, Case::TrimSurvivesCrash, "is past the log's retention"),
    (Break::ChangesIdentity, Case::IdentityIsStable, "the log is another one"),
    (Break::HasOneIdentityForAll, Case::IdentityIsStable, "two logs"),
    (Break::MovesStreams, Case::PartitionIsStable, "streams moved"),
    (Break::KnowsNoDuplicates, Case::DuplicateIsKnown, "the same key again"),
    (Break::ForgetsDuplicatesAtACrash, Case::DuplicateIsKnownAfterCrash, "after a crash"),
    (Break::ChecksForDuplicatesTooEarly, Case::OneOfManyCopiesIsNew, "copies at once"),
    (Break::TakesIdsForKeys, Case::OtherKeyIsNew, "taken for a duplicate"),
];

fn broken(how: Break, hangs: bool) -> DiskHarness {
    let mut harness = DiskHarness::new(PowerLossDisk::in_memory(), |_| Unsynced::Lost);
    if hangs {
        harness.patience = PATIENCE_WITH_HANGING;
    }
    if how == Break::AcksBeforeSyncing {
        harness.open = storage::open_without_syncing;
    }
    let memory = log::Memory::default();
    harness.decorate =
        Box::new(move |log, start| Arc::new(BrokenLog::new(Arc::new(log), how, start, memory.clone())));
    harness
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_break_is_noticed_by_its_case() {
    let mut runs = JoinSet::new();
    for (how, case, words) in NOTICED {
        runs.spawn(async move {
            match run(*case, &broken(*how, *words == IT_HANGS)).await {
                Ok(()) => Some(format!("{case:?} passes although the log {how:?}")),
                Err(Failure(what)) if !what.contains(words) => {
                    Some(format!("{how:?} is noticed by chance: {what}"))
                }
                Err(_) => None,
            }
        });
    }
    let missed: Vec<String> = runs.join_all().await.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn each_case_notices_some_break() {
    let noticing: BTreeSet<String> = NOTICED.iter().map(|(_, case, _)| format!("{case:?}")).collect();
    let all: BTreeSet<String> = CASES.iter().map(|case| format!("{case:?}")).collect();
    assert_eq!(noticing, all);
}
