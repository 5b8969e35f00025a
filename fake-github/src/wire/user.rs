//! Users: the simple form that stands in everything, and the profile.

use super::json::Object;
use crate::model::{
    account::{Account, AccountKind},
    state::View,
};

/// Where a simple user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserForm {
    /// In a webhook payload.
    Webhook,
    /// As the owner in a push payload, which adds name and e-mail.
    PushOwner,
    /// In an answer of the API.
    Rest,
}

/// The fields of a simple user.
pub(crate) fn user(o: &mut Object<'_>, view: View<'_>, account: &Account, form: UserForm) {
    let login = &account.login;
    if form == UserForm::PushOwner {
        o.text("name", login);
        o.text("email", account.commit_email());
    }
    o.text("login", login);
    o.number("id", account.id.0);
    o.text("node_id", node_id(account));
    o.text("avatar_url", avatar_url(account));
    o.text("gravatar_id", "");
    let url = format!("{}/users/{login}", view.urls.api);
    o.text("url", &url);
    o.text("html_url", format_args!("{}/{login}", view.urls.html));
    for (key, rest) in [
        ("followers_url", "followers"),
        ("following_url", "following{/other_user}"),
        ("gists_url", "gists{/gist_id}"),
        ("starred_url", "starred{/owner}{/repo}"),
        ("subscriptions_url", "subscriptions"),
        ("organizations_url", "orgs"),
        ("repos_url", "repos"),
        ("events_url", "events{/privacy}"),
        ("received_events_url", "received_events"),
    ] {
        o.text(key, format_args!("{url}/{rest}"));
    }
    o.text("type", account.kind.as_str());
    if form == UserForm::Rest {
        o.text("user_view_type", "public");
    }
    o.flag("site_admin", false);
}

/// A profile: `GET /users/{login}`.
pub(crate) fn full_user(o: &mut Object<'_>, view: View<'_>, account: &Account) {
    user(o, view, account, UserForm::Rest);
    o.optional_text("name", account.name.as_deref());
    o.null("company");
    o.text("blog", "");
    o.null("location");
    o.optional_text("email", account.email.as_deref());
    o.null("hireable");
    o.optional_text("bio", account.description.as_deref());
    o.null("twitter_username");
    let public = view.repositories_of(account.id).iter().filter(|repo| repo.is_public()).count();
    o.number("public_repos", public as u64);
    o.number("public_gists", account.public_gists);
    o.number("followers", account.followers);
    o.number("following", account.following);
    o.text("created_at", account.created_at);
    o.text("updated_at", account.updated_at);
}

/// The account that an App is installed on.
pub(crate) fn installation_account(o: &mut Object<'_>, view: View<'_>, account: &Account) {
    o.text("login", &account.login);
    o.number("id", account.id.0);
    o.text("node_id", node_id(account));
    o.text("avatar_url", avatar_url(account));
    o.text("html_url", format_args!("{}/{}", view.urls.html, account.login));
    o.text("created_at", account.created_at);
    o.text("updated_at", account.updated_at);
    o.null("description");
    o.number("followers", account.followers);
    o.number("following", account.following);
    o.flag("has_organization_projects", true);
    o.flag("has_repository_projects", true);
    o.flag("is_verified", false);
    o.number("public_gists", account.public_gists);
    let public = view.repositories_of(account.id).iter().filter(|repo| repo.is_public()).count();
    o.number("public_repos", public as u64);
    o.text("slug", &account.login);
    o.null("website_url");
}

pub(super) fn node_id(account: &Account) -> String {
    match account.kind {
        AccountKind::User => format!("U_kgDO{:08x}", account.id.0),
        AccountKind::Organization => format!("O_kgDO{:08x}", account.id.0),
    }
}

pub(crate) fn avatar_url(account: &Account) -> String {
    format!("https://avatars.githubusercontent.com/u/{}?v=4", account.id)
}
