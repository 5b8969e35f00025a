//! The endpoints, one file per noun. Each turns a view of the world into an answer.

pub(super) mod apps;
pub(super) mod branches;
pub(super) mod commits;
mod deliveries;
pub(super) mod gists;
pub(super) mod hooks;
pub(super) mod organizations;
pub(super) mod pulls;
pub(super) mod repositories;
pub(super) mod stars;
pub(super) mod users;

use super::{caller::Caller, limits::Standing, paging::Query, reply::Reply};
use crate::{
    hooks::Dispatcher,
    model::{Second, state::View},
    wire,
};

/// What an endpoint answers from.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) view: View<'a>,
    pub(super) caller: Caller,
    pub(super) query: &'a Query,
    pub(super) rows_max: Option<usize>,
    pub(super) stargazers_max: usize,
    pub(super) dispatcher: &'a Dispatcher,
    pub(super) now: Second,
}

/// `GET /`
pub(super) fn root(context: Context<'_>) -> Reply {
    let api = &context.view.urls.api;
    Reply::json(wire::object(|o| {
        o.text("current_user_url", format_args!("{api}/user"));
        o.text("repository_url", format_args!("{api}/repos/{{owner}}/{{repo}}"));
        o.text("user_url", format_args!("{api}/users/{{user}}"));
        o.text("rate_limit_url", format_args!("{api}/rate_limit"));
    }))
}

/// `GET /meta`
pub(super) fn meta() -> Reply {
    Reply::json(wire::object(|o| {
        o.flag("verifiable_password_authentication", false);
        for key in ["hooks", "web", "api", "git"] {
            o.texts(key, ["127.0.0.0/8", "::1/128"]);
        }
    }))
}

/// `GET /rate_limit`
pub(super) fn rate_limit(core: Standing, graphql: Standing) -> Reply {
    let rate = |o: &mut wire::Object<'_>, standing: Standing| {
        o.number("limit", standing.limit);
        o.number("used", standing.used);
        o.number("remaining", standing.remaining());
        o.number("reset", standing.resets_at.0);
    };
    Reply::json(wire::object(|o| {
        o.object("resources", |o| {
            o.object("core", |o| rate(o, core));
            o.object("search", |o| rate(o, core));
            o.object("graphql", |o| rate(o, graphql));
        });
        o.object("rate", |o| rate(o, core));
    }))
}
