//! Word to the log that an account is read: one that is kept only for its readers is dropped when there are
//! none for long.

use std::{sync::Arc, time::Duration};

use domain::{AccountId, Event, Millis, StreamKey, directory::Directory, event::TrackedBy};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    claims::{Claimed, Claims},
    commands::Commands,
};

/// What only readers know is told at most so often (design §6).
const TOLD_EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an account is remembered as told, until its row must show it.
const TOLD_LASTS: Duration = Duration::from_secs(60 * 60);
/// Accounts that are remembered so; the next reader of one that is not will tell.
const TOLD_MAX: usize = 16_384;
/// Appends under way at a time; a crowd of first readers of the day must not fill the log's queue.
const APPENDS_MAX: usize = 16;
/// How long one may take before it is given up; the next reader tells again.
const APPEND_WAIT: Duration = Duration::from_secs(30);

/// Tells of readers.
pub(crate) struct Readers {
    commands: Commands,
    told: Arc<Claims<AccountId>>,
    appends: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(commands: Commands) -> Self {
        Readers {
            commands,
            told: Arc::new(Claims::new(TOLD_LASTS, TOLD_MAX)),
            appends: Arc::new(Semaphore::new(APPENDS_MAX)),
        }
    }

    /// Notes that an account was read; what is to be told is told beside the answer.
    pub(crate) fn note(&self, account: AccountId, directory: &Directory, now: Millis) {
        let is_told = now < directory.read_ms.plus(TOLD_EVERY_MS);
        if directory.by != Some(TrackedBy::Read) || is_told {
            return;
        }
        let Ok(permit) = Arc::clone(&self.appends).try_acquire_owned() else { return };
        if self.told.take(account) != Claimed::Now {
            return;
        }
        let (commands, told) = (self.commands.clone(), Arc::clone(&self.told));
        tokio::spawn(async move {
            let stream = StreamKey::Account(account);
            let record = commands.record(stream, format!("read {account}"), vec![Event::Read]);
            if commands.append(vec![record], Instant::now() + APPEND_WAIT).await.is_err() {
                told.release(&account);
            }
            drop(permit);
        });
    }
}
