//! What a record says of stars, on its way into the cells of the repositories that they are given to.

use super::Fold;
use crate::{
    entity::{
        stargazers::{self, StarBucket},
        stars::Stars,
    },
    event::{Asked, StarsReading},
    id::{AccountId, RepoId},
    ledger::stars::{self, StarCell},
    time::Second,
    version::Version,
};

impl Fold<'_> {
    pub(super) fn read_stars(&mut self, reading: &StarsReading<'_>, asked: &Asked) {
        let stamp = self.stamp;
        for given in stars::members_of(reading) {
            self.change_member(reading.repo, given.user, |bucket| bucket.read(given, &stamp));
        }
        if let Some(list) = &reading.listed {
            for user in &list.absent {
                self.change_member(reading.repo, *user, |bucket| {
                    bucket.absent(*user, list.since, asked, &stamp);
                });
            }
            self.change_stars(reading.repo, |stars| stars.listed(list, asked));
        }
        for starred in &reading.starred {
            let cell = self.star_cell(reading.repo);
            let before = cell.starred_version(starred.starrer);
            cell.read_starred(starred, asked, &stamp);
            self.note_replayed(reading.repo, before);
        }
        for confirmed in &reading.confirmed {
            let cell = self.star_cell(reading.repo);
            let before = cell.check_version(confirmed.starrer);
            cell.confirm_starred(confirmed, asked, &stamp);
            self.note_replayed(reading.repo, before);
        }
    }

    /// The forge erases the stars of what goes private. That is noted also where none were told of: one may be told late,
    /// and whether some are known depends on where a replay begins.
    pub(super) fn erase_stars(&mut self, repo: RepoId, at: Second) {
        self.change_stars(repo, |stars| {
            stars.erase(at);
        });
    }

    /// The stars of a repository, which must be written with it.
    pub(super) fn star_cell(&mut self, repo: RepoId) -> &mut StarCell {
        // What is shown of the repository is looked at again.
        self.change(repo, |_| {});
        let cell = self.ledger.cell(repo, &self.stamp);
        cell.stars.get_or_insert_with(|| Box::new(StarCell::new(repo)))
    }

    /// Changes how the stars of a repository stand, unless this record is in their row already.
    pub(super) fn change_stars(&mut self, repo: RepoId, change: impl FnOnce(&mut Stars)) {
        let stamp = self.stamp;
        let known = self.stars.iter().find(|(of, _)| *of == repo).map(|(_, version)| *version);
        let cell = self.star_cell(repo);
        let before = known.unwrap_or(cell.version());
        cell.change(before, &stamp, change);
        if known.is_none() {
            self.stars.push((repo, before));
        }
        self.note_replayed(repo, before);
    }

    /// Changes the slice of a star set that holds an account, unless this record is in it already.
    pub(super) fn change_member(
        &mut self,
        repo: RepoId,
        user: AccountId,
        change: impl FnOnce(&mut StarBucket),
    ) {
        let stamp = self.stamp;
        let bucket = stargazers::bucket_of(user);
        let known = self.star_buckets.iter().find(|(of, at, _)| (*of, *at) == (repo, bucket));
        let known = known.map(|(.., version)| *version);
        let cell = self.star_cell(repo);
        let before = known.unwrap_or(cell.bucket_version(user));
        cell.change_member(user, before, &stamp, change);
        if known.is_none() {
            self.star_buckets.push((repo, bucket, before));
        }
        self.note_replayed(repo, before);
    }

    pub(super) fn note_replayed(&mut self, repo: RepoId, before: Version) {
        if before >= self.stamp.version
            && let Some(cell) = self.ledger.cells.get_mut(&repo)
        {
            cell.dirty.replayed = true;
            self.ledger.dirty.replayed = true;
        }
    }
}
