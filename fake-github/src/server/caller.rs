//! Who asks: what the headers of a request say of it.

use http::{HeaderMap, header};

use super::reply::Reply;
use crate::model::{AccountId, Second, state::View};

/// Versions of the API that are answered; the first is the default.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// A caller whose headers are in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) account: Option<AccountId>,
    pub(super) version: &'static str,
    /// Whether lists of stars are wanted with their times.
    pub(super) wants_star_times: bool,
}

impl Caller {
    /// When the caller's token ends, if it does.
    pub(super) fn token_end(&self, view: View<'_>) -> Option<Second> {
        view.state.token_ends.get(&self.account?).copied()
    }

    /// Reads the headers, or says what GitHub answers to such ones.
    pub(super) fn of(headers: &HeaderMap, view: View<'_>) -> Result<Self, Box<Reply>> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if text(header::USER_AGENT).is_none_or(str::is_empty) {
            return Err(Box::new(Reply::text(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent \
                 header (https://docs.github.com/rest/overview/resources-in-the-rest-api#user-agent-required). \
                 Check https://developer.github.com for other possible causes.\n",
            )));
        }
        let wanted = text(http::HeaderName::from_static("x-github-api-version")).unwrap_or(VERSIONS[0]);
        let Some(version) = VERSIONS.into_iter().find(|version| *version == wanted) else {
            return Err(Box::new(Reply::error(
                400,
                "Bad Request: the X-GitHub-Api-Version is not supported",
            )));
        };
        let wants_star_times = text(header::ACCEPT).is_some_and(|accept| accept.contains("star+json"));
        let Some(authorization) = text(header::AUTHORIZATION) else {
            return Ok(Caller { account: None, version, wants_star_times });
        };
        let token = authorization
            .split_once(' ')
            .filter(|(scheme, _)| {
                scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")
            })
            .map(|(_, token)| token.trim());
        match token.and_then(|token| view.state.tokens.get(token)) {
            Some(account) => Ok(Caller { account: Some(*account), version, wants_star_times }),
            None => Err(Box::new(Reply::error(401, "Bad credentials"))),
        }
    }
}
