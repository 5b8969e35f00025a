//! Gists as a list shows them: files without their texts.

use super::{
    json::Object,
    user::{UserForm, user},
};
use crate::model::{gist::Gist, state::View};

/// The fields of a gist.
pub(crate) fn gist(o: &mut Object<'_>, view: View<'_>, gist: &Gist) {
    let (api, html, id) = (&view.urls.api, &view.urls.html, &gist.id);
    let owner = view.account(gist.owner);
    let (version, files) = gist.present();
    o.text("url", format_args!("{api}/gists/{id}"));
    o.text("forks_url", format_args!("{api}/gists/{id}/forks"));
    o.text("commits_url", format_args!("{api}/gists/{id}/commits"));
    o.text("id", id);
    o.text("node_id", format_args!("G_kwDO{id}"));
    o.text("git_pull_url", format_args!("{html}/{id}.git"));
    o.text("git_push_url", format_args!("{html}/{id}.git"));
    o.text("html_url", format_args!("{html}/{}/{id}", owner.login));
    o.object("files", |o| {
        for (name, text) in files {
            o.object(name, |o| {
                o.text("filename", name);
                o.text("type", "text/plain");
                match name.rsplit_once('.') {
                    Some((_, "rs")) => o.text("language", "Rust"),
                    Some((_, "txt")) => o.text("language", "Text"),
                    _ => o.null("language"),
                }
                o.text("raw_url", raw_url(view, gist, version, name));
                o.number("size", text.len() as u64);
            });
        }
    });
    o.flag("public", gist.public);
    o.text("created_at", gist.created_at);
    o.text("updated_at", gist.updated_at);
    o.optional_text("description", gist.description.as_deref());
    o.number("comments", 0);
    o.null("user");
    o.text("comments_url", format_args!("{api}/gists/{id}/comments"));
    o.object("owner", |o| user(o, view, owner, UserForm::Rest));
    o.flag("truncated", false);
}

fn raw_url(view: View<'_>, gist: &Gist, version: &str, name: &str) -> String {
    // A name has no slash in it: GitHub takes none.
    let name = super::in_path(name);
    format!("{}/gist/{}/{}/raw/{version}/{name}", view.urls.api, view.account(gist.owner).login, gist.id)
}
