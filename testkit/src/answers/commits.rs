//! Head and commit count of a default branch, as one pair; the repository is asked first.

use domain::{Event, NeedKey, Version};

use super::{
    Asker, Target, etag_of,
    repository::{Found, find},
};

const ETAG: &str = "head";

impl Asker<'_> {
    pub(super) async fn ask_commits(&self, target: &Target) {
        let (stream, repo) = (target.stream(), &target.repo);
        let about = NeedKey::Commits(target.id);
        let asking = self.asking();
        let etag = self.repository_etag(target).await;
        let (world, date) = self.hear().await;
        let found = find(&world, target, etag.as_deref());
        let (branch, pushed_at) = match &found {
            Found::Here(reading) => {
                (reading.default_branch.as_ref().map(ToString::to_string), reading.pushed_at.unwrap_or(date))
            }
            Found::Unchanged => (
                repo.facts.default_branch.as_ref().map(|branch| branch.value.clone()),
                repo.facts.pushed_at.unwrap_or(date),
            ),
            Found::Elsewhere(_) => {
                let told = self.tell_repository(target, &asking, found);
                return self.append(&asking, date, vec![told]).await;
            }
        };
        let mut told = self.tell_repository(target, &asking, found);
        let Some(branch) = branch else {
            told.events.push(Event::Refused { about, status: 404 });
            return self.append(&asking, date, vec![told]).await;
        };

        let pair = repo.commits.pair.as_ref();
        let etag = match pair.filter(|pair| pair.branch == branch && repo.commits.doubt.is_none()) {
            Some(_) => self.etag(stream, ETAG, Some(target.id), repo.commits_check.changed_at).await,
            None => None,
        };
        let (world, _) = self.hear().await;
        // Between the two requests it may have gone private, or its branch may have got another name.
        let pair = world.public(target.id).and_then(|repo| repo.pair(&branch, pushed_at));
        match pair {
            None => told.events.push(Event::Refused { about, status: 404 }),
            Some(pair) if pair.head.is_some() && etag == Some(etag_of(&pair.head)) => {
                told.events.push(Event::Checked { about });
            }
            Some(pair) => {
                let asked_at: Version = self.version(&asking, stream);
                if pair.head.is_some() {
                    told = told.etag(ETAG, Some(target.id), etag_of(&pair.head), asked_at);
                }
                told.events.push(Event::Commits(pair));
            }
        }
        self.append(&asking, date, vec![told]).await;
    }
}
