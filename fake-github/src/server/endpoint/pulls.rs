//! Pull requests.

use super::Context;
use crate::{
    model::{pull::Pull, repository::Repository},
    server::{
        paging::{Page, slice},
        reply::Reply,
    },
    wire,
};

/// `GET …/pulls`: the open ones, newest first, unless the query says otherwise.
pub(in crate::server) fn list(context: Context<'_>, repo: &Repository) -> Reply {
    let (view, query) = (context.view, context.query);
    let page = Page::of(query);
    if let Some(wall) = page.beyond(context.rows_max) {
        return wall;
    }
    let mut all: Vec<&Pull> = (repo.pulls.values())
        .filter(|pull| match query.get("state") {
            Some("all") => true,
            Some("closed") => !pull.is_open(),
            _ => pull.is_open(),
        })
        .filter(|pull| query.get("base").is_none_or(|base| pull.base.branch == base))
        .collect();
    let sort = query.get("sort").unwrap_or("created");
    if sort == "updated" {
        all.sort_by_key(|pull| (pull.updated_at, pull.number));
    }
    // Without a direction GitHub begins with the newest only when it sorts by creation.
    let descending = query.get("direction").map_or(sort == "created", |direction| direction != "asc");
    if descending {
        all.reverse();
    }
    let base = format!("{}/repositories/{}/pulls", view.urls.api, repo.id);
    let link = page.link(&base, query, all.len());
    let body = wire::list(slice(&all, page), |items, pull| {
        items.object(|o| wire::pull(o, view, repo, pull, wire::PullForm::RestSimple));
    });
    Reply::json(body).with_link(link)
}

/// `GET …/pulls/{number}`
pub(in crate::server) fn one(context: Context<'_>, repo: &Repository, number: &str) -> Reply {
    match number.parse::<u64>().ok().and_then(|number| repo.pulls.get(&number)) {
        Some(pull) => Reply::json(wire::object(|o| {
            wire::pull(o, context.view, repo, pull, wire::PullForm::RestWhole);
        }))
        .modified(pull.updated_at),
        None => Reply::not_found(),
    }
}
