//! Branches.

use super::Context;
use crate::{
    model::repository::Repository,
    server::{
        paging::{Page, slice},
        reply::Reply,
    },
    wire,
};

/// `GET …/branches`: by name.
pub(in crate::server) fn list(context: Context<'_>, repo: &Repository) -> Reply {
    let view = context.view;
    let page = Page::of(context.query);
    let all: Vec<_> = match context.query.get("protected") {
        Some("true") => Vec::new(),
        _ => repo.branches.iter().collect(),
    };
    let base = format!("{}/repositories/{}/branches", view.urls.api, repo.id);
    let link = page.link(&base, context.query, all.len());
    let body = wire::list(slice(&all, page), |items, (name, head)| {
        items.object(|o| wire::short_branch(o, view, repo, name, **head));
    });
    Reply::json(body).with_link(link)
}

/// `GET …/branches/{branch}`; a renamed branch answers with its new address.
pub(in crate::server) fn one(context: Context<'_>, repo: &Repository, name: &str) -> Reply {
    let view = context.view;
    if let Some(head) = repo.branches.get(name) {
        return Reply::json(wire::object(|o| wire::branch(o, view, repo, name, *head)));
    }
    let mut now = name;
    // Names may have been passed round in a circle; each is followed once.
    for _ in 0..repo.former_branches.len() {
        let Some(next) = repo.former_branches.get(now) else { break };
        now = next;
        if repo.branches.contains_key(now) {
            let to = format!("{}/repositories/{}/branches/{}", view.urls.api, repo.id, wire::in_path(now));
            return Reply::moved(&to, true);
        }
    }
    Reply::error(404, "Branch not found")
}
