//! Commits: as push payloads and as answers show them.

use super::{
    in_path,
    json::Object,
    user::{UserForm, user},
};
use crate::model::{
    commit::{Commit, FILE},
    graph::CommitIndex,
    repository::Repository,
    state::View,
};

/// One of `commits` in a push, or its `head_commit`.
pub(crate) fn push_commit(
    o: &mut Object<'_>,
    view: View<'_>,
    repo: &Repository,
    index: CommitIndex,
    distinct: bool,
) {
    let commit = view.commits.get(index);
    o.text("id", commit.sha);
    o.text("tree_id", commit.tree);
    o.flag("distinct", distinct);
    o.text("message", &commit.message);
    o.text("timestamp", commit.timestamp());
    o.text("url", format_args!("{}/{}/commit/{}", view.urls.html, view.full_name(repo), commit.sha));
    for (key, person) in [("author", &commit.author), ("committer", &commit.committer)] {
        o.object(key, |o| {
            o.text("name", &person.name);
            o.text("email", &person.email);
            o.text("username", &person.login);
        });
    }
    let is_root = commit.parents.is_empty();
    o.texts("added", is_root.then_some(FILE));
    o.texts("removed", None::<&str>);
    o.texts("modified", (!is_root).then_some(FILE));
}

/// A commit in an answer; `whole` adds the files, as `GET …/commits/{ref}` does.
pub(crate) fn commit(o: &mut Object<'_>, view: View<'_>, repo: &Repository, commit: &Commit, whole: bool) {
    let full_name = view.full_name(repo);
    let api = format!("{}/repos/{full_name}", view.urls.api);
    let page = format!("{}/{full_name}", view.urls.html);
    let sha = commit.sha;
    o.text("sha", sha);
    o.text("node_id", format_args!("C_kwDO{:08x}{sha}", repo.id.0));
    o.object("commit", |o| {
        for (key, person, at) in [
            ("author", &commit.author, commit.authored_at),
            ("committer", &commit.committer, commit.committed_at),
        ] {
            o.object(key, |o| {
                o.text("name", &person.name);
                o.text("email", &person.email);
                o.text("date", at);
            });
        }
        o.text("message", &commit.message);
        o.object("tree", |o| {
            o.text("sha", commit.tree);
            o.text("url", format_args!("{api}/git/trees/{}", commit.tree));
        });
        o.text("url", format_args!("{api}/git/commits/{sha}"));
        o.number("comment_count", 0);
        o.object("verification", |o| {
            o.flag("verified", false);
            o.text("reason", "unsigned");
            o.null("signature");
            o.null("payload");
            o.null("verified_at");
        });
    });
    o.text("url", format_args!("{api}/commits/{sha}"));
    o.text("html_url", format_args!("{page}/commit/{sha}"));
    o.text("comments_url", format_args!("{api}/commits/{sha}/comments"));
    for (key, person) in [("author", &commit.author), ("committer", &commit.committer)] {
        o.object(key, |o| user(o, view, view.account(person.account), UserForm::Rest));
    }
    o.list("parents", &commit.parents, |list, parent| {
        let sha = view.commits.get(*parent).sha;
        list.object(|o| {
            o.text("sha", sha);
            o.text("url", format_args!("{api}/commits/{sha}"));
            o.text("html_url", format_args!("{page}/commit/{sha}"));
        });
    });
    if whole {
        o.object("stats", |o| {
            o.number("total", 1);
            o.number("additions", 1);
            o.number("deletions", 0);
        });
        o.list("files", None::<()>, |_, ()| {});
    }
}

/// The page that shows what a push changed.
pub(crate) fn compare_url(
    view: View<'_>,
    repo: &Repository,
    reference: &str,
    before: Option<CommitIndex>,
    after: Option<CommitIndex>,
) -> String {
    let page = format!("{}/{}", view.urls.html, view.full_name(repo));
    let short = |index: CommitIndex| view.commits.get(index).sha.to_string()[..12].to_owned();
    match (before, after) {
        (Some(before), Some(after)) => format!("{page}/compare/{}...{}", short(before), short(after)),
        (Some(before), None) => format!("{page}/compare/{}...000000000000", short(before)),
        (None, _) => {
            let name = reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
            format!("{page}/compare/{}", in_path(name))
        }
    }
}
