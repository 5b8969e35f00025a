//! A commit as git stores it: its name is the hash of its tree, parents, people, times and message.
//! Every commit holds one file, whose content is unique, so that every tree is too.

use std::{fmt::Write as _, sync::Arc};

use super::{graph::CommitIndex, id::AccountId, second::Second, sha::Sha};

/// The one file of every commit.
pub(crate) const FILE: &str = "notes.txt";

/// Who wrote a commit, as it stood in their settings then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// What a commit is made of, before it has a name.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) parents: Vec<CommitIndex>,
    pub(crate) author: Arc<Person>,
    pub(crate) committer: Arc<Person>,
    pub(crate) authored_at: Second,
    pub(crate) committed_at: Second,
    /// Minutes east of UTC of the author's and committer's clock.
    pub(crate) zone_minutes: i32,
    pub(crate) message: String,
    /// The text of the one file.
    pub(crate) content: String,
}

/// A commit with its name, and how many commits it reaches (itself included).
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) sha: Sha,
    pub(crate) tree: Sha,
    pub(crate) parents: Vec<CommitIndex>,
    pub(crate) author: Arc<Person>,
    pub(crate) committer: Arc<Person>,
    pub(crate) authored_at: Second,
    pub(crate) committed_at: Second,
    pub(crate) zone_minutes: i32,
    pub(crate) message: String,
    pub(crate) content: String,
    /// `git rev-list --count` of this commit. It never changes.
    pub(crate) reaches: u64,
}

impl Commit {
    /// Names a draft, whose parents have these names, and which reaches so many commits.
    pub(crate) fn new(draft: Draft, parents: &[Sha], reaches: u64) -> Self {
        let blob = Sha::of("blob", draft.content.as_bytes());
        let mut entry = format!("100644 {FILE}\0").into_bytes();
        entry.extend_from_slice(blob.bytes());
        let tree = Sha::of("tree", &entry);
        let mut text = format!("tree {tree}\n");
        for parent in parents {
            let _ = writeln!(text, "parent {parent}");
        }
        let zone = zone(draft.zone_minutes);
        for (role, person, at) in [
            ("author", &draft.author, draft.authored_at),
            ("committer", &draft.committer, draft.committed_at),
        ] {
            let _ = writeln!(text, "{role} {} <{}> {} {zone}", person.name, person.email, at.0);
        }
        text.push('\n');
        text.push_str(&draft.message);
        Commit {
            sha: Sha::of("commit", text.as_bytes()),
            tree,
            parents: draft.parents,
            author: draft.author,
            committer: draft.committer,
            authored_at: draft.authored_at,
            committed_at: draft.committed_at,
            zone_minutes: draft.zone_minutes,
            message: draft.message,
            content: draft.content,
            reaches,
        }
    }

    /// The commit date with its zone, as push payloads show it: `2026-11-21T11:00:00+01:00`.
    pub(crate) fn timestamp(&self) -> String {
        let offset = jiff::tz::Offset::from_seconds(self.zone_minutes * 60).unwrap_or(jiff::tz::Offset::UTC);
        let time = jiff::Timestamp::from_second(self.committed_at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        time.display_with_offset(offset).to_string()
    }
}

/// Git's zone: `+0530`.
pub(crate) fn zone(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_named_as_git_names_it() {
        let person = Arc::new(Person {
            account: AccountId(1),
            login: "a".into(),
            name: "A U Thor".into(),
            email: "a@example.com".into(),
        });
        let commit = Commit::new(
            Draft {
                parents: vec![],
                author: person.clone(),
                committer: person,
                authored_at: Second(1_700_000_000),
                committed_at: Second(1_700_000_000),
                zone_minutes: -330,
                message: "hello\n".into(),
                content: "hi\n".into(),
            },
            &[],
            1,
        );
        // The same commit, made by `git commit-tree`.
        assert_eq!(commit.tree.to_string(), "076819534da1d5ac6f379499f975d349320936f3");
        assert_eq!(commit.sha.to_string(), "bd1ffd971877668e3f03ad3711f5b477f2976a03");
        assert_eq!(commit.timestamp(), "2023-11-14T16:43:20-05:30");
    }
}
