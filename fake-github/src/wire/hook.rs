//! Webhooks, in answers and in what they are sent about themselves.

use super::{
    json::Object,
    organization::organization,
    repository::{Form, repository},
};
use crate::{
    hooks::Outcome,
    model::{
        hook::{Hook, HookTarget},
        state::View,
    },
};

/// Where a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookForm {
    /// In a `ping`.
    Ping,
    /// In `meta.deleted`, which has no URLs.
    Meta,
    /// In an answer of the API, with what came of its latest delivery.
    Rest(Option<Outcome>),
}

/// The fields of a hook. Its secret is never shown.
pub(crate) fn hook(o: &mut Object<'_>, view: View<'_>, hook: &Hook, form: HookForm) {
    let api = &view.urls.api;
    let (kind, base) = match hook.settings.target {
        HookTarget::Repository(id) => {
            let full_name = view.repository(id).map(|repo| view.full_name(repo)).unwrap_or_default();
            ("Repository", format!("{api}/repos/{full_name}/hooks"))
        }
        HookTarget::Organization(id) => {
            ("Organization", format!("{api}/orgs/{}/hooks", view.account(id).login))
        }
        HookTarget::App | HookTarget::Installations => ("App", format!("{api}/app/hooks")),
    };
    let url = format!("{base}/{}", hook.id);
    o.text("type", kind);
    o.number("id", hook.id.0);
    o.text("name", "web");
    o.flag("active", hook.active);
    o.texts("events", &hook.settings.events);
    o.object("config", |o| {
        o.text("content_type", hook.settings.content_type.as_str());
        o.text("insecure_ssl", "0");
        if hook.settings.secret.is_some() {
            o.text("secret", "********");
        }
        o.text("url", &hook.settings.url);
    });
    o.text("updated_at", hook.updated_at);
    o.text("created_at", hook.created_at);
    if form == HookForm::Meta {
        return;
    }
    if hook.settings.target.is_app() {
        o.number("app_id", 1);
    }
    o.text("url", &url);
    o.text("ping_url", format_args!("{url}/pings"));
    o.text("deliveries_url", format_args!("{url}/deliveries"));
    if matches!(hook.settings.target, HookTarget::Repository(_)) {
        o.text("test_url", format_args!("{url}/test"));
        let latest = match form {
            HookForm::Rest(latest) => latest,
            HookForm::Ping | HookForm::Meta => None,
        };
        o.object("last_response", |o| last_response(o, latest));
    }
}

/// What GitHub says of a hook's latest delivery.
fn last_response(o: &mut Object<'_>, latest: Option<Outcome>) {
    let (code, status, message) = match latest {
        None | Some(Outcome::Pending) => {
            o.null("code");
            o.text("status", "unused");
            o.null("message");
            return;
        }
        Some(Outcome::Answered(code @ 200..=299)) => (code, "active", "OK".to_owned()),
        Some(Outcome::Answered(code)) => (code, "misconfigured", format!("Invalid HTTP Response: {code}")),
        Some(Outcome::TimedOut) => (504, "timeout", "timed out".to_owned()),
        Some(Outcome::Unreachable | Outcome::Lost) => {
            (502, "connection_error", "failed to connect to host".to_owned())
        }
    };
    o.number("code", code);
    o.text("status", status);
    o.text("message", message);
}

/// What a hook is about, beside it in `ping` and `meta`.
pub(crate) fn hook_subject(o: &mut Object<'_>, view: View<'_>, hook: &Hook) {
    let account = match hook.settings.target {
        HookTarget::Repository(id) => {
            let Some(repo) = view.repository(id) else { return };
            o.object("repository", |o| repository(o, view, repo, Form::Webhook));
            repo.owner
        }
        HookTarget::Organization(id) => {
            o.object("organization", |o| organization(o, view, view.account(id)));
            id
        }
        HookTarget::App | HookTarget::Installations => return,
    };
    let sender = view.account(view.actor(account));
    o.object("sender", |o| super::user(o, view, sender, super::UserForm::Webhook));
}
