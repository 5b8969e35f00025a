//! `pull_request` and the events about its reviews. Whatever the action, they carry the pull request.

use domain::{Event, NeedKey, event::PullReading};

use super::{Telling, TranslateError, Understood};
use crate::wire::PullTold;

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let Some(repo) = telling.own_repo() else {
        return Ok(Understood::Yes);
    };
    let number = telling.payload.number.get();
    let told = telling.payload.pull_request.value().and_then(|pull| pull.told(number));
    telling.tell(match told {
        Some(PullTold { number, state, updated_at }) => {
            Event::Pull(PullReading { repo, number, state, updated_at })
        }
        None => Event::Unclear(NeedKey::Pulls(repo)),
    });
    Ok(Understood::Yes)
}
