//! Pull requests: opened, closed, reopened, merged, and what pushes do to them. They move their own
//! `updated_at`, not the repository's.

use crate::{
    model::{
        event::Audience,
        graph::CommitIndex,
        id::{AccountId, RepoId},
        pull::{Merged, Pull, Side},
        refused::Refused,
        state::View,
        world::World,
    },
    wire,
};

impl World {
    /// Asks to merge `head` (a branch of the repository, or of one of its forks) into `base`:
    /// `pull_request.opened`. Returns the number.
    ///
    /// # Errors
    /// When a branch is not there, there is nothing to merge, or the same is asked already.
    pub fn open_pull(
        &mut self,
        id: RepoId,
        head: (RepoId, &str),
        base: &str,
        title: &str,
        by: AccountId,
    ) -> Result<u64, Refused> {
        let base = self.side(id, base)?;
        let head = self.side(head.0, head.1)?;
        let repo = self.live_repository(id)?;
        if head.repo != id && !repo.forks.contains(&head.repo) {
            return Err(Refused::NotAllowed("the head is in no fork of the repository"));
        }
        if self.commits.reaches(base.commit, head.commit) {
            return Err(Refused::NotAllowed("there is nothing to merge"));
        }
        let same = |pull: &Pull| {
            pull.is_open()
                && (pull.head.repo, &pull.head.branch, &pull.base.branch)
                    == (head.repo, &head.branch, &base.branch)
        };
        if repo.pulls.values().any(same) {
            return Err(Refused::NotAllowed("that is asked already"));
        }
        let now = self.begin();
        let pull_id = self.new_id();
        let repo = self.repository_mut(id)?;
        let number = repo.next_number();
        let pull = Pull {
            id: pull_id,
            number,
            title: title.to_owned(),
            user: by,
            draft: number % 7 == 0,
            created_at: now,
            updated_at: now,
            closed_at: None,
            merged: None,
            head,
            base,
        };
        repo.pulls.insert(number, pull);
        self.emit_pull("opened", id, number, by);
        Ok(number)
    }

    /// Closes a pull request without merging it: `pull_request.closed`.
    ///
    /// # Errors
    /// When it is not open.
    pub fn close_pull(&mut self, id: RepoId, number: u64, by: AccountId) -> Result<(), Refused> {
        self.open_pull_of(id, number)?;
        let now = self.begin();
        let pull = self.pull_mut(id, number)?;
        pull.closed_at = Some(now);
        pull.updated_at = now;
        self.emit_pull("closed", id, number, by);
        Ok(())
    }

    /// Reopens a closed pull request: `pull_request.reopened`.
    ///
    /// # Errors
    /// When it is open or merged, or its head has gone or moved since.
    pub fn reopen_pull(&mut self, id: RepoId, number: u64, by: AccountId) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        let pull = repo.pulls.get(&number).ok_or(Refused::Missing("pull request"))?;
        if pull.is_open() || pull.merged.is_some() {
            return Err(Refused::NotAllowed("only a closed pull request is reopened"));
        }
        let (head, base) = (pull.head.clone(), pull.base.clone());
        let unmoved = self.side(head.repo, &head.branch).is_ok_and(|side| side.commit == head.commit);
        let mergeable =
            self.side(id, &base.branch).is_ok_and(|side| !self.commits.reaches(side.commit, head.commit));
        let asked_again = |other: &Pull| {
            other.is_open()
                && (other.head.repo, &other.head.branch, &other.base.branch)
                    == (head.repo, &head.branch, &base.branch)
        };
        if !unmoved || !mergeable || repo.pulls.values().any(asked_again) {
            return Err(Refused::NotAllowed("its branches have gone or moved"));
        }
        let now = self.begin();
        let pull = self.pull_mut(id, number)?;
        pull.closed_at = None;
        pull.updated_at = now;
        self.emit_pull("reopened", id, number, by);
        Ok(())
    }

    /// Merges a pull request, with a merge commit or squashed: `push` and `pull_request.closed`.
    ///
    /// # Errors
    /// When it is not open, or a branch has gone.
    pub fn merge_pull(
        &mut self,
        id: RepoId,
        number: u64,
        squash: bool,
        by: AccountId,
    ) -> Result<(), Refused> {
        let pull = self.open_pull_of(id, number)?;
        let (head, branch) = (pull.head.commit, pull.base.branch.clone());
        let base = self.side(id, &branch)?.commit;
        let now = self.begin();
        let parents = if squash { vec![base] } else { vec![base, head] };
        let commit = self.commit(parents, by);
        let pull = self.pull_mut(id, number)?;
        pull.closed_at = Some(now);
        pull.updated_at = now;
        pull.merged = Some(Merged { at: now, by, commit });
        self.move_branch(id, &branch, commit, by)?;
        self.emit_pull("closed", id, number, by);
        Ok(())
    }

    /// A push to a branch is a push to the open pull requests that it is the head of.
    pub(super) fn synchronize_pulls(&mut self, head: RepoId, branch: &str, by: AccountId) {
        let Ok(side) = self.side(head, branch) else { return };
        for (id, number) in self.open_pulls_from(head, branch) {
            let now = self.now();
            let Ok(pull) = self.pull_mut(id, number) else { continue };
            let before = std::mem::replace(&mut pull.head.commit, side.commit);
            if before == side.commit {
                continue;
            }
            pull.updated_at = now;
            self.emit_pull_with("synchronize", id, number, by, |o, view| {
                o.text("before", view.commits.get(before).sha);
                o.text("after", view.commits.get(side.commit).sha);
            });
        }
    }

    /// An open pull request whose commits have all come to its base is merged.
    pub(super) fn merge_contained_pulls(&mut self, id: RepoId, branch: &str, by: AccountId) {
        let Ok(base) = self.side(id, branch) else { return };
        let Ok(repo) = self.repository(id) else { return };
        let contained: Vec<u64> = (repo.pulls.values())
            .filter(|pull| pull.is_open() && pull.base.branch == branch)
            .filter(|pull| self.commits.reaches(base.commit, pull.head.commit))
            .map(|pull| pull.number)
            .collect();
        for number in contained {
            let now = self.now();
            let Ok(pull) = self.pull_mut(id, number) else { continue };
            pull.closed_at = Some(now);
            pull.updated_at = now;
            pull.merged = Some(Merged { at: now, by, commit: base.commit });
            self.emit_pull("closed", id, number, by);
        }
    }

    /// Without its branch an open pull request is closed.
    pub(super) fn close_pulls_of_branch(&mut self, id: RepoId, branch: &str, by: AccountId) {
        let mut orphans = self.open_pulls_from(id, branch);
        if let Ok(repo) = self.repository(id) {
            let into = repo.pulls.values().filter(|pull| pull.is_open() && pull.base.branch == branch);
            orphans.extend(into.map(|pull| (id, pull.number)));
        }
        orphans.sort_unstable();
        orphans.dedup();
        for (repo, number) in orphans {
            let now = self.now();
            let Ok(pull) = self.pull_mut(repo, number) else { continue };
            pull.closed_at = Some(now);
            pull.updated_at = now;
            self.emit_pull("closed", repo, number, by);
        }
    }

    /// A renamed branch takes its pull requests along.
    pub(super) fn retarget_pulls(&mut self, id: RepoId, from: &str, to: &str) {
        for (repo, number) in self.open_pulls_from(id, from) {
            if let Ok(pull) = self.pull_mut(repo, number) {
                to.clone_into(&mut pull.head.branch);
            }
        }
        if let Ok(repo) = self.repository_mut(id) {
            for pull in repo.pulls.values_mut().filter(|pull| pull.is_open() && pull.base.branch == from) {
                to.clone_into(&mut pull.base.branch);
            }
        }
    }

    fn open_pulls_from(&self, head: RepoId, branch: &str) -> Vec<(RepoId, u64)> {
        let Ok(repo) = self.repository(head) else { return Vec::new() };
        let parent = repo.fork_of.map(|fork| fork.parent);
        ([Some(head), parent].into_iter().flatten())
            .filter_map(|id| self.repository(id).ok())
            .flat_map(|repo| repo.pulls.values().map(move |pull| (repo.id, pull)))
            .filter(|(_, pull)| pull.is_open() && pull.head.repo == head && pull.head.branch == branch)
            .map(|(id, pull)| (id, pull.number))
            .collect()
    }

    fn side(&self, id: RepoId, branch: &str) -> Result<Side, Refused> {
        let repo = self.repository(id)?;
        let commit: CommitIndex = *repo.branches.get(branch).ok_or(Refused::Missing("branch"))?;
        Ok(Side { repo: id, owner: repo.owner, branch: branch.to_owned(), commit })
    }

    fn open_pull_of(&self, id: RepoId, number: u64) -> Result<&Pull, Refused> {
        let pull = self.live_repository(id)?.pulls.get(&number).ok_or(Refused::Missing("pull request"))?;
        if pull.is_open() { Ok(pull) } else { Err(Refused::NotAllowed("the pull request is not open")) }
    }

    fn pull_mut(&mut self, id: RepoId, number: u64) -> Result<&mut Pull, Refused> {
        self.repository_mut(id)?.pulls.get_mut(&number).ok_or(Refused::Missing("pull request"))
    }

    fn emit_pull(&mut self, action: &'static str, id: RepoId, number: u64, by: AccountId) {
        self.emit_pull_with(action, id, number, by, |_, _| {});
    }

    fn emit_pull_with(
        &mut self,
        action: &'static str,
        id: RepoId,
        number: u64,
        by: AccountId,
        fields: impl FnOnce(&mut wire::Object<'_>, View<'_>),
    ) {
        self.emit("pull_request", Some(action), id, by, Audience::ALL, |o, view| {
            let Some(repo) = view.repository(id) else { return };
            let Some(pull) = repo.pulls.get(&number) else { return };
            o.number("number", number);
            fields(o, view);
            o.object("pull_request", |o| wire::pull(o, view, repo, pull, wire::PullForm::Whole));
        });
    }
}
