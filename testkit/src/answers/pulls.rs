//! Pull requests: the count in one request, then every state once, and from then on what changed.

use std::collections::BTreeSet;

use domain::{Event, NeedKey, Second, Version, event::PullState};
use serde::{Deserialize, Serialize};

use super::{Asker, Target, Told, etag_of};
use crate::forge::{Moment, RepositoryMoment};

const COUNT_ETAG: &str = "pull_count";
const CHANGES_ETAG: &str = "pulls";

/// A list of changes reaches back this much further than the last one began.
const OVERLAP_SECONDS: i64 = 5;

type Listed = (u64, PullState, Second);

/// Where lists of a repository's pull requests stand.
#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    /// Which page a whole list goes on with, and what was folded when it began.
    page: Option<(usize, Version)>,
    listed: Option<Second>,
    begun: Option<Second>,
}

impl Asker<'_> {
    pub(super) async fn ask_pulls(&self, target: &Target) {
        let pulls = &target.repo.pulls;
        if pulls.counted.is_none() && target.repo.pulls_check.refused.is_none() {
            return self.ask_pull_count(target).await;
        }
        if !pulls.is_listed() {
            return self.list_pulls(target, false).await;
        }
        let contradicted = pulls.doubt.is_none();
        self.list_changed_pulls(target, !contradicted).await;
        let key = NeedKey::Pulls(target.id);
        if contradicted && self.rows().need(target.stream(), key).await.is_open() {
            self.list_pulls(target, true).await;
        }
    }

    /// What the sweep asks: what changed, then the count.
    pub(super) async fn sweep_pulls(&self, target: &Target) {
        if target.repo.pulls.is_listed() {
            self.list_changed_pulls(target, true).await;
        } else {
            self.list_pulls(target, false).await;
        }
        self.ask_pull_count(target).await;
    }

    async fn ask_pull_count(&self, target: &Target) {
        let (stream, repo) = (target.stream(), target.id);
        let changed_at = target.repo.pulls_check.changed_at;
        let etag = match target.repo.pulls.counted {
            Some(_) => self.etag(stream, COUNT_ETAG, Some(repo), changed_at).await,
            None => None,
        };
        let about = NeedKey::Pulls(repo);
        let asking = self.asking();
        let (world, date) = self.hear().await;
        let told = match world.public(repo) {
            None => Told::to(stream, vec![Event::Refused { about, status: 404 }]),
            Some(moment) => {
                let total = moment.pulls.len() as u64;
                let newest = moment.pulls.last_key_value().map_or(0, |(number, _)| *number);
                let answer = etag_of(&(total, moment.pulls.last_key_value()));
                if etag.as_ref() == Some(&answer) {
                    Told::to(stream, vec![Event::Checked { about }])
                } else {
                    let asked_at = self.version(&asking, stream);
                    let event = Event::PullCount { repo, total, newest };
                    Told::to(stream, vec![event]).etag(COUNT_ETAG, Some(repo), answer, asked_at)
                }
            }
        };
        self.append(&asking, date, vec![told]).await;
    }

    /// Reads the whole list, newest first; `again`: from its beginning, to find what vanished.
    async fn list_pulls(&self, target: &Target, again: bool) {
        let (stream, repo) = (target.stream(), target.id);
        let kind = cursor_kind(target);
        let mut cursor: Cursor = self.rows().cursor(stream, &kind).await.unwrap_or_default();
        if again {
            cursor.page = None;
        }
        let mut seen = BTreeSet::new();
        loop {
            let asking = self.asking();
            let (world, date) = self.hear().await;
            let (page, since) = cursor.page.unwrap_or_else(|| {
                cursor.begun = Some(date);
                (0, self.version(&asking, stream))
            });
            let Some(all) = pulls_of(&world, target) else {
                let about = NeedKey::Pulls(repo);
                let told = Told::to(stream, vec![Event::Refused { about, status: 404 }]);
                return self.append(&asking, date, vec![told.cursor(kind, String::new())]).await;
            };
            let (pulls, next) = self.page(&by_creation(all), page);
            seen.extend(pulls.iter().map(|(number, ..)| *number));
            let mut events = vec![Event::Pulls { repo, pulls }];
            cursor.page = next.map(|page| (page, since));
            if next.is_none() {
                if again {
                    self.ask_vanished_pulls(target, &seen).await;
                }
                events.push(Event::PullsListed { repo, since });
                cursor.listed = cursor.begun.take();
            }
            let told = Told::to(stream, events).cursor(kind.clone(), encode(&cursor));
            self.append(&asking, date, vec![told]).await;
            if next.is_none() {
                return;
            }
        }
    }

    async fn ask_vanished_pulls(&self, target: &Target, seen: &BTreeSet<u64>) {
        for number in self.rows().pull_numbers(target.account, target.id).await {
            if !seen.contains(&number) {
                self.ask_pull(target, number).await;
            }
        }
    }

    /// Reads what changed since the last list began, latest first; `settles`: the list is whole with it.
    async fn list_changed_pulls(&self, target: &Target, settles: bool) {
        let (stream, repo) = (target.stream(), target.id);
        let kind = cursor_kind(target);
        let mut cursor: Cursor = self.rows().cursor(stream, &kind).await.unwrap_or_default();
        let changed_at = target.repo.pulls_check.changed_at;
        let etag = match (settles, target.repo.pulls.doubt) {
            (true, None) => self.etag(stream, CHANGES_ETAG, Some(repo), changed_at).await,
            _ => None,
        };
        let until = cursor.listed.map_or(Second(i64::MIN), |listed| Second(listed.0 - OVERLAP_SECONDS));
        let first = self.asking();
        let since = self.version(&first, stream);
        let mut page = 0;
        let mut first_etag = String::new();
        loop {
            let asking = if page == 0 { first.clone() } else { self.asking() };
            let (world, date) = self.hear().await;
            let about = NeedKey::Pulls(repo);
            let Some(all) = pulls_of(&world, target) else {
                let told = Told::to(stream, vec![Event::Refused { about, status: 404 }]);
                return self.append(&asking, date, vec![told]).await;
            };
            let (pulls, next) = self.page(&by_change(all), page);
            if page == 0 {
                first_etag = etag_of(&pulls);
                if etag.as_ref() == Some(&first_etag) {
                    let told = Told::to(stream, vec![Event::Checked { about }]);
                    return self.append(&asking, date, vec![told]).await;
                }
                cursor.begun = Some(date);
            }
            let reached = pulls.iter().any(|(_, _, at)| *at < until);
            let mut told = Told::to(stream, vec![Event::Pulls { repo, pulls }]);
            let next = next.filter(|_| !reached);
            if next.is_none() && settles {
                told.events.push(Event::PullsListed { repo, since });
                cursor.listed = cursor.begun.take().or(cursor.listed);
                told = told.cursor(kind.clone(), encode(&cursor)).etag(
                    CHANGES_ETAG,
                    Some(repo),
                    first_etag.clone(),
                    since,
                );
            }
            self.append(&asking, date, vec![told]).await;
            match next {
                Some(next) => page = next,
                None => return,
            }
        }
    }

    pub(super) async fn ask_pull(&self, target: &Target, number: u64) {
        let (stream, repo) = (target.stream(), target.id);
        let asking = self.asking();
        let (world, date) = self.hear().await;
        let state = pulls_of(&world, target).and_then(|moment| moment.pulls.get(&number));
        let event = match state {
            Some((state, at)) => Event::Pulls { repo, pulls: vec![(number, *state, *at)] },
            None => Event::PullGone { repo, number },
        };
        self.append(&asking, date, vec![Told::to(stream, vec![event])]).await;
    }

    fn page(&self, all: &[Listed], page: usize) -> (Vec<Listed>, Option<usize>) {
        let first = (page * self.per_page).min(all.len());
        let last = (first + self.per_page).min(all.len());
        (all[first..last].to_vec(), (last < all.len()).then_some(page + 1))
    }
}

fn pulls_of<'m>(world: &'m Moment, target: &Target) -> Option<&'m RepositoryMoment> {
    world.public(target.id)
}

fn by_creation(repo: &RepositoryMoment) -> Vec<Listed> {
    repo.pulls.iter().rev().map(|(number, (state, at))| (*number, *state, *at)).collect()
}

fn by_change(repo: &RepositoryMoment) -> Vec<Listed> {
    let mut all = by_creation(repo);
    all.sort_by_key(|(number, _, at)| std::cmp::Reverse((*at, *number)));
    all
}

fn cursor_kind(target: &Target) -> String {
    format!("pulls/{}", target.id)
}

fn encode(cursor: &Cursor) -> String {
    serde_json::to_string(cursor).expect("a cursor serializes")
}
