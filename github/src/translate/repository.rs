//! `repository` and `public`: what became of a repository besides what it now looks like.

use domain::{AccountId, Event, NeedKey, event::HiddenWhy};

use super::{Telling, TranslateError, Understood};
use crate::wire::Changes;

const ACTIONS: [&str; 9] = [
    "archived",
    "created",
    "deleted",
    "edited",
    "privatized",
    "publicized",
    "renamed",
    "transferred",
    "unarchived",
];

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    if !ACTIONS.contains(&telling.action()) {
        return Ok(Understood::No);
    }
    let Some(repo) = telling.own_repo() else {
        tell_former_owner(telling);
        return Ok(Understood::Yes);
    };
    let at = telling.changed_at();
    let changes = telling.payload.changes.value();
    let told = match telling.action() {
        "edited" => changes
            .filter(|changes| changes.default_branch.value().is_some())
            .map(|_| Event::DefaultBranchChanged { repo }),
        "renamed" => changes.and_then(Changes::former_name).map(|name| Event::RenamedFrom {
            repo,
            name: name.clone(),
            at,
        }),
        "privatized" => Some(Event::RepositoryHidden { repo, at, why: HiddenWhy::Private }),
        "deleted" => Some(Event::RepositoryHidden { repo, at, why: HiddenWhy::Deleted }),
        "publicized" => Some(Event::RepositoryPublished { repo, at }),
        _ => None,
    };
    if let Some(told) = told {
        telling.tell(told);
    }
    Ok(Understood::Yes)
}

/// `public`, the older word for `repository.publicized`; it has no action.
pub(super) fn tell_public(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    if let Some(repo) = telling.own_repo() {
        let at = telling.changed_at();
        telling.tell(Event::RepositoryPublished { repo, at });
    }
    Ok(Understood::Yes)
}

/// The former owner hears only that the repository is theirs no more.
fn tell_former_owner(telling: &mut Telling<'_>) {
    let changes = telling.payload.changes.value().filter(|_| telling.action() == "transferred");
    let former = changes.and_then(Changes::former_owner).map(AccountId::github);
    let Some(repo) = telling.repo.filter(|_| former == Some(telling.account)) else {
        return;
    };
    let at = telling.changed_at();
    telling.tell(match telling.home {
        Some(to) => Event::RepositoryMoved { repo, to, at },
        None => Event::Unclear(NeedKey::Repository(repo)),
    });
}
