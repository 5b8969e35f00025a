//! Repositories: one, all public ones, and what is asked of one beside its commits.

use std::fmt::Write as _;

use super::Context;
use crate::{
    model::{Second, repository::Repository, state::View},
    server::{paging::Page, reply::Reply},
    wire,
};

/// Items of a page of all public repositories.
const SINCE_PAGE: usize = 100;

/// `GET /repos/{owner}/{repo}`
pub(in crate::server) fn one(context: Context<'_>, repo: &Repository) -> Reply {
    let may_push = context.view.acts_for(context.caller.account, repo.owner);
    Reply::json(wire::object(|o| wire::full_repository(o, context.view, repo, may_push)))
        .modified(repo.updated_at)
}

/// `GET /repositories?since=`: all public ones by id; the way on is in `Link` alone.
pub(in crate::server) fn since(context: Context<'_>) -> Reply {
    let view = context.view;
    let since = context.query.get("since").and_then(|since| since.parse().ok()).unwrap_or(0_u64);
    let size = context.query.get("per_page").map_or(SINCE_PAGE, |_| Page::of(context.query).size);
    let after = crate::model::RepoId(since.saturating_add(1));
    let mut list =
        view.state.repositories.range(after..).map(|(_, repo)| repo).filter(|repo| repo.is_public());
    let page: Vec<_> = list.by_ref().take(size).collect();
    let api = &view.urls.api;
    let mut link = String::new();
    if let Some(last) = page.last().filter(|_| list.next().is_some()) {
        let per_page = context.query.get("per_page").map(|_| format!("per_page={size}&")).unwrap_or_default();
        let _ = write!(link, "<{api}/repositories?{per_page}since={}>; rel=\"next\", ", last.id);
    }
    let _ = write!(link, "<{api}/repositories{{?since}}>; rel=\"first\"");
    let body = wire::list(page, |items, repo| items.object(|o| wire::listed_repository(o, view, repo)));
    Reply::json(body).with_link(Some(link))
}

/// `GET …/languages`: most bytes first.
pub(in crate::server) fn languages(repo: &Repository) -> Reply {
    Reply::json(wire::object(|o| {
        for (name, bytes) in repo.languages_by_size() {
            o.number(name, bytes);
        }
    }))
}

/// `GET …/topics`
pub(in crate::server) fn topics(repo: &Repository) -> Reply {
    Reply::json(wire::object(|o| o.texts("names", &repo.topics)))
}

/// What GitHub answers about a repository that was taken down.
pub(in crate::server) fn blocked(view: View<'_>, repo: &Repository, at: Second) -> Reply {
    let body = wire::object(|o| {
        o.text("message", "Repository access blocked");
        o.object("block", |o| {
            o.text("reason", "dmca");
            o.text("created_at", at);
            o.text("html_url", format_args!("{}/github/dmca/blob/{}", view.urls.html, repo.id));
        });
    });
    Reply::json(body).with_status(451)
}
