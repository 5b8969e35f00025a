//! Which endpoint a path names. Two addresses of a thing, by name and by id, come to the same endpoint.

use percent_encoding::percent_decode_str;

use super::{
    caller::Caller,
    endpoint::{self, Context},
    paging::Query,
    reply::Reply,
};
use crate::{
    hooks::Dispatcher,
    model::{
        HookTarget, RepoId, Second, World,
        account::{Account, AccountKind},
        repository::Repository,
        state::{Named, View},
    },
};

/// What is asked, without what stands around it.
pub(super) struct Question<'a> {
    pub(super) is_read: bool,
    /// `POST`, `PATCH`, `DELETE`.
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    pub(super) caller: Caller,
    /// Rows that a list of pull requests may be paged to, where there is such a wall.
    pub(super) rows_max: Option<usize>,
    /// The same of a list of stargazers.
    pub(super) stargazers_max: usize,
    /// Knows what came of deliveries.
    pub(super) dispatcher: &'a Dispatcher,
    pub(super) now: Second,
}

/// What a path leads to.
enum Place<'a> {
    Repository(&'a Repository, Vec<String>),
    Organization(&'a Account, Vec<String>),
    Answer(Reply),
}

/// Answers a read.
pub(super) fn read(view: View<'_>, question: &Question<'_>) -> Reply {
    let query = Query::parse(question.query);
    let context = Context {
        view,
        caller: question.caller,
        query: &query,
        rows_max: question.rows_max,
        stargazers_max: question.stargazers_max,
        dispatcher: question.dispatcher,
        now: question.now,
    };
    let segments = segments(question.path);
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => endpoint::root(context),
        ["user"] => endpoint::users::own(context),
        ["user", "repos"] => endpoint::users::own_repositories(context),
        ["user", id] => {
            account(view, id).map_or_else(Reply::not_found, |it| endpoint::users::one(context, it))
        }
        ["user", id, "repos"] => {
            account(view, id).map_or_else(Reply::not_found, |it| endpoint::users::repositories(context, it))
        }
        ["user", id, "gists"] => {
            account(view, id).map_or_else(Reply::not_found, |it| endpoint::gists::list(context, it))
        }
        ["users", login, "gists"] => {
            (view.account_named(login)).map_or_else(Reply::not_found, |it| endpoint::gists::list(context, it))
        }
        ["gist", _, id, "raw", version, filename] => endpoint::gists::raw(context, id, version, filename),
        ["users", login] => {
            (view.account_named(login)).map_or_else(Reply::not_found, |it| endpoint::users::one(context, it))
        }
        ["user", id, "starred"] => {
            account(view, id).map_or_else(Reply::not_found, |it| endpoint::stars::starred(context, it))
        }
        ["users", login, "starred"] => (view.account_named(login))
            .map_or_else(Reply::not_found, |it| endpoint::stars::starred(context, it)),
        ["users", login, "repos"] => (view.account_named(login))
            .map_or_else(Reply::not_found, |it| endpoint::users::repositories(context, it)),
        ["app", rest @ ..] => endpoint::apps::read(context, rest),
        ["users", login, "installation"] => endpoint::apps::installation_of(context, login),
        ["meta"] => endpoint::meta(),
        ["repositories"] => endpoint::repositories::since(context),
        _ => match place(question, view, &parts) {
            Place::Answer(reply) => reply,
            Place::Organization(organization, rest) => {
                let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
                match rest.as_slice() {
                    [] => endpoint::organizations::one(context, organization),
                    ["repos"] => endpoint::organizations::repositories(context, organization),
                    ["hooks", rest @ ..] => {
                        let target = HookTarget::Organization(organization.id);
                        endpoint::hooks::read(context, target, organization.id, rest)
                    }
                    _ => Reply::not_found(),
                }
            }
            Place::Repository(repo, rest) => in_repository(context, repo, &rest),
        },
    }
}

fn in_repository(context: Context<'_>, repo: &Repository, rest: &[String]) -> Reply {
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        [] => endpoint::repositories::one(context, repo),
        ["branches"] => endpoint::branches::list(context, repo),
        ["branches", name @ ..] => endpoint::branches::one(context, repo, &name.join("/")),
        ["commits"] => endpoint::commits::list(context, repo),
        ["commits", name @ ..] => endpoint::commits::one(context, repo, &name.join("/")),
        ["pulls"] => endpoint::pulls::list(context, repo),
        ["pulls", number] => endpoint::pulls::one(context, repo, number),
        ["stargazers"] => endpoint::stars::stargazers(context, repo),
        ["languages"] => endpoint::repositories::languages(repo),
        ["topics"] => endpoint::repositories::topics(repo),
        ["hooks", rest @ ..] => {
            endpoint::hooks::read(context, HookTarget::Repository(repo.id), repo.owner, rest)
        }
        _ => Reply::not_found(),
    }
}

/// Answers what is not a read.
pub(super) fn write(world: &mut World, question: &Question<'_>) -> Reply {
    let segments = segments(question.path);
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (question.method, parts.as_slice()) {
        (_, ["app", rest @ ..]) => return endpoint::apps::write(world, question, rest),
        ("POST", ["app-manifests", code, "conversions"]) => return endpoint::apps::convert(world, code),
        ("POST", ["settings", "apps", "new"] | ["organizations", _, "settings", "apps", "new"]) => {
            return endpoint::apps::agree(world, question);
        }
        _ => {}
    }
    let (target, owner, rest) = match place(question, world.view(), &parts) {
        Place::Answer(reply) => return reply,
        Place::Repository(repo, rest) => (HookTarget::Repository(repo.id), repo.owner, rest),
        Place::Organization(account, rest) => (HookTarget::Organization(account.id), account.id, rest),
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["hooks", rest @ ..] => endpoint::hooks::write(world, question, target, owner, rest),
        _ => Reply::not_found(),
    }
}

/// Finds the repository or organisation that a path is about, as the caller may see it.
fn place<'a>(question: &Question<'_>, view: View<'a>, parts: &[&str]) -> Place<'a> {
    let owned = |rest: &[&str]| rest.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let not_found = || Place::Answer(Reply::not_found());
    let (repo, rest) = match parts {
        ["repos", owner, name, rest @ ..] => match view.repository_named(owner, name) {
            Some(Named::Here(id)) => (view.repository(id), rest),
            Some(Named::Moved(id)) if visible(question, view, id) => {
                return Place::Answer(moved_repository(question, view, id));
            }
            Some(Named::Moved(_)) | None => (None, rest),
        },
        ["repositories", id, rest @ ..] => (id.parse().ok().and_then(|id| view.repository(RepoId(id))), rest),
        ["orgs", login, rest @ ..] => {
            return match view.account_named(login).filter(|it| it.kind == AccountKind::Organization) {
                Some(account) => Place::Organization(account, owned(rest)),
                None => not_found(),
            };
        }
        ["organizations", id, rest @ ..] => {
            return match account(view, id).filter(|it| it.kind == AccountKind::Organization) {
                Some(account) => Place::Organization(account, owned(rest)),
                None => not_found(),
            };
        }
        _ => return not_found(),
    };
    match repo {
        Some(repo) if !visible(question, view, repo.id) => not_found(),
        Some(repo) => match repo.blocked_at {
            Some(at) => Place::Answer(endpoint::repositories::blocked(view, repo, at)),
            None => Place::Repository(repo, owned(rest)),
        },
        None => not_found(),
    }
}

fn visible(question: &Question<'_>, view: View<'_>, id: RepoId) -> bool {
    let withdrawn = || {
        let app = view.state.app.as_ref().filter(|_| question.caller.installation.is_some());
        app.is_some_and(|app| app.installed.values().any(|installed| installed.withdrawn.contains(&id)))
    };
    view.repository(id).is_some_and(|repo| {
        repo.is_public() || (view.acts_for(question.caller.account, repo.owner) && !withdrawn())
    })
}

/// A former name answers with the address by id, and keeps the rest of the path and the query.
fn moved_repository(question: &Question<'_>, view: View<'_>, id: RepoId) -> Reply {
    let rest = question.path.splitn(5, '/').nth(4).map(|rest| format!("/{rest}")).unwrap_or_default();
    let query = if question.query.is_empty() { String::new() } else { format!("?{}", question.query) };
    let to = format!("{}/repositories/{id}{rest}{query}", view.urls.api);
    Reply::moved(&to, question.is_read)
}

fn account<'a>(view: View<'a>, id: &str) -> Option<&'a Account> {
    let id = id.parse().ok()?;
    let account = view.state.accounts.get(&crate::model::AccountId(id)).map(AsRef::as_ref);
    account.filter(|account| !account.is_gone)
}

/// A path's parts, decoded. A slash at the end leaves an empty part, which no endpoint has: 404, as GitHub
/// answers.
fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
}
