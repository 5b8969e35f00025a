//! The list of all public repositories: what is new in it, and what it no longer shows.

use std::collections::BTreeSet;

use domain::{RepoId, entity::latest::Latest, event::LatestList};
use github::client::{Answer, PublicPage};

use super::{Learnt, Pause, is_new};
use crate::ask::{Asker, JobError};

/// Pages that are read in one go: five hundred repositories. A forge that made more since the last poll is searched
/// for its end instead.
pub(super) const PAGES_MAX: usize = 5;
/// A forge that is small is read from its beginning within so many pages.
const PAGES_OF_SMALL: usize = 2;

/// How many ids below those that are known are looked through first; three pages at most.
const LOWER_FIRST: u64 = 200;
/// Below a list with wide gaps twice as many are looked through each time, up to this.
const LOWER_MAX: u64 = 1 << 30;

/// A part of the list.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) after: u64,
    /// Up to where it was read.
    pub(super) through: u64,
    pub(super) is_to_the_end: bool,
    pub(super) repositories: Vec<(RepoId, String)>,
}

impl Asker {
    /// Reads what is new, and what was there once more; returns the repositories that are shown and were left out.
    pub(super) async fn read_list(&self) -> Result<Vec<RepoId>, Pause> {
        let latest = self.rows().latest().await?;
        if is_new(&latest) {
            return self.read_first_list(&latest).await.map(|()| Vec::new());
        }
        let shown: BTreeSet<RepoId> = latest.shown().map(|(id, ..)| id).collect();
        let lowest = shown.first().and_then(|id| id.as_github());
        let from = lowest.map_or(latest.floor, |lowest| lowest.saturating_sub(1));
        let mut learnt = self.begin_learning();
        self.allow_list()?;
        let walk = self.walk(&mut learnt, from, PAGES_MAX, None).await?;
        let is_covered = |id: &RepoId| {
            id.as_github().is_some_and(|number| walk.after < number && number <= walk.covered())
        };
        let listed: BTreeSet<RepoId> = walk.repositories.iter().map(|(id, _)| *id).collect();
        let missing = shown.iter().filter(|id| is_covered(id) && !listed.contains(*id)).copied().collect();
        let (through, is_to_the_end) = (walk.through, walk.is_to_the_end);
        self.tell_walk(learnt, walk, &latest).await?;
        if !is_to_the_end {
            self.read_on(&latest, through).await?;
        }
        Ok(missing)
    }

    async fn read_first_list(&self, latest: &Latest) -> Result<(), Pause> {
        if !self.is_searching().await? {
            self.allow_list()?;
            let mut learnt = self.begin_learning();
            let walk = self.walk(&mut learnt, 0, PAGES_OF_SMALL, None).await?;
            if walk.is_to_the_end {
                return Ok(self.tell_walk(learnt, walk, latest).await?);
            }
        }
        let (learnt, walk) = self.search(0).await?;
        Ok(self.tell_walk(learnt, walk, latest).await?)
    }

    /// From what was newest until now to the end.
    async fn read_on(&self, latest: &Latest, through: u64) -> Result<(), Pause> {
        self.allow()?;
        let mut learnt = self.begin_learning();
        let walk = self.walk(&mut learnt, latest.newest.max(through), PAGES_MAX, None).await?;
        let (through, is_to_the_end) = (walk.through, walk.is_to_the_end);
        self.tell_walk(learnt, walk, latest).await?;
        if !is_to_the_end {
            let (learnt, walk) = self.search(through).await?;
            self.tell_walk(learnt, walk, latest).await?;
        }
        Ok(())
    }

    /// Looks for public ids below those that are known.
    pub(super) async fn list_lower(&self, latest: &Latest) -> Result<(), Pause> {
        let mut step = LOWER_FIRST;
        let mut latest = latest.clone();
        while latest.needs_lower() {
            self.allow()?;
            let (floor, from) = (latest.floor, latest.floor.saturating_sub(step));
            let mut learnt = self.begin_learning();
            // One page more than the ids can fill.
            let pages = usize::try_from(step / 100 + 1).unwrap_or(PAGES_MAX).min(2 * PAGES_MAX);
            let mut walk = self.walk(&mut learnt, from, pages, Some(floor)).await?;
            let is_dense = walk.covered() < floor;
            // Where the pages did not reach, nothing is known: it is read from nearer.
            step = if is_dense {
                (step / 4).max(LOWER_FIRST / 4)
            } else {
                step.saturating_mul(2).min(LOWER_MAX)
            };
            if is_dense {
                continue;
            }
            walk.repositories.retain(|(id, _)| id.as_github().is_some_and(|number| number <= floor));
            // Whether anything is behind it is not its business.
            (walk.through, walk.is_to_the_end) = (floor, false);
            self.tell_walk(learnt, walk, &latest).await?;
            latest = self.rows().latest().await?;
            if latest.floor == floor {
                // The answer is not folded yet, or another asker was here.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Follows pages from an id on, at most so many, up to an id if there is one. The first page is the caller's to
    /// be allowed.
    pub(super) async fn walk(
        &self,
        learnt: &mut Learnt,
        after: u64,
        pages_max: usize,
        up_to: Option<u64>,
    ) -> Result<Walk, Pause> {
        let mut walk = Walk { after, through: after, is_to_the_end: false, repositories: Vec::new() };
        let mut next: Option<String> = None;
        for page in 0..pages_max {
            if page > 0 {
                // What was read so far is worth keeping: the next poll goes on from there.
                if let Err(Pause::Allowance) = self.allow() {
                    break;
                }
            }
            let at = next.as_deref().map_or(PublicPage::Since(after), PublicPage::Next);
            let answer = self.github.public_repositories(at, &learnt.moment.anew()).await?;
            learnt.dated(answer.date());
            let Answer::Fresh(fresh) = answer else {
                return Err(refused(&answer).into());
            };
            let (through, is_empty) = (walk.through, fresh.body.is_empty());
            // Ids rise from page to page; whatever does not is a list that goes in a circle.
            let fresh_ids = fresh.body.into_iter().filter(|(id, _)| id.as_github() > Some(through));
            let found: Vec<(RepoId, String)> = fresh_ids.collect();
            let highest = found.iter().filter_map(|(id, _)| id.as_github()).max();
            walk.repositories.extend(found);
            next = fresh.links.next().map(str::to_owned);
            walk.through = highest.unwrap_or(through);
            if is_empty || next.is_none() {
                walk.is_to_the_end = true;
                break;
            }
            if highest.is_none() {
                // It never ends, and nobody knows where it would.
                break;
            }
            if up_to.is_some_and(|up_to| walk.through >= up_to) {
                break;
            }
        }
        Ok(walk)
    }

    pub(super) async fn tell_walk(
        &self,
        mut learnt: Learnt,
        walk: Walk,
        known: &Latest,
    ) -> Result<(), JobError> {
        // What is known under the same name need not be told again.
        let is_news = |(id, name): &(RepoId, String)| {
            known.repositories.get(id).is_none_or(|copy| copy.full_name < *name)
        };
        learnt.reading.list = Some(LatestList {
            after: walk.after,
            through: walk.through,
            is_to_the_end: walk.is_to_the_end,
            repositories: walk.repositories.into_iter().filter(is_news).collect(),
        });
        self.tell_latest(learnt).await.map(drop)
    }
}

impl Walk {
    /// Up to which id everything public was shown.
    fn covered(&self) -> u64 {
        if self.is_to_the_end { u64::MAX } else { self.through }
    }
}

/// A forge without such a list.
pub(super) fn refused<T>(answer: &Answer<T>) -> JobError {
    let status = match answer {
        Answer::Refused { status, .. } => *status,
        _ => 304,
    };
    JobError::Final(format!(
        "the forge does not list public repositories: GET /repositories answered {status}"
    ))
}
