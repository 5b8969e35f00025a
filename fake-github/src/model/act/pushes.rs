//! Pushes: every way in which a branch comes to another commit.

use std::{collections::HashSet, sync::Arc};

use rand::RngExt;

use crate::{
    model::{
        commit::{Draft, Person},
        event::Audience,
        graph::CommitIndex,
        id::{AccountId, RepoId},
        refused::Refused,
        second::Second,
        sha::Sha,
        words,
        world::World,
    },
    wire,
};

/// GitHub's bound on `commits` in a push payload.
const PAYLOAD_COMMITS_MAX: usize = 2048;

/// Which commits a push adds on top of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCommits {
    /// How many steps along first parents the branch goes back before; more than 0 is a force push.
    pub back: usize,
    /// How many commits are then added, one upon the other.
    pub count: usize,
}

/// How a ref moves: from where to where; `None` is "not there".
#[derive(Clone, Copy)]
pub(super) struct Moved<'a> {
    /// `refs/heads/main`
    pub(super) reference: &'a str,
    pub(super) before: Option<CommitIndex>,
    pub(super) after: Option<CommitIndex>,
}

impl World {
    /// Commits on a branch and pushes it. The first push to an empty repository makes its branch the default
    /// one. Returns the new head.
    ///
    /// # Errors
    /// When the repository is archived, or nothing would move.
    pub fn push(&mut self, id: RepoId, branch: &str, new: NewCommits, by: AccountId) -> Result<Sha, Refused> {
        let repo = self.live_repository(id)?;
        let mut head = repo.branches.get(branch).copied();
        if head.is_none() && !repo.is_empty() {
            return Err(Refused::Missing("branch"));
        }
        for _ in 0..new.back {
            let parents = head.map(|head| &self.commits.get(head).parents);
            head = parents.and_then(|parents| parents.first().copied());
            if head.is_none() {
                return Err(Refused::NotAllowed("the branch is not that long"));
            }
        }
        for _ in 0..new.count {
            head = Some(self.commit(head.into_iter().collect(), by));
        }
        let Some(head) = head else {
            return Err(Refused::NotAllowed("nothing to push"));
        };
        self.move_branch(id, branch, head, by)?;
        Ok(self.commits.get(head).sha)
    }

    /// Adds commits to a branch and pushes it, as the repository's owner.
    ///
    /// # Errors
    /// As [`World::push`].
    pub fn push_commits(&mut self, id: RepoId, branch: &str, count: usize) -> Result<Sha, Refused> {
        let by = self.view().actor(self.repository(id)?.owner);
        self.push(id, branch, NewCommits { back: 0, count }, by)
    }

    /// Points a branch at a commit that was pushed here before: a fast-forward, a rewind or a leap.
    ///
    /// # Errors
    /// When the commit was never pushed here, or is the branch's head.
    pub fn push_existing(
        &mut self,
        id: RepoId,
        branch: &str,
        commit: Sha,
        by: AccountId,
    ) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        let known = self.commits.find(commit).filter(|index| repo.pushed.contains(index));
        self.move_branch(id, branch, known.ok_or(Refused::Missing("commit"))?, by)
    }

    /// Merges one branch into another with a merge commit and pushes that.
    ///
    /// # Errors
    /// When a branch is not there or there is nothing to merge.
    pub fn push_merge(&mut self, id: RepoId, from: &str, into: &str, by: AccountId) -> Result<Sha, Refused> {
        let repo = self.live_repository(id)?;
        let ours = *repo.branches.get(into).ok_or(Refused::Missing("branch"))?;
        let theirs = *repo.branches.get(from).ok_or(Refused::Missing("branch"))?;
        if self.commits.reaches(ours, theirs) {
            return Err(Refused::NotAllowed("there is nothing to merge"));
        }
        let head = self.commit(vec![ours, theirs], by);
        self.move_branch(id, into, head, by)?;
        Ok(self.commits.get(head).sha)
    }

    /// Joins an unrelated history to a branch: a second root, and the merge of it.
    ///
    /// # Errors
    /// When the branch is not there.
    pub fn push_root(&mut self, id: RepoId, branch: &str, by: AccountId) -> Result<Sha, Refused> {
        let repo = self.live_repository(id)?;
        let ours = *repo.branches.get(branch).ok_or(Refused::Missing("branch"))?;
        let root = self.commit(Vec::new(), by);
        let head = self.commit(vec![ours, root], by);
        self.move_branch(id, branch, head, by)?;
        Ok(self.commits.get(head).sha)
    }

    /// Force-pushes a branch one commit back and at once forward again: two pushes in one second whose end
    /// is their beginning.
    ///
    /// # Errors
    /// When the branch has fewer than two commits.
    pub fn force_there_and_back(&mut self, id: RepoId, branch: &str, by: AccountId) -> Result<(), Refused> {
        let repo = self.live_repository(id)?;
        let head = *repo.branches.get(branch).ok_or(Refused::Missing("branch"))?;
        let parent = self.commits.get(head).parents.first().copied();
        let parent = parent.ok_or(Refused::NotAllowed("the branch is not that long"))?;
        self.move_branch(id, branch, parent, by)?;
        self.move_branch(id, branch, head, by)
    }

    /// Makes a commit that is in no repository yet.
    pub(super) fn commit(&mut self, parents: Vec<CommitIndex>, by: AccountId) -> CommitIndex {
        let now = self.now();
        let account = self.view().account(by);
        let person = Arc::new(Person {
            account: by,
            login: account.login.clone(),
            name: account.name.clone().unwrap_or_else(|| account.login.clone()),
            email: account.commit_email(),
        });
        // People sit in a few time zones, not all of whole hours.
        let zone_minutes = [0, 60, -480, 330, 540][usize::try_from(by.0 % 5).unwrap_or(0)];
        let age = if self.rng.random_bool(0.2) { self.rng.random_range(1..100_000) } else { 0 };
        let draft = Draft {
            parents,
            author: person.clone(),
            committer: person,
            authored_at: Second(now.0 - age),
            committed_at: now,
            zone_minutes,
            message: words::message(&mut self.rng),
            content: format!("{:016x}\n", self.rng.random::<u64>()),
        };
        self.commits.add(draft)
    }

    /// Points a branch at a commit and says what follows from it.
    pub(super) fn move_branch(
        &mut self,
        id: RepoId,
        branch: &str,
        after: CommitIndex,
        by: AccountId,
    ) -> Result<(), Refused> {
        if !words::is_branch(branch) {
            return Err(Refused::NotAllowed("that is no name of a branch"));
        }
        let now = self.begin();
        let repo = self.repository_mut(id)?;
        let before = repo.branches.get(branch).copied();
        if before == Some(after) {
            return Err(Refused::NotAllowed("nothing to push"));
        }
        if repo.is_empty() {
            branch.clone_into(&mut repo.default_branch);
        }
        repo.former_branches.remove(branch);
        repo.branches.insert(branch.to_owned(), after);
        repo.pushed_at = now;
        if repo.default_branch == branch {
            repo.languages_due = true;
        }
        let reference = format!("refs/heads/{branch}");
        self.emit_push(id, Moved { reference: &reference, before, after: Some(after) }, by);
        if before.is_none() {
            self.emit_created(id, branch, "branch", by);
        }
        self.synchronize_pulls(id, branch, by);
        self.merge_contained_pulls(id, branch, by);
        Ok(())
    }

    /// Emits `push` for a ref that has moved.
    pub(super) fn emit_push(&mut self, id: RepoId, moved: Moved<'_>, by: AccountId) {
        let Moved { reference, before, after } = moved;
        let Ok(repo) = self.repository(id) else { return };
        let is_branch = reference.starts_with("refs/heads/");
        let default_head =
            repo.head().filter(|_| reference.strip_prefix("refs/heads/") != Some(&repo.default_branch));
        let mut commits = match (is_branch, after) {
            (true, Some(after)) => self.commits.between(before.or(default_head), after),
            _ => Vec::new(),
        };
        commits.drain(..commits.len().saturating_sub(PAYLOAD_COMMITS_MAX));
        let forced = match (before, after) {
            (Some(before), Some(after)) => is_branch && !self.commits.reaches(after, before),
            _ => false,
        };
        let base = (repo.branches.iter())
            .filter(|_| before.is_none())
            .find(|(name, head)| {
                Some(**head) == after && reference.strip_prefix("refs/heads/") != Some(*name)
            })
            .map(|(name, _)| format!("refs/heads/{name}"));
        let fresh = match (after, self.state.repositories.get_mut(&id)) {
            (Some(after), Some(repo)) => Arc::make_mut(repo).note_pushed(&self.commits, after),
            _ => HashSet::new(),
        };
        let created = before.is_none() && after.is_some();
        self.emit("push", None, id, by, Audience::ALL, |o, view| {
            let sha =
                |index: Option<CommitIndex>| index.map_or(Sha::ZERO, |index| view.commits.get(index).sha);
            let Some(repo) = view.repository(id) else { return };
            o.text("ref", reference);
            o.text("before", sha(before));
            o.text("after", sha(after));
            o.flag("created", created);
            o.flag("deleted", after.is_none());
            o.flag("forced", forced);
            o.optional_text("base_ref", base.as_deref());
            o.text("compare", wire::compare_url(view, repo, reference, before, after));
            o.list("commits", &commits, |list, index| {
                list.object(|o| wire::push_commit(o, view, repo, *index, fresh.contains(index)));
            });
            match after {
                Some(index) => o.object("head_commit", |o| {
                    wire::push_commit(o, view, repo, index, fresh.contains(&index) || !is_branch);
                }),
                None => o.null("head_commit"),
            }
            let pusher = view.account(by);
            o.object("pusher", |o| {
                o.text("name", &pusher.login);
                o.text("email", pusher.commit_email());
            });
        });
    }

    /// Emits `create` for a branch or tag.
    pub(super) fn emit_created(&mut self, id: RepoId, name: &str, kind: &str, by: AccountId) {
        self.emit("create", None, id, by, Audience::ALL, |o, view| {
            let Some(repo) = view.repository(id) else { return };
            o.text("ref", name);
            o.text("ref_type", kind);
            o.text("master_branch", &repo.default_branch);
            o.optional_text("description", repo.description.as_deref());
            o.text("pusher_type", "user");
        });
    }

    /// Emits `delete` for a branch or tag.
    pub(super) fn emit_deleted(&mut self, id: RepoId, name: &str, kind: &str, by: AccountId) {
        self.emit("delete", None, id, by, Audience::ALL, |o, _| {
            o.text("ref", name);
            o.text("ref_type", kind);
            o.text("pusher_type", "user");
        });
    }
}
