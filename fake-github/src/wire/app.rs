//! An App and its installations.

use super::{json::Object, user::installation_account};
use crate::model::{AccountId, app::App, event::installation_id, repository::Repository, state::View};

/// The fields of the App.
pub(crate) fn app(o: &mut Object<'_>, view: View<'_>, app: &App) {
    o.number("id", app.id);
    o.text("slug", app.slug());
    o.text("name", &app.name);
    o.text("html_url", html_url(view, app));
    rights(o, app);
    o.number("installations_count", app.installed.len() as u64);
}

/// Where people install it.
pub(crate) fn html_url(view: View<'_>, app: &App) -> String {
    format!("{}/apps/{}", view.urls.html, app.slug())
}

/// The fields of an installation.
pub(crate) fn installation(o: &mut Object<'_>, view: View<'_>, app: &App, account: AccountId) {
    let id = installation_id(account);
    let owner = view.account(account);
    o.number("id", id);
    o.object("account", |o| {
        installation_account(o, view, owner);
        o.text("type", owner.kind.as_str());
    });
    let installed = app.installed.get(&account);
    let is_whole = installed.is_none_or(|installed| installed.withdrawn.is_empty());
    o.text("repository_selection", if is_whole { "all" } else { "selected" });
    let api = &view.urls.api;
    o.text("access_tokens_url", format_args!("{api}/app/installations/{id}/access_tokens"));
    o.text("repositories_url", format_args!("{api}/installation/repositories"));
    o.text("html_url", format_args!("{}/settings/installations/{id}", view.urls.html));
    o.number("app_id", app.id);
    o.text("app_slug", app.slug());
    o.number("target_id", account.0);
    o.text("target_type", owner.kind.as_str());
    rights(o, app);
    if let Some(installed) = installed {
        o.text("created_at", installed.at);
        o.text("updated_at", installed.suspended_at.unwrap_or(installed.at));
    }
    o.null("single_file_name");
    o.null("suspended_by");
    o.optional_text("suspended_at", installed.and_then(|installed| installed.suspended_at));
}

/// A repository as `installation*` events name it.
pub(crate) fn installed_repository(o: &mut Object<'_>, view: View<'_>, repo: &Repository) {
    o.number("id", repo.id.0);
    o.text("node_id", format_args!("R_kgDO{:08x}", repo.id.0));
    o.text("name", &repo.name);
    o.text("full_name", view.full_name(repo));
    o.flag("private", !repo.is_public());
}

fn rights(o: &mut Object<'_>, app: &App) {
    o.object("permissions", |o| {
        for (name, right) in &app.permissions {
            o.text(name, right);
        }
    });
    o.texts("events", &app.events);
}
