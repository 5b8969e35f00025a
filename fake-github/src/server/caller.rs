//! Who asks: what the headers of a request say of it. Somebody with a token, an App's installation, the App itself,
//! or nobody.

use std::net::IpAddr;

use http::{HeaderMap, header};

use super::{endpoint, jwt, limits::Limited, reply::Reply, requests::RequestRecord};
use crate::model::{AccountId, Second, state::View};

/// Versions of the API that are answered; the first is the default.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// A caller whose headers are in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// For whom it acts.
    pub(super) account: Option<AccountId>,
    /// The same, where it is the App's installation there.
    pub(super) installation: Option<AccountId>,
    /// It is the App.
    pub(super) is_app: bool,
    pub(super) version: &'static str,
    /// Whether lists of stars are wanted with their times.
    pub(super) wants_star_times: bool,
}

impl Caller {
    /// With whom it is limited together.
    pub(super) fn limited(&self, address: IpAddr) -> Limited {
        match (self.account, self.installation) {
            _ if self.is_app => Limited::App,
            (_, Some(account)) => Limited::Installation(account),
            (Some(account), None) => Limited::Account(account),
            (None, None) => Limited::Address(address),
        }
    }

    /// Notes who asked.
    pub(super) fn note(&self, record: &mut RequestRecord) {
        record.authorised = self.account.is_some() || self.is_app;
        (record.installation, record.as_app) = (self.installation, self.is_app);
    }

    /// When the caller's token ends, if it does.
    pub(super) fn token_end(&self, view: View<'_>) -> Option<Second> {
        view.state.token_ends.get(&self.account.filter(|_| self.installation.is_none())?).copied()
    }

    /// Reads the headers, or says what GitHub answers to such ones.
    pub(super) fn of(
        headers: &HeaderMap,
        path: &str,
        view: View<'_>,
        now: Second,
    ) -> Result<Self, Box<Reply>> {
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
        let nobody = Caller { account: None, installation: None, is_app: false, version, wants_star_times };
        let Some(authorization) = text(header::AUTHORIZATION) else {
            return Ok(nobody);
        };
        let token = authorization
            .split_once(' ')
            .filter(|(scheme, _)| {
                scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")
            })
            .map(|(_, token)| token.trim());
        let Some(token) = token else { return Err(Box::new(Reply::error(401, "Bad credentials"))) };
        if let Some(account) = view.state.tokens.get(token) {
            return Ok(Caller { account: Some(*account), ..nobody });
        }
        let Some(app) = view.state.app.as_deref() else {
            return Err(Box::new(Reply::error(401, "Bad credentials")));
        };
        if path == "/app" || path.starts_with("/app/") || path.ends_with("/installation") {
            return match jwt::refusal(token, app, now) {
                None => Ok(Caller { is_app: true, ..nobody }),
                Some(reply) => Err(Box::new(reply)),
            };
        }
        match app.tokens.get(token) {
            Some(token) if now < token.ends_at => {
                let suspended = app.installed.get(&token.account).is_none_or(|it| it.suspended_at.is_some());
                if suspended {
                    return Err(Box::new(endpoint::apps::suspended()));
                }
                Ok(Caller { account: Some(token.account), installation: Some(token.account), ..nobody })
            }
            _ => Err(Box::new(Reply::error(401, "Bad credentials"))),
        }
    }
}
