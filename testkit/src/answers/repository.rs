//! One repository: names, visibility, gauges; and whether it is still there, and still this account's.

use domain::{AccountId, Event, NeedKey, Second, Version, event::RepositoryReading};

use super::{Asker, Asking, Target, Told, etag_of};
use crate::forge::{Moment, second};

const ETAG: &str = "repository";

/// What asking for a repository found.
pub(super) enum Found {
    Here(Box<RepositoryReading<'static>>),
    Unchanged,
    Elsewhere(Box<Event<'static>>),
}

impl Asker<'_> {
    pub(super) async fn ask_repository(&self, target: &Target) {
        let asking = self.asking();
        let etag = self.repository_etag(target).await;
        let (world, date) = self.hear().await;
        let found = find(&world, target, etag.as_deref());
        let told = self.tell_repository(target, &asking, found);
        self.append(&asking, date, vec![told]).await;
    }

    /// None where something is in doubt that the answer must settle.
    pub(super) async fn repository_etag(&self, target: &Target) -> Option<String> {
        let repo = &target.repo;
        if repo.facts_doubts().next().is_some() || repo.asked_alone_at == Version::NONE {
            return None;
        }
        self.etag(target.stream(), ETAG, Some(target.id), repo.facts_check.changed_at).await
    }

    pub(super) fn tell_repository(&self, target: &Target, asking: &Asking, found: Found) -> Told {
        let stream = target.stream();
        match found {
            Found::Here(reading) => {
                let etag = etag_of(&reading);
                let asked_at = self.version(asking, stream);
                Told::to(stream, vec![Event::Repository(reading)]).etag(ETAG, Some(target.id), etag, asked_at)
            }
            Found::Unchanged => {
                Told::to(stream, vec![Event::Checked { about: NeedKey::Repository(target.id) }])
            }
            Found::Elsewhere(event) => Told::to(stream, vec![*event]),
        }
    }
}

pub(super) fn find(world: &Moment, target: &Target, etag: Option<&str>) -> Found {
    let repo = target.id;
    let Some(moment) = world.public(repo) else {
        return Found::Elsewhere(Box::new(Event::RepositoryGone { repo }));
    };
    let owner = AccountId::github(moment.truth.owner.0);
    if owner != target.account {
        let at: Second = second(moment.truth.updated_at).max(second(moment.truth.pushed_at));
        return Found::Elsewhere(Box::new(Event::RepositoryMoved { repo, to: owner, at }));
    }
    let reading = Box::new(world.reading(moment, true));
    if etag == Some(etag_of(&reading).as_str()) { Found::Unchanged } else { Found::Here(reading) }
}
