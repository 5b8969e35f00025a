//! Stars, from both sides: who starred a repository, and what an account starred. With times where the caller asks for
//! `application/vnd.github.star+json`.

use super::Context;
use crate::{
    model::{Second, account::Account, repository::Repository},
    server::{
        paging::{Page, slice},
        reply::Reply,
    },
    wire,
};

/// `GET …/stargazers`: oldest first, up to GitHub's wall.
pub(in crate::server) fn stargazers(context: Context<'_>, repo: &Repository) -> Reply {
    let view = context.view;
    if repo.are_stargazers_closed && !view.acts_for(context.caller.account, repo.owner) {
        return Reply::error(403, "Must have push access to view repository stargazers.");
    }
    let page = Page::of(context.query);
    if let Some(wall) = page.beyond(Some(context.stargazers_max)) {
        return wall;
    }
    let gazers = repo.stars.iter().filter_map(|(id, at)| Some((*at, view.state.accounts.get(id)?)));
    let mut gazers: Vec<(Second, &Account)> = gazers.map(|(at, account)| (at, account.as_ref())).collect();
    gazers.sort_by_key(|(at, account)| (*at, account.id));
    let base = format!("{}/repositories/{}/stargazers", view.urls.api, repo.id);
    let link = page.link(&base, context.query, gazers.len());
    let body = wire::list(slice(&gazers, page), |items, (at, account)| {
        items.object(|o| {
            if context.caller.wants_star_times {
                o.text("starred_at", at);
                o.object("user", |o| wire::user(o, view, account, wire::UserForm::Rest));
            } else {
                wire::user(o, view, account, wire::UserForm::Rest);
            }
        });
    });
    Reply::json(body).with_link(link)
}

/// `GET /users/{login}/starred`: newest first, the public ones.
pub(in crate::server) fn starred(context: Context<'_>, account: &Account) -> Reply {
    let view = context.view;
    let all = view.state.repositories.values().filter(|repo| repo.is_public());
    let mut starred: Vec<(Second, &Repository)> =
        all.filter_map(|repo| Some((*repo.stars.get(&account.id)?, repo.as_ref()))).collect();
    starred.sort_by_key(|(at, repo)| std::cmp::Reverse((*at, repo.id)));
    let page = Page::of(context.query);
    let base = format!("{}/user/{}/starred", view.urls.api, account.id);
    let link = page.link(&base, context.query, starred.len());
    let body = wire::list(slice(&starred, page), |items, (at, repo)| {
        items.object(|o| {
            if context.caller.wants_star_times {
                o.text("starred_at", at);
                o.object("repo", |o| wire::repository(o, view, repo, wire::Form::Rest));
            } else {
                wire::repository(o, view, repo, wire::Form::Rest);
            }
        });
    });
    Reply::json(body).with_link(link)
}
