//! Issues in payloads.

use super::{
    json::Object,
    user::{UserForm, user},
};
use crate::model::{issue::Issue, repository::Repository, state::View};

/// The fields of an issue.
pub(crate) fn issue(o: &mut Object<'_>, view: View<'_>, repo: &Repository, issue: &Issue) {
    let full_name = view.full_name(repo);
    let api = format!("{}/repos/{full_name}", view.urls.api);
    let url = format!("{api}/issues/{}", issue.number);
    o.text("url", &url);
    o.text("repository_url", &api);
    o.text("labels_url", format_args!("{url}/labels{{/name}}"));
    o.text("comments_url", format_args!("{url}/comments"));
    o.text("events_url", format_args!("{url}/events"));
    o.text("html_url", format_args!("{}/{full_name}/issues/{}", view.urls.html, issue.number));
    o.number("id", issue.id);
    o.text("node_id", format_args!("I_kwDO{:08x}", issue.id));
    o.number("number", issue.number);
    o.text("title", &issue.title);
    o.object("user", |o| user(o, view, view.account(issue.user), UserForm::Webhook));
    o.list("labels", None::<()>, |_, ()| {});
    o.text("state", if issue.closed_at.is_some() { "closed" } else { "open" });
    o.flag("locked", false);
    o.null("assignee");
    o.list("assignees", None::<()>, |_, ()| {});
    o.null("milestone");
    o.number("comments", 0);
    o.text("created_at", issue.created_at);
    o.text("updated_at", issue.updated_at);
    o.optional_text("closed_at", issue.closed_at);
    o.text("author_association", if issue.user == repo.owner { "OWNER" } else { "NONE" });
    o.null("active_lock_reason");
    o.null("body");
    o.object("reactions", |o| {
        o.text("url", format_args!("{url}/reactions"));
        for key in ["total_count", "+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"] {
            o.number(key, 0);
        }
    });
    o.text("timeline_url", format_args!("{url}/timeline"));
    o.null("performed_via_github_app");
    o.optional_text("state_reason", issue.closed_at.map(|_| "completed"));
}
