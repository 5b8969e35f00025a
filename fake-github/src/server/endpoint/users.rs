//! Users, and the repositories of an account.

use super::Context;
use crate::{
    model::{
        account::{Account, AccountKind},
        repository::Repository,
    },
    server::{
        paging::{Page, slice},
        reply::Reply,
    },
    wire,
};

/// `GET /users/{login}`, `GET /user/{id}`
pub(in crate::server) fn one(context: Context<'_>, account: &Account) -> Reply {
    Reply::json(wire::object(|o| wire::full_user(o, context.view, account))).modified(account.updated_at)
}

/// `GET /user`
pub(in crate::server) fn own(context: Context<'_>) -> Reply {
    if context.caller.installation.is_some() {
        return Reply::not_for_integrations();
    }
    // A replica that lags may not know the account yet.
    match context.caller.account.and_then(|id| context.view.state.accounts.get(&id)) {
        Some(account) => one(context, account),
        None => Reply::error(401, "Requires authentication"),
    }
}

/// `GET /users/{login}/repos`: the public ones.
pub(in crate::server) fn repositories(context: Context<'_>, account: &Account) -> Reply {
    let list = context.view.repositories_of(account.id).into_iter().filter(|repo| repo.is_public()).collect();
    page(context, list, &format!("user/{}/repos", account.id), "full_name")
}

/// `GET /user/repos`: one's own and those of one's organisations, private ones too.
pub(in crate::server) fn own_repositories(context: Context<'_>) -> Reply {
    let Some(id) = context.caller.account else { return Reply::error(401, "Requires authentication") };
    if context.caller.installation.is_some() {
        return Reply::not_for_integrations();
    }
    let view = context.view;
    let only_own =
        context.query.get("type") == Some("owner") || context.query.get("affiliation") == Some("owner");
    let accounts = view.state.accounts.values().filter(|account| {
        account.id == id
            || !only_own && account.kind == AccountKind::Organization && account.members.contains(&id)
    });
    let list = accounts.flat_map(|account| view.repositories_of(account.id)).collect();
    page(context, list, "user/repos", "full_name")
}

/// A page of repositories, sorted as the query says.
pub(super) fn page(
    context: Context<'_>,
    mut list: Vec<&Repository>,
    path: &str,
    default_sort: &str,
) -> Reply {
    let view = context.view;
    let sort = context.query.get("sort").unwrap_or(default_sort);
    match sort {
        "created" => list.sort_by_key(|repo| (repo.created_at, repo.id)),
        "updated" => list.sort_by_key(|repo| (repo.updated_at, repo.id)),
        "pushed" => list.sort_by_key(|repo| (repo.pushed_at, repo.id)),
        _ => list.sort_by_key(|repo| view.full_name(repo).to_lowercase()),
    }
    let by_name = !matches!(sort, "created" | "updated" | "pushed");
    let ascending = context.query.get("direction").map_or(by_name, |direction| direction == "asc");
    if !ascending {
        list.reverse();
    }
    list.retain(|repo| match context.query.get("type") {
        Some("forks") => repo.fork_of.is_some(),
        Some("sources") => repo.fork_of.is_none(),
        Some("public") => repo.is_public(),
        Some("private") => !repo.is_public(),
        _ => true,
    });
    let page = Page::of(context.query);
    let link = page.link(&format!("{}/{path}", view.urls.api), context.query, list.len());
    let body = wire::list(slice(&list, page), |items, repo| {
        items.object(|o| {
            wire::repository(o, view, repo, wire::Form::Rest);
            if let Some(caller) = context.caller.account {
                wire::permissions(o, view.acts_for(Some(caller), repo.owner));
            }
        });
    });
    Reply::json(body).with_link(link)
}
