//! `fork`: the fork is told to its owner, as a repository of theirs. Having forked something is no
//! reason to keep an account, so that nothing is tracked by it.

use domain::AccountId;

use super::{Telling, TranslateError, Understood, repo_id};

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let Some(forkee) = telling.payload.forkee.value() else {
        return Ok(Understood::Yes);
    };
    let Some(owner) = forkee.owner_id().map(AccountId::github).filter(|owner| *owner == telling.account)
    else {
        return Ok(Understood::Yes);
    };
    let mut reading = forkee.reading(repo_id(forkee, "forkee")?, Some(owner));
    reading.fork = Some(true);
    reading.as_of = forkee.newest();
    reading.counted_at = reading.as_of;
    telling.tell_reading(reading);
    Ok(Understood::Yes)
}
