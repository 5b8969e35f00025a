//! Repositories, in the forms in which GitHub writes them.

use super::{
    json::Object,
    user::{UserForm, user},
};
use crate::model::{License, account::AccountKind, repository::Repository, state::View};

/// Where a repository stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In a webhook payload.
    Webhook,
    /// As `forkee`, which says `public` too.
    Forkee,
    /// In a push payload: unix times, the page as `url`, names twice.
    Push,
    /// In an answer of the API.
    Rest,
}

const LINKS: [(&str, &str); 36] = [
    ("forks_url", "forks"),
    ("keys_url", "keys{/key_id}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("teams_url", "teams"),
    ("hooks_url", "hooks"),
    ("issue_events_url", "issues/events{/number}"),
    ("events_url", "events"),
    ("assignees_url", "assignees{/user}"),
    ("branches_url", "branches{/branch}"),
    ("tags_url", "tags"),
    ("blobs_url", "git/blobs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("trees_url", "git/trees{/sha}"),
    ("statuses_url", "statuses/{sha}"),
    ("languages_url", "languages"),
    ("stargazers_url", "stargazers"),
    ("contributors_url", "contributors"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("commits_url", "commits{/sha}"),
    ("git_commits_url", "git/commits{/sha}"),
    ("comments_url", "comments{/number}"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("contents_url", "contents/{+path}"),
    ("compare_url", "compare/{base}...{head}"),
    ("merges_url", "merges"),
    ("archive_url", "{archive_format}{/ref}"),
    ("downloads_url", "downloads"),
    ("issues_url", "issues{/number}"),
    ("pulls_url", "pulls{/number}"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("labels_url", "labels{/name}"),
    ("releases_url", "releases{/id}"),
    ("deployments_url", "deployments"),
];

/// What the list of all public repositories tells of one: names and addresses, no numbers.
pub(crate) fn listed_repository(o: &mut Object<'_>, view: View<'_>, repo: &Repository) {
    let owner = view.account(repo.owner);
    let full_name = view.full_name(repo);
    let api = format!("{}/repos/{full_name}", view.urls.api);
    o.number("id", repo.id.0);
    o.text("node_id", format_args!("R_kgDO{:08x}", repo.id.0));
    o.text("name", &repo.name);
    o.text("full_name", &full_name);
    o.flag("private", !repo.is_public());
    o.object("owner", |o| user(o, view, owner, UserForm::Rest));
    o.text("html_url", format_args!("{}/{full_name}", view.urls.html));
    o.optional_text("description", repo.description.as_deref());
    o.flag("fork", repo.fork_of.is_some());
    o.text("url", &api);
    for (key, rest) in LINKS {
        o.text(key, format_args!("{api}/{rest}"));
    }
}

/// The fields of a repository.
pub(crate) fn repository(o: &mut Object<'_>, view: View<'_>, repo: &Repository, form: Form) {
    let owner = view.account(repo.owner);
    let full_name = view.full_name(repo);
    let page = format!("{}/{full_name}", view.urls.html);
    let api = format!("{}/repos/{full_name}", view.urls.api);
    let host = view.urls.html.split_once("://").map_or("", |(_, host)| host);
    o.number("id", repo.id.0);
    o.text("node_id", format_args!("R_kgDO{:08x}", repo.id.0));
    o.text("name", &repo.name);
    o.text("full_name", &full_name);
    o.flag("private", !repo.is_public());
    let owner_form = match form {
        Form::Push => UserForm::PushOwner,
        Form::Rest => UserForm::Rest,
        Form::Webhook | Form::Forkee => UserForm::Webhook,
    };
    o.object("owner", |o| user(o, view, owner, owner_form));
    o.text("html_url", &page);
    o.optional_text("description", repo.description.as_deref());
    o.flag("fork", repo.fork_of.is_some());
    o.text("url", if form == Form::Push { &page } else { &api });
    for (key, rest) in LINKS {
        o.text(key, format_args!("{api}/{rest}"));
    }
    if form == Form::Push {
        o.number("created_at", repo.created_at.0);
        o.text("updated_at", repo.updated_at);
        o.number("pushed_at", repo.pushed_at.0);
    } else {
        o.text("created_at", repo.created_at);
        o.text("updated_at", repo.updated_at);
        o.text("pushed_at", repo.pushed_at);
    }
    o.text("git_url", format_args!("git://{host}/{full_name}.git"));
    o.text("ssh_url", format_args!("git@{host}:{full_name}.git"));
    o.text("clone_url", format_args!("{page}.git"));
    o.text("svn_url", &page);
    o.optional_text("homepage", repo.homepage.as_deref());
    o.number("size", repo.size());
    let stars = repo.stars.len() as u64;
    o.number("stargazers_count", stars);
    o.number("watchers_count", stars);
    o.optional_text("language", repo.language());
    o.flag("has_issues", repo.features.issues);
    o.flag("has_projects", repo.features.projects);
    o.flag("has_downloads", repo.features.downloads);
    o.flag("has_wiki", repo.features.wiki);
    o.flag("has_pages", repo.features.pages);
    o.flag("has_discussions", repo.features.discussions);
    let forks = repo.forks.len() as u64;
    o.number("forks_count", forks);
    o.null("mirror_url");
    o.flag("archived", repo.archived);
    o.flag("disabled", repo.blocked_at.is_some());
    o.number("open_issues_count", repo.open_issues());
    match repo.license {
        Some(it) => o.object("license", |o| license(o, view, it)),
        None => o.null("license"),
    }
    o.flag("allow_forking", repo.features.forking);
    o.flag("is_template", false);
    o.flag("web_commit_signoff_required", false);
    o.texts("topics", &repo.topics);
    o.text("visibility", repo.visibility.as_str());
    o.number("forks", forks);
    o.number("open_issues", repo.open_issues());
    o.number("watchers", stars);
    o.text("default_branch", &repo.default_branch);
    match form {
        Form::Webhook => o.object("custom_properties", |_| {}),
        Form::Forkee => {
            o.object("custom_properties", |_| {});
            o.flag("public", repo.is_public());
        }
        Form::Push => {
            o.number("stargazers", stars);
            o.text("master_branch", &repo.default_branch);
            if owner.kind == AccountKind::Organization {
                o.text("organization", &owner.login);
            }
            o.object("custom_properties", |_| {});
        }
        Form::Rest => {}
    }
}

/// What the caller may do with a public repository.
pub(crate) fn permissions(o: &mut Object<'_>, is_admin: bool) {
    o.object("permissions", |o| {
        for key in ["admin", "maintain", "push", "triage"] {
            o.flag(key, is_admin);
        }
        o.flag("pull", true);
    });
}

/// `GET /repos/{owner}/{repo}`: with watchers, network and parents, and what only those who may push see.
pub(crate) fn full_repository(o: &mut Object<'_>, view: View<'_>, repo: &Repository, may_push: bool) {
    repository(o, view, repo, Form::Rest);
    if may_push {
        permissions(o, true);
        o.flag("allow_squash_merge", true);
        o.flag("allow_merge_commit", true);
        o.flag("allow_rebase_merge", true);
        o.flag("allow_auto_merge", false);
        o.flag("delete_branch_on_merge", false);
    }
    let owner = view.account(repo.owner);
    if owner.kind == AccountKind::Organization {
        o.object("organization", |o| user(o, view, owner, UserForm::Rest));
    }
    for (key, id) in
        [("parent", repo.fork_of.map(|fork| fork.parent)), ("source", repo.fork_of.map(|fork| fork.source))]
    {
        if let Some(other) = id.and_then(|id| view.repository(id)) {
            o.object(key, |o| repository(o, view, other, Form::Rest));
        }
    }
    o.number("network_count", repo.forks.len() as u64);
    o.number("subscribers_count", repo.subscribers);
}

fn license(o: &mut Object<'_>, view: View<'_>, license: License) {
    o.text("key", license.key);
    o.text("name", license.name);
    o.text("spdx_id", license.spdx_id);
    let known = license.spdx_id != "NOASSERTION";
    o.optional_text("url", known.then(|| format!("{}/licenses/{}", view.urls.api, license.key)));
    o.text("node_id", format_args!("MDc6TGljZW5zZQ{}", license.key.len()));
}
