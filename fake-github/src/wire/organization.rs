//! Organisations: the form that stands beside `sender` in payloads, and the profile.

use super::{
    json::Object,
    user::{avatar_url, node_id},
};
use crate::model::{
    AccountId,
    account::{Account, AccountKind},
    state::View,
};

/// The fields of an organisation in a payload.
pub(crate) fn organization(o: &mut Object<'_>, view: View<'_>, account: &Account) {
    let login = &account.login;
    o.text("login", login);
    o.number("id", account.id.0);
    o.text("node_id", node_id(account));
    let url = format!("{}/orgs/{login}", view.urls.api);
    o.text("url", &url);
    for (key, rest) in [
        ("repos_url", "repos"),
        ("events_url", "events"),
        ("hooks_url", "hooks"),
        ("issues_url", "issues"),
        ("members_url", "members{/member}"),
        ("public_members_url", "public_members{/member}"),
    ] {
        o.text(key, format_args!("{url}/{rest}"));
    }
    o.text("avatar_url", avatar_url(account));
    o.text("description", account.description.as_deref().unwrap_or_default());
}

/// `organization`, when the account is one.
pub(crate) fn organization_if_any(o: &mut Object<'_>, view: View<'_>, account: AccountId) {
    let account = view.account(account);
    if account.kind == AccountKind::Organization {
        o.object("organization", |o| organization(o, view, account));
    }
}

/// A profile: `GET /orgs/{org}`.
pub(crate) fn full_organization(o: &mut Object<'_>, view: View<'_>, account: &Account) {
    organization(o, view, account);
    o.optional_text("name", account.name.as_deref());
    o.optional_text("email", account.email.as_deref());
    o.flag("is_verified", false);
    o.flag("has_organization_projects", true);
    o.flag("has_repository_projects", true);
    let public = view.repositories_of(account.id).iter().filter(|repo| repo.is_public()).count();
    o.number("public_repos", public as u64);
    o.number("public_gists", account.public_gists);
    o.number("followers", account.followers);
    o.number("following", account.following);
    o.text("html_url", format_args!("{}/{}", view.urls.html, account.login));
    o.text("created_at", account.created_at);
    o.text("updated_at", account.updated_at);
    o.null("archived_at");
    o.text("type", account.kind.as_str());
}
