//! Commits.

use super::Context;
use crate::{
    model::{Sha, repository::Repository},
    server::{paging::Page, reply::Reply},
    wire,
};

fn empty() -> Reply {
    Reply::error(409, "Git Repository is empty.")
}

/// `GET …/commits?sha=`: what a branch, tag or commit reaches, newest first; the default branch unless given.
pub(in crate::server) fn list(context: Context<'_>, repo: &Repository) -> Reply {
    let view = context.view;
    if repo.is_empty() {
        return empty();
    }
    let head = match context.query.get("sha").filter(|sha| !sha.is_empty()) {
        Some(name) => repo.resolve(view.commits, name),
        None => repo.head(),
    };
    let Some(head) = head else { return Reply::not_found() };
    let page = Page::of(context.query);
    let total = usize::try_from(view.commits.get(head).reaches).unwrap_or(usize::MAX);
    let base = format!("{}/repositories/{}/commits", view.urls.api, repo.id);
    let link = page.link(&base, context.query, total);
    let items = view.commits.newest_first(head).skip(page.skip()).take(page.size);
    let body = wire::list(items, |items, index| {
        items.object(|o| wire::commit(o, view, repo, view.commits.get(index), false));
    });
    Reply::json(body).with_link(link)
}

/// `GET …/commits/{ref}`
pub(in crate::server) fn one(context: Context<'_>, repo: &Repository, name: &str) -> Reply {
    let view = context.view;
    if repo.is_empty() {
        return empty();
    }
    match repo.resolve(view.commits, name) {
        Some(index) => {
            Reply::json(wire::object(|o| wire::commit(o, view, repo, view.commits.get(index), true)))
        }
        None if name.parse::<Sha>().is_ok() || !name.contains('/') => {
            Reply::error(422, &format!("No commit found for SHA: {name}"))
        }
        None => Reply::not_found(),
    }
}
