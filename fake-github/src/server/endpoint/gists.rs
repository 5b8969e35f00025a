//! The gists of a user, and the texts of their files.

use super::Context;
use crate::{
    model::{Second, account::Account},
    server::{
        paging::{Page, slice},
        reply::Reply,
    },
    wire,
};

/// `GET /users/{login}/gists`: the public ones, the newest first; with `since` those that changed since then.
pub(in crate::server) fn list(context: Context<'_>, account: &Account) -> Reply {
    let view = context.view;
    let since = context.query.get("since").and_then(Second::from_rfc3339);
    let is_wanted = |at: Second| since.is_none_or(|since| at >= since);
    let mut list: Vec<_> = view.state.gists.values().collect();
    list.retain(|gist| gist.owner == account.id && gist.public && is_wanted(gist.updated_at));
    list.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    let page = Page::of(context.query);
    let base = format!("{}/user/{}/gists", view.urls.api, account.id);
    let link = page.link(&base, context.query, list.len());
    let body = wire::list(slice(&list, page), |items, gist| items.object(|o| wire::gist(o, view, gist)));
    Reply::json(body).with_link(link)
}

/// The text of a file, at an address like those of `gist.githubusercontent.com`.
pub(in crate::server) fn raw(context: Context<'_>, id: &str, version: &str, filename: &str) -> Reply {
    let gist = context.view.state.gists.get(id);
    match gist.and_then(|gist| gist.text(version, filename)) {
        Some(text) => Reply::plain(text.to_owned()),
        None => Reply::not_found(),
    }
}
