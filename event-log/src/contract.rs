//! The contract suite: what every adapter of [`EventLog`] must do, whichever technology keeps the log.
//!
//! An adapter brings a [`Harness`]; a test runs every one of [`CASES`] on a harness of its own with [`run`].
//! The suite is itself tested: for each way to break an adapter there is a test that names the case which
//! notices it.

mod duplicates;
mod durability;
mod follow;
mod groups;
mod identity;
mod order;
pub mod power_loss;
mod reading;
mod sample;
mod trimming;
mod waiting;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::port::{AppendError, EventLog, LogError};

/// One log for the suite to work on, empty at first.
#[async_trait]
pub trait Harness: Send + Sync {
    /// What the adapter promises beyond the port.
    fn capabilities(&self) -> Capabilities;

    /// Opens the log, and makes it at the first call. Everything that an earlier call gave is dropped by
    /// then.
    async fn open(&self) -> Result<Arc<dyn EventLog>, Failure>;

    /// Ends whoever keeps the log, without warning, at this very moment: kill -9 or a lost supply. What was
    /// opened before may answer with errors from now on.
    async fn crash(&self) -> Result<(), Failure>;

    /// A new log that has nothing to do with this one.
    async fn open_another(&self) -> Result<Arc<dyn EventLog>, Failure>;
}

/// What an adapter promises beyond the port.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// Keys of durable appends are known, also after a crash; without it they are known by chance.
    pub remembers_duplicates: bool,
    /// An append that a crash interrupts is there as a whole or not at all; without it, parts of an append
    /// that was never acknowledged may be there.
    pub appends_are_atomic: bool,
    /// How long a case may take before it counts as hanging.
    pub patience: Duration,
}

/// What an adapter did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        Failure(format!("an append failed: {error}"))
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Failure(format!("a call failed: {error}"))
    }
}

/// Fails the case with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err($crate::contract::Failure(format!($($sentence)+)));
        }
    };
}
use ensure;

macro_rules! cases {
    ($($(#[$doc:meta])* $case:ident => $run:path,)+) => {
        /// One thing that an adapter must do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Case {
            $($(#[$doc])* $case,)+
        }

        /// Every case.
        pub const CASES: &[Case] = &[$(Case::$case),+];

        async fn run_case(case: Case, harness: &dyn Harness) -> Result<(), Failure> {
            match case {
                $(Case::$case => $run(harness).await,)+
            }
        }
    };
}

cases! {
    /// What was acknowledged is there after a crash, at its position, unchanged.
    AckedSurvivesCrash => durability::acked_survives_crash,
    /// An append of several records is wholly there once it is acknowledged.
    AckedAppendIsWhole => durability::acked_append_is_whole,
    /// An append of several records that a crash interrupted is wholly there or not at all.
    AppendIsAllOrNothing => durability::append_is_all_or_nothing,
    /// After a crash, new records follow the old ones without a gap and replace none.
    AppendsContinueAfterCrash => durability::appends_continue_after_crash,

    /// Records of one stream stay in the order of their appends, whatever else is appended meanwhile.
    StreamKeepsOrder => order::stream_keeps_order,
    /// Offsets start at 0 and have no gaps, and each record is where its append said.
    OffsetsAreDense => order::offsets_are_dense,

    /// Records come back with every part as it was, however strange.
    RecordsRoundTrip => reading::records_round_trip,
    /// A record of 25 MiB, the largest delivery, comes back byte for byte.
    LargeRecordRoundTrips => reading::large_record_round_trips,
    /// A read keeps its limits, but always returns a record when there is one.
    ReadKeepsLimits => reading::read_keeps_limits,
    /// Start and end of each partition are told exactly, at any time.
    BoundsAreExact => reading::bounds_are_exact,

    /// A group that never committed is told so.
    UnknownGroupHasNoOffsets => groups::unknown_group_has_no_offsets,
    /// Nothing of a partition is delivered before `seek` said from where.
    DeliveryStartsWithSeek => groups::delivery_starts_with_seek,
    /// A group goes on exactly where it committed.
    ReplayStartsAtCommit => groups::replay_starts_at_commit,
    /// A commit that was waited for survives a crash.
    CommitSurvivesCrash => groups::commit_survives_crash,
    /// A seek back delivers again, everything from there.
    SeekBackRedelivers => groups::seek_back_redelivers,
    /// After a seek back, commits count from there, so that a rebuild resumes itself.
    RebuildCommitsFromItsStart => groups::rebuild_commits_from_its_start,
    /// A commit behind an earlier one changes nothing.
    LateCommitIsIgnored => groups::late_commit_is_ignored,
    /// What one group commits is nothing to another.
    GroupsAreIndependent => groups::groups_are_independent,

    /// `next` keeps its limits, but always returns a record.
    NextKeepsLimits => waiting::next_keeps_limits,
    /// `next` returns when a record comes.
    NextWakesOnAppend => waiting::next_wakes_on_append,
    /// `next` may be dropped at any moment, and nothing is lost or doubled.
    NextMayBeDropped => waiting::next_may_be_dropped,

    /// What is trimmed is gone but for what is kept, the rest is where it was, and new records follow.
    TrimForgets => trimming::trim_forgets,
    /// Whoever asks for what was trimmed is told so, and may begin where the log begins.
    WhatIsGoneIsRefused => trimming::what_is_gone_is_refused,
    /// A crash during a trim leaves a log that is whole from its start on.
    TrimSurvivesCrash => trimming::trim_survives_crash,

    /// A log is the same after a crash, and no other one is.
    IdentityIsStable => identity::identity_is_stable,
    /// A stream's partition never changes, and streams share all of them.
    PartitionIsStable => identity::partition_is_stable,

    /// The same key a second time is a duplicate and writes nothing; also while it follows at once.
    DuplicateIsKnown => duplicates::duplicate_is_known,
    /// The same key is a duplicate after a crash too.
    DuplicateIsKnownAfterCrash => duplicates::duplicate_is_known_after_crash,
    /// Of many copies at once exactly one is new.
    OneOfManyCopiesIsNew => duplicates::one_of_many_copies_is_new,
    /// The same delivery id with another key, or without one, is not a duplicate.
    OtherKeyIsNew => duplicates::other_key_is_new,
}

/// Runs one case on a log that is still empty.
///
/// # Errors
/// What the adapter did wrong.
pub async fn run(case: Case, harness: &dyn Harness) -> Result<(), Failure> {
    let patience = harness.capabilities().patience;
    match tokio::time::timeout(patience, run_case(case, harness)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Failure(what))) => Err(Failure(format!("{case:?}: {what}"))),
        Err(_) => Err(Failure(format!("{case:?}: it hangs (nothing for {patience:?})"))),
    }
}
