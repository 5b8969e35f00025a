//! `star`: told to the repository's owner and to whoever starred.

use domain::{AccountId, Event, event::StarReading};

use super::{Telling, TranslateError, Understood};

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let given = match telling.action() {
        "created" => true,
        "deleted" => false,
        _ => return Ok(Understood::No),
    };
    let starrer = telling.payload.sender.value().and_then(|sender| sender.id.get()).map(AccountId::github);
    // Taking a star has no time of its own; the repository's changes in the same second (reference A2).
    let starred_at = telling.payload.starred_at.get().filter(|_| given);
    let at = starred_at.unwrap_or_else(|| telling.changed_at());
    if let (Some(repo), Some(owner), Some(starrer)) = (telling.repo, telling.home, starrer)
        && (telling.is_home() || starrer == telling.account)
    {
        telling.tell(Event::Star(StarReading { repo, owner, starrer, given, at }));
    }
    Ok(Understood::Yes)
}
