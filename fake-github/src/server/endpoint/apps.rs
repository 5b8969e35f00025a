//! The App, for itself; and the making of one from a manifest.

use serde::Deserialize;

use super::{Context, deliveries};
use crate::{
    model::{World, app::App, state::View},
    server::{
        paging::{Page, slice},
        reply::Reply,
        route::Question,
    },
    wire,
};

/// `GET /app`, `GET /app/installations`, `GET /app/hook/config`, `GET /app/hook/deliveries`
pub(in crate::server) fn read(context: Context<'_>, rest: &[&str]) -> Reply {
    let view = context.view;
    let Some(app) = of(view, context.caller.is_app) else { return undecoded() };
    match rest {
        [] => Reply::json(wire::object(|o| wire::app(o, view, app))),
        ["installations"] => {
            let all: Vec<_> = app.installed.keys().copied().collect();
            let page = Page::of(context.query);
            let base = format!("{}/app/installations", view.urls.api);
            let link = page.link(&base, context.query, all.len());
            let body = wire::list(slice(&all, page), |items, account| {
                items.object(|o| wire::installation(o, view, app, *account));
            });
            Reply::json(body).with_link(link)
        }
        ["hook", "config"] => {
            let Some(hook) = view.state.hooks.get(&app.hook) else { return Reply::not_found() };
            Reply::json(wire::object(|o| {
                o.text("content_type", hook.settings.content_type.as_str());
                o.text("insecure_ssl", "0");
                o.text("secret", "********");
                o.text("url", &hook.settings.url);
            }))
        }
        ["hook", "deliveries", rest @ ..] => {
            deliveries::read(context, app.hook, &format!("{}/app/hook", view.urls.api), rest)
        }
        _ => Reply::not_found(),
    }
}

/// `GET /users/{login}/installation`
pub(in crate::server) fn installation_of(context: Context<'_>, login: &str) -> Reply {
    let view = context.view;
    let Some(app) = of(view, context.caller.is_app) else { return undecoded() };
    let account = view.account_named(login).filter(|account| app.installed.contains_key(&account.id));
    account.map_or_else(Reply::not_found, |account| {
        Reply::json(wire::object(|o| wire::installation(o, view, app, account.id)))
    })
}

/// `POST /app/installations/{id}/access_tokens`, `POST /app/hook/deliveries/{delivery}/attempts`
pub(in crate::server) fn write(world: &mut World, question: &Question<'_>, rest: &[&str]) -> Reply {
    let Some(app) = of(world.view(), question.caller.is_app) else { return undecoded() };
    let (hook, permissions) = (app.hook, app.permissions.clone());
    match (question.method, rest) {
        ("POST", ["installations", id, "access_tokens"]) => {
            let Some(account) = id.parse().ok().and_then(|id| app.account_of(id)) else {
                return Reply::not_found();
            };
            match world.make_installation_token(account) {
                Ok((token, ends_at)) => Reply::json(wire::object(|o| {
                    o.text("token", token);
                    o.text("expires_at", ends_at);
                    o.object("permissions", |o| {
                        for (name, right) in &permissions {
                            o.text(name, right);
                        }
                    });
                    o.text("repository_selection", "all");
                }))
                .with_status(201),
                Err(_) => suspended(),
            }
        }
        ("POST", ["hook", "deliveries", delivery, "attempts"]) => {
            deliveries::attempt(question, hook, delivery)
        }
        _ => Reply::not_found(),
    }
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    hook_attributes: Hook,
    redirect_url: String,
    #[serde(default)]
    default_events: Vec<String>,
    #[serde(default)]
    default_permissions: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Hook {
    url: String,
}

/// `POST /settings/apps/new`: a page of GitHub's in truth, on which somebody agrees; here somebody has.
pub(in crate::server) fn agree(world: &mut World, question: &Question<'_>) -> Reply {
    let field = |name: &str, from: &[u8]| {
        form_urlencoded::parse(from).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let manifest = field("manifest", question.body);
    let Some(manifest) = manifest.filter(|manifest| serde_json::from_str::<Manifest>(manifest).is_ok())
    else {
        return Reply::error(422, "Invalid manifest");
    };
    let redirect_url = serde_json::from_str::<Manifest>(&manifest).map(|read| read.redirect_url);
    let code = world.keep_manifest(manifest);
    let state = field("state", question.query.as_bytes()).unwrap_or_default();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &state)
        .finish();
    let to = format!("{}?{query}", redirect_url.unwrap_or_default());
    Reply::json("").with_status(302).with_header(http::header::LOCATION, &to)
}

/// `POST /app-manifests/{code}/conversions`
pub(in crate::server) fn convert(world: &mut World, code: &str) -> Reply {
    let manifest = world.take_manifest(code);
    let manifest = manifest.and_then(|manifest| serde_json::from_str::<Manifest>(&manifest).ok());
    let Some(manifest) = manifest else { return Reply::not_found() };
    let events: Vec<&str> = manifest.default_events.iter().map(String::as_str).collect();
    let name = manifest.name.as_deref().unwrap_or("an app");
    let Ok(keys) = world.create_app(name, &manifest.hook_attributes.url, &events) else {
        return Reply::error(422, "Validation Failed");
    };
    let permissions: Vec<(&str, &str)> =
        manifest.default_permissions.iter().map(|(name, right)| (name.as_str(), right.as_str())).collect();
    world.allow_app(&permissions).expect("the App was made just now");
    let view = world.view();
    let app = view.state.app.as_deref().expect("the App was made just now");
    Reply::json(wire::object(|o| {
        wire::app(o, view, app);
        o.text("client_id", format_args!("Iv1.{:016x}", app.id));
        o.text("client_secret", "of no use here");
        o.text("webhook_secret", &keys.webhook_secret);
        o.text("pem", &keys.private_key);
    }))
    .with_status(201)
}

/// An installation may see nothing for now.
pub(in crate::server) fn suspended() -> Reply {
    Reply::error(403, "This installation has been suspended")
}

fn undecoded() -> Reply {
    Reply::error(401, "A JSON web token could not be decoded")
}

fn of(view: View<'_>, is_app: bool) -> Option<&App> {
    view.state.app.as_deref().filter(|_| is_app)
}
