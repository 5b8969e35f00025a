//! `star`: told to the repository's owner and to whoever starred.

use domain::{AccountId, Event, event::StarReading};

use super::{Telling, TranslateError, Understood};

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    let given = match telling.action() {
        "created" => true,
        "deleted" => false,
        _ => return Ok(Understood::No),
    };
    let sender = telling.payload.sender.value();
    let starrer = sender.and_then(|sender| sender.id.get()).map(AccountId::github);
    let login = sender.and_then(|sender| sender.login.value().cloned());
    // Taking a star has no time of its own; the repository's changes in the same second (reference A2).
    let starred_at = telling.payload.starred_at.get().filter(|_| given);
    let at = starred_at.unwrap_or_else(|| telling.changed_at());
    if let (Some(repo), Some(owner), Some(starrer)) = (telling.repo, telling.home, starrer)
        && (telling.is_home() || starrer == telling.account)
    {
        telling.tell(Event::Star(StarReading { repo, owner, starrer, login, given, at }));
    }
    Ok(Understood::Yes)
}
