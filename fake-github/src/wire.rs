//! How the world is written: GitHub's JSON, field by field, in payloads and in answers. Nothing is decided
//! here, and nothing is read.

mod app;
mod branch;
mod commit;
mod delivery;
mod gist;
mod hook;
mod issue;
mod json;
mod organization;
mod pull;
mod repository;
mod user;

pub(crate) use app::{app, installation, installed_repository};
pub(crate) use branch::{branch, short_branch};
pub(crate) use commit::{commit, compare_url, push_commit};
pub(crate) use delivery::{delivery, listed_delivery};
pub(crate) use gist::gist;
pub(crate) use hook::{HookForm, hook, hook_subject};
pub(crate) use issue::issue;
pub(crate) use json::{Object, list, object};
pub(crate) use organization::{full_organization, organization, organization_if_any};
pub(crate) use pull::{PullForm, pull};
pub(crate) use repository::{Form, full_repository, listed_repository, permissions, repository};
#[cfg(feature = "graphql")]
pub(crate) use user::avatar_url;
pub(crate) use user::{UserForm, full_user, installation_account, user};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A segment of a path: letters, digits and what needs no escape in one.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A branch's name in a URL: slashes stay, the rest is escaped.
pub(crate) fn in_path(name: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(name, SEGMENT)
}
