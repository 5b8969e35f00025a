//! Webhooks, for those who administer their repository or organisation.

use serde::Deserialize;

use super::{Context, deliveries};
use crate::{
    model::{AccountId, ContentType, HookId, HookTarget, NewHook, World},
    server::{
        paging::{Page, slice},
        reply::Reply,
        route::Question,
    },
    wire,
};

/// `GET …/hooks`, `GET …/hooks/{id}`, `GET …/hooks/{id}/deliveries`, `GET …/hooks/{id}/deliveries/{delivery}`
pub(in crate::server) fn read(
    context: Context<'_>,
    target: HookTarget,
    owner: AccountId,
    rest: &[&str],
) -> Reply {
    let view = context.view;
    if context.caller.installation.is_some() {
        return Reply::not_for_integrations();
    }
    if !view.acts_for(context.caller.account, owner) {
        return Reply::not_found();
    }
    match rest {
        [] => {
            let all: Vec<_> = view.hooks_of(target).collect();
            let page = Page::of(context.query);
            let link = page.link(&base(context, target, owner), context.query, all.len());
            let body = wire::list(slice(&all, page), |items, hook| {
                let latest = context.dispatcher.latest(hook.id);
                items.object(|o| wire::hook(o, view, hook, wire::HookForm::Rest(latest)));
            });
            Reply::json(body).with_link(link)
        }
        [id] => match find(id, |id| view.hooks_of(target).find(|hook| hook.id == id)) {
            Some(hook) => {
                let latest = context.dispatcher.latest(hook.id);
                Reply::json(wire::object(|o| wire::hook(o, view, hook, wire::HookForm::Rest(latest))))
            }
            None => Reply::not_found(),
        },
        [id, "deliveries", rest @ ..] => {
            match find(id, |id| view.hooks_of(target).find(|hook| hook.id == id)) {
                Some(hook) => {
                    let of = format!("{}/{}", base(context, target, owner), hook.id);
                    deliveries::read(context, hook.id, &of, rest)
                }
                None => Reply::not_found(),
            }
        }
        _ => Reply::not_found(),
    }
}

/// Where a target's hooks are, by id.
fn base(context: Context<'_>, target: HookTarget, owner: AccountId) -> String {
    let api = &context.view.urls.api;
    match target {
        HookTarget::Repository(id) => format!("{api}/repositories/{id}/hooks"),
        _ => format!("{api}/organizations/{owner}/hooks"),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    events: Option<Vec<String>>,
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    url: Option<String>,
    secret: Option<String>,
    content_type: Option<String>,
}

/// `POST …/hooks`, `POST …/hooks/{id}/pings`, `POST …/hooks/{id}/deliveries/{delivery}/attempts`,
/// `DELETE …/hooks/{id}`
pub(in crate::server) fn write(
    world: &mut World,
    question: &Question<'_>,
    target: HookTarget,
    owner: AccountId,
    rest: &[&str],
) -> Reply {
    if question.caller.installation.is_some() {
        return Reply::not_for_integrations();
    }
    if !world.view().acts_for(question.caller.account, owner) {
        return Reply::not_found();
    }
    let known = |world: &World, id: &str| {
        find(id, |id| world.view().hooks_of(target).find(|hook| hook.id == id).map(|hook| hook.id))
    };
    match (question.method, rest) {
        ("POST", []) => create(world, question.body, target),
        ("POST", [id, "pings"]) => match known(world, id).map(|id| world.ping_hook(id)) {
            Some(Ok(())) => Reply::json("").with_status(204),
            _ => Reply::not_found(),
        },
        ("POST", [id, "deliveries", delivery, "attempts"]) => match known(world, id) {
            Some(id) => deliveries::attempt(question, id, delivery),
            None => Reply::not_found(),
        },
        ("DELETE", [id]) => match known(world, id).map(|id| world.delete_hook(id)) {
            Some(Ok(())) => Reply::json("").with_status(204),
            _ => Reply::not_found(),
        },
        _ => Reply::not_found(),
    }
}

fn create(world: &mut World, body: &[u8], target: HookTarget) -> Reply {
    let Ok(asked) = serde_json::from_slice::<Asked>(body) else {
        return Reply::error(400, "Problems parsing JSON");
    };
    let Some(url) = asked.config.url else { return Reply::error(422, "Validation Failed") };
    let same = world.view().hooks_of(target).any(|hook| hook.settings.url == url);
    if same {
        return Reply::error(422, "Validation Failed: Hook already exists on this repository");
    }
    // GitHub's default is the form.
    let content_type = match asked.config.content_type.as_deref() {
        Some("json") => ContentType::Json,
        _ => ContentType::Form,
    };
    let events = asked.events.unwrap_or_else(|| vec!["push".into()]);
    match world.create_hook(NewHook { target, url, secret: asked.config.secret, content_type, events }) {
        Ok(id) => {
            let view = world.view();
            let hook = view.state.hooks.get(&id).expect("the hook was made just now");
            let body = wire::object(|o| wire::hook(o, view, hook, wire::HookForm::Rest(None)));
            Reply::json(body).with_status(201)
        }
        Err(refused) => Reply::error(422, &format!("Validation Failed: {refused}")),
    }
}

fn find<T>(id: &str, get: impl FnOnce(HookId) -> Option<T>) -> Option<T> {
    get(HookId(id.parse().ok()?))
}
