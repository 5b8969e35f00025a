//! Pull requests: whole in payloads and on their own, simple in lists.

use super::{
    json::Object,
    repository::{Form, repository},
    user::{UserForm, user},
};
use crate::model::{
    pull::{Pull, Side},
    repository::Repository,
    state::View,
};

/// How much of a pull request is written, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullForm {
    /// In a webhook payload: everything.
    Whole,
    /// `GET …/pulls/{number}`: everything.
    RestWhole,
    /// An item of `GET …/pulls`: no counts, and `merged` only as `merged_at`.
    RestSimple,
}

/// The fields of a pull request.
pub(crate) fn pull(o: &mut Object<'_>, view: View<'_>, repo: &Repository, pull: &Pull, form: PullForm) {
    let full_name = view.full_name(repo);
    let api = format!("{}/repos/{full_name}", view.urls.api);
    let url = format!("{api}/pulls/{}", pull.number);
    let issue = format!("{api}/issues/{}", pull.number);
    let page = format!("{}/{full_name}/pull/{}", view.urls.html, pull.number);
    let statuses = format!("{api}/statuses/{}", view.commits.get(pull.head.commit).sha);
    let users = if form == PullForm::Whole { UserForm::Webhook } else { UserForm::Rest };
    o.text("url", &url);
    o.number("id", pull.id);
    o.text("node_id", format_args!("PR_kwDO{:08x}", pull.id));
    o.text("html_url", &page);
    o.text("diff_url", format_args!("{page}.diff"));
    o.text("patch_url", format_args!("{page}.patch"));
    o.text("issue_url", &issue);
    o.number("number", pull.number);
    o.text("state", if pull.is_open() { "open" } else { "closed" });
    o.flag("locked", false);
    o.text("title", &pull.title);
    o.object("user", |o| user(o, view, view.account(pull.user), users));
    o.null("body");
    o.text("created_at", pull.created_at);
    o.text("updated_at", pull.updated_at);
    o.optional_text("closed_at", pull.closed_at);
    o.optional_text("merged_at", pull.merged.as_ref().map(|merged| merged.at));
    let merge_commit = pull.merged.as_ref().map(|merged| view.commits.get(merged.commit).sha);
    o.optional_text("merge_commit_sha", merge_commit);
    o.null("assignee");
    for key in ["assignees", "requested_reviewers", "requested_teams", "labels"] {
        o.list(key, None::<()>, |_, ()| {});
    }
    o.null("milestone");
    o.flag("draft", pull.draft);
    o.text("commits_url", format_args!("{url}/commits"));
    o.text("review_comments_url", format_args!("{url}/comments"));
    o.text("review_comment_url", format_args!("{api}/pulls/comments{{/number}}"));
    o.text("comments_url", format_args!("{issue}/comments"));
    o.text("statuses_url", &statuses);
    o.object("head", |o| side(o, view, &pull.head, users));
    o.object("base", |o| side(o, view, &pull.base, users));
    o.object("_links", |o| {
        for (key, href) in [
            ("self", url.clone()),
            ("html", page.clone()),
            ("issue", issue.clone()),
            ("comments", format!("{issue}/comments")),
            ("review_comments", format!("{url}/comments")),
            ("review_comment", format!("{api}/pulls/comments{{/number}}")),
            ("commits", format!("{url}/commits")),
            ("statuses", statuses.clone()),
        ] {
            o.object(key, |o| o.text("href", href));
        }
    });
    o.text("author_association", if pull.user == repo.owner { "OWNER" } else { "CONTRIBUTOR" });
    o.null("auto_merge");
    o.null("active_lock_reason");
    if form == PullForm::RestSimple {
        return;
    }
    o.flag("merged", pull.merged.is_some());
    o.null("mergeable");
    o.null("rebaseable");
    o.text("mergeable_state", "unknown");
    match &pull.merged {
        Some(merged) => o.object("merged_by", |o| user(o, view, view.account(merged.by), users)),
        None => o.null("merged_by"),
    }
    o.number("comments", 0);
    o.number("review_comments", 0);
    o.flag("maintainer_can_modify", false);
    let commits = view.commits.between(Some(pull.base.commit), pull.head.commit).len() as u64;
    o.number("commits", commits);
    o.number("additions", commits);
    o.number("deletions", 0);
    o.number("changed_files", 1);
}

fn side(o: &mut Object<'_>, view: View<'_>, side: &Side, users: UserForm) {
    let owner = view.account(side.owner);
    o.text("label", format_args!("{}:{}", owner.login, side.branch));
    o.text("ref", &side.branch);
    o.text("sha", view.commits.get(side.commit).sha);
    o.object("user", |o| user(o, view, owner, users));
    let form = if users == UserForm::Rest { Form::Rest } else { Form::Webhook };
    match view.repository(side.repo) {
        Some(repo) => o.object("repo", |o| repository(o, view, repo, form)),
        None => o.null("repo"),
    }
}
