//! Branches in answers.

use super::{commit, in_path, json::Object};
use crate::model::{graph::CommitIndex, repository::Repository, state::View};

/// An item of `GET …/branches`.
pub(crate) fn short_branch(
    o: &mut Object<'_>,
    view: View<'_>,
    repo: &Repository,
    name: &str,
    head: CommitIndex,
) {
    let sha = view.commits.get(head).sha;
    o.text("name", name);
    o.object("commit", |o| {
        o.text("sha", sha);
        o.text("url", format_args!("{}/repos/{}/commits/{sha}", view.urls.api, view.full_name(repo)));
    });
    o.flag("protected", false);
}

/// `GET …/branches/{branch}`.
pub(crate) fn branch(o: &mut Object<'_>, view: View<'_>, repo: &Repository, name: &str, head: CommitIndex) {
    let full_name = view.full_name(repo);
    let url = format!("{}/repos/{full_name}/branches/{}", view.urls.api, in_path(name));
    o.text("name", name);
    o.object("commit", |o| commit(o, view, repo, view.commits.get(head), false));
    o.object("_links", |o| {
        o.text("self", &url);
        o.text("html", format_args!("{}/{full_name}/tree/{}", view.urls.html, in_path(name)));
    });
    o.flag("protected", false);
    o.object("protection", |o| {
        o.flag("enabled", false);
        o.object("required_status_checks", |o| {
            o.text("enforcement_level", "off");
            o.texts("contexts", None::<&str>);
            o.list("checks", None::<()>, |_, ()| {});
        });
    });
    o.text("protection_url", format_args!("{url}/protection"));
}
