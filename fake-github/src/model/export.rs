//! A repository as a stream for `git fast-import`, so that git itself can say what the names and counts
//! of its commits are.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    commit::{FILE, zone},
    id::RepoId,
    sha::Sha,
    world::World,
};

impl World {
    /// Every commit ever pushed to a repository, its branches and its tags. The mark of the n-th commit of
    /// the list (from 1) is n; git's `--export-marks` then tells by which name git knows it.
    pub fn export(&self, id: RepoId) -> Option<(String, Vec<Sha>)> {
        let repo = self.repository(id).ok()?;
        let order: BTreeSet<_> = repo.pushed.iter().copied().collect();
        let marks: std::collections::HashMap<_, _> = order.iter().copied().zip(1_usize..).collect();
        let mut out = String::new();
        for index in &order {
            let commit = self.commits.get(*index);
            // A commit without `from` continues its ref, so a root needs a fresh one.
            out.push_str("reset refs/import\n\n");
            let _ = write!(out, "commit refs/import\nmark :{}\n", marks[index]);
            let zone = zone(commit.zone_minutes);
            for (role, person, at) in [
                ("author", &commit.author, commit.authored_at),
                ("committer", &commit.committer, commit.committed_at),
            ] {
                let _ = writeln!(out, "{role} {} <{}> {} {zone}", person.name, person.email, at.0);
            }
            let _ = writeln!(out, "data {}\n{}", commit.message.len(), commit.message);
            for (place, parent) in commit.parents.iter().enumerate() {
                let word = if place == 0 { "from" } else { "merge" };
                let _ = writeln!(out, "{word} :{}", marks[parent]);
            }
            let _ = writeln!(out, "deleteall\nM 100644 inline {FILE}");
            let _ = writeln!(out, "data {}\n{}", commit.content.len(), commit.content);
        }
        for (kind, refs) in [("heads", &repo.branches), ("tags", &repo.tags)] {
            for (name, index) in refs {
                let _ = writeln!(out, "reset refs/{kind}/{name}\nfrom :{}\n", marks[index]);
            }
        }
        out.push_str("reset refs/import\nfrom 0000000000000000000000000000000000000000\n\ndone\n");
        Some((out, order.iter().map(|index| self.commits.get(*index).sha).collect()))
    }
}
