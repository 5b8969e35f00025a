//! S0's user payload, `/githubPayload`, from ready fragments of its repositories.

use std::io::Write as _;

use serde::Serialize;

use crate::{entity::account::Profile, view::repository::Figures};

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = GithubPayloadRepository))]
#[serde(rename_all = "camelCase")]
struct Fragment<'a> {
    name: &'a str,
    url: &'a str,
    /// Commits on the default branch.
    commit_count: Option<u64>,
    /// In all states.
    pull_request_count: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = GithubPayloadProfile))]
struct User<'a> {
    #[serde(rename = "githubHandle")]
    handle: &'a str,
    #[serde(rename = "githubURL")]
    url: Option<&'a str>,
    #[serde(rename = "avatarURL")]
    avatar_url: Option<&'a str>,
    email: Option<&'a str>,
    #[serde(rename = "followerCount")]
    followers: Option<u64>,
}

/// A user with commit and pull-request counts for each public repository.
#[cfg(feature = "schema")]
#[derive(utoipa::ToSchema)]
#[schema(as = GithubPayload)]
#[expect(dead_code, reason = "it describes the bytes that are joined")]
pub struct Payload<'a> {
    user: UserWithRepositories<'a>,
}

#[cfg(feature = "schema")]
#[derive(utoipa::ToSchema)]
#[schema(as = GithubPayloadUser)]
#[expect(dead_code, reason = "it describes the bytes that are joined")]
struct UserWithRepositories<'a> {
    #[schema(inline)]
    #[serde(flatten)]
    user: User<'a>,
    /// The public ones, by name.
    repositories: Vec<Fragment<'a>>,
}

/// What a repository adds to the payload.
pub fn fragment(figures: &Figures) -> Vec<u8> {
    let fragment = Fragment {
        name: &figures.name,
        url: &figures.url,
        commit_count: figures.commits,
        pull_request_count: figures.pulls.total,
    };
    serde_json::to_vec(&fragment).expect("a fragment of plain values serializes")
}

/// Renders the payload around its repositories' fragments, which come in order.
pub fn render<'a>(profile: &Profile, fragments: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let user = User {
        handle: profile.login.as_deref().unwrap_or_default(),
        url: profile.url.as_deref(),
        avatar_url: profile.avatar_url.as_deref(),
        email: profile.email.as_deref(),
        followers: profile.followers,
    };
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(br#"{"user":"#);
    serde_json::to_writer(&mut bytes, &user).expect("a user of plain values serializes");
    bytes.pop();
    bytes.extend_from_slice(br#","repositories":["#);
    for (place, fragment) in fragments.enumerate() {
        if place > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(fragment);
    }
    bytes.write_all(b"]}}").expect("writing to memory does not fail");
    bytes
}
