//! `installation` and `installation_repositories`: what an App may see of an account. The payloads name
//! repositories by id and name only, so that the list is to be asked.

use domain::{
    AccountId, Event, NeedKey, RepoId,
    event::{RepositoryReading, TrackedBy},
};

use super::{Telling, TranslateError, Understood};
use crate::wire::{Field, List, Repository};

pub(super) fn tell(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    match telling.action() {
        "created" | "unsuspend" | "new_permissions_accepted" => {
            let repositories = std::mem::take(&mut telling.payload.repositories);
            tell_added(telling, &repositories);
        }
        "deleted" | "suspend" if telling.is_home() => telling.tell(Event::InstallationLeft { repos: None }),
        "deleted" | "suspend" => {}
        _ => return Ok(Understood::No),
    }
    Ok(Understood::Yes)
}

pub(super) fn tell_repositories(telling: &mut Telling<'_>) -> Result<Understood, TranslateError> {
    match telling.action() {
        "added" => {
            let added = std::mem::take(&mut telling.payload.repositories_added);
            tell_added(telling, &added);
        }
        "removed" => {
            let removed: Option<Vec<RepoId>> =
                telling.payload.repositories_removed.value().map(|list| ids(list).collect());
            if telling.is_home() {
                telling.tell(match removed {
                    Some(repos) => Event::InstallationLeft { repos: Some(repos) },
                    None => Event::Unclear(NeedKey::Repositories),
                });
            }
        }
        _ => return Ok(Understood::No),
    }
    Ok(Understood::Yes)
}

fn tell_added<'a>(telling: &mut Telling<'a>, repositories: &Field<List<Repository<'a>>>) {
    if !telling.is_home() {
        return;
    }
    // A payload that has a repository of its own has said so already.
    if telling.events.is_empty() {
        telling.tell(Event::Tracked(TrackedBy::Delivery));
    }
    if let Some(owner) = installed_on(telling) {
        telling.tell(owner);
    }
    let stubs = repositories.value().map(|list| list.0.as_slice()).unwrap_or_default();
    for stub in stubs {
        if let Some(id) = stub.id.get() {
            let whole = stub.reading(RepoId::github(id), None);
            telling.tell_reading(RepositoryReading {
                name: whole.name,
                private: whole.private,
                ..RepositoryReading::of(whole.id)
            });
        }
    }
    telling.tell(Event::RepositoriesAdded);
}

fn installed_on<'a>(telling: &Telling<'a>) -> Option<Event<'a>> {
    let account = telling.payload.installation.value()?.account.value()?;
    let id = account.id.get().map(AccountId::github).filter(|id| *id == telling.account)?;
    account.reading(id).map(Event::Owner)
}

fn ids(list: &List<Repository<'_>>) -> impl Iterator<Item = RepoId> {
    list.0.iter().filter_map(|stub| stub.id.get()).map(RepoId::github)
}
