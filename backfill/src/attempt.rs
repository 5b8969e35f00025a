//! Whether asking for an account as a whole comes to anything, noted as a row: readers are told when nothing is
//! known of it because its forge fails, and that what they see may be old.
//!
//! Only a turn is noted, from working to failing or back, so that a forge that is away for a day costs two
//! records an account.

use domain::{
    NeedKey, StreamKey,
    record::{ATTEMPT_CURSOR, login_attempt_cursor},
};

use crate::{
    ask::{Asker, JobError, Told},
    schedule::{Ended, Task, What},
};

impl Asker {
    /// Notes how a task ended, if that is a turn.
    pub(crate) async fn note_attempt(
        &self,
        task: &Task,
        ended: &Result<Ended, JobError>,
    ) -> Result<(), JobError> {
        let Some(cursor) = cursor_of(task) else { return Ok(()) };
        let Some(has_failed) = has_failed(ended) else { return Ok(()) };
        let failing: Option<i64> = self.rows().cursor(task.stream, &cursor).await?;
        if failing.is_some() == has_failed {
            return Ok(());
        }
        let moment = self.moment();
        let value = if has_failed { moment.ms.0.to_string() } else { String::new() };
        let told = Told::to(task.stream, Vec::new()).cursor(cursor, value);
        self.append(&moment, moment.ms.to_second(), vec![told]).await?;
        Ok(())
    }
}

/// The cursor of what a task asks for, where that is an account as a whole.
fn cursor_of(task: &Task) -> Option<String> {
    match (task.stream, &task.what) {
        (StreamKey::Service, What::Need(NeedKey::Login(forge, login))) => {
            Some(login_attempt_cursor(*forge, login))
        }
        (
            StreamKey::Account(_),
            What::Sweep | What::Need(NeedKey::Profile | NeedKey::Repositories | NeedKey::Everything),
        ) => Some(ATTEMPT_CURSOR.to_owned()),
        _ => None,
    }
}

/// `None` where nothing was tried: a limit is no failure, what it puts off will come.
fn has_failed(ended: &Result<Ended, JobError>) -> Option<bool> {
    match ended {
        Ok(Ended::Answered) => Some(false),
        Err(JobError::Away(..) | JobError::Retry(_) | JobError::Final(_)) => Some(true),
        Ok(Ended::Part | Ended::Failed)
        | Err(JobError::Wait(..) | JobError::Reserved(..) | JobError::Stop(_) | JobError::Ending) => None,
    }
}
