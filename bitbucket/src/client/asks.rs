//! The questions: who an account is, which repositories it has, one repository, how many watch it.
//!
//! Names that people type are used once, to learn the uuid; everything else is asked for by uuid, which
//! survives renames. `fields=` keeps answers to what is read.

use bytes::Bytes;
use domain::{Second, event::ProfileReading};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{Answer, AskError, Client};
use crate::{
    translate::{self, Listed, Page},
    uuid,
};

/// What stands in an address as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of a repository that are read.
const FIELDS: [&str; 9] = [
    "uuid",
    "full_name",
    "is_private",
    "parent.uuid",
    "language",
    "description",
    "created_on",
    "updated_on",
    "workspace.uuid",
];

/// The address within a repository's links that is read.
const HTML_LINK: &str = "links.html.href";

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPath<'a> {
    /// By the name in its URL, as somebody typed it.
    Name(&'a str),
    /// By its uuid.
    Uuid(u128),
}

/// A page of an account's repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagePath<'a> {
    /// The first, of the account with this uuid.
    First(u128),
    /// The one whose address the page before gave.
    Next(&'a str),
}

impl Client {
    /// Asks who an account is: a workspace of that name, else a user.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn profile(
        &self,
        account: AccountPath<'_>,
        now: Second,
    ) -> Result<Answer<ProfileReading<'static>>, AskError> {
        let name = match account {
            AccountPath::Name(name) => name.to_owned(),
            AccountPath::Uuid(uuid) => uuid::write(uuid),
        };
        let endpoint = "GET /2.0/workspaces/{workspace}";
        let answer = self.get_path(endpoint, &["workspaces", &name], "", now).await?;
        if let Answer::Fresh { .. } = answer {
            return answer.read(endpoint, |body| translate::profile(&body, "Workspace", &name));
        }
        let endpoint = "GET /2.0/users/{user}";
        let answer = self.get_path(endpoint, &["users", &name], "", now).await?;
        answer.read(endpoint, |body| translate::profile(&body, "User", &name))
    }

    /// Asks for a page of an account's repositories.
    ///
    /// # Errors
    /// See [`AskError`]; a page that is not on the configured server is refused without being asked for.
    pub async fn repositories(&self, page: PagePath<'_>, now: Second) -> Result<Answer<Page>, AskError> {
        let endpoint = "GET /2.0/repositories/{workspace}";
        let answer = match page {
            PagePath::First(account) => {
                let fields: Vec<String> =
                    FIELDS.iter().chain([&HTML_LINK]).map(|field| format!("values.{field}")).collect();
                let query = format!("pagelen=100&sort=full_name&fields=next,{}", fields.join(","));
                self.get_path(endpoint, &["repositories", &uuid::write(account)], &query, now).await?
            }
            PagePath::Next(url) => {
                let url = self.shared.api_url.join(url).ok().filter(|url| self.is_ours(url));
                let Some(url) = url else {
                    let what = "the address of the next page is not on the configured API address";
                    return Err(AskError::Final(format!("{endpoint}: {what}")));
                };
                self.get(endpoint, url, now).await?
            }
        };
        answer.read(endpoint, |body| translate::page(&body))
    }

    /// Asks for one repository.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn repository(
        &self,
        account: u128,
        repo: u128,
        now: Second,
    ) -> Result<Answer<Listed>, AskError> {
        let endpoint = "GET /2.0/repositories/{workspace}/{repository}";
        let path = ["repositories", &uuid::write(account), &uuid::write(repo)];
        let query = format!("fields={},{HTML_LINK}", FIELDS.join(","));
        let answer = self.get_path(endpoint, &path, &query, now).await?;
        answer.read(endpoint, |body| translate::repository(&body))
    }

    /// Asks how many watch a repository; `None` where Bitbucket does not say.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn watchers(
        &self,
        account: u128,
        repo: u128,
        now: Second,
    ) -> Result<Answer<Option<u64>>, AskError> {
        let endpoint = "GET /2.0/repositories/{workspace}/{repository}/watchers";
        let path = ["repositories", &uuid::write(account), &uuid::write(repo), "watchers"];
        let answer = self.get_path(endpoint, &path, "pagelen=0&fields=size", now).await?;
        answer.read(endpoint, |body| translate::size(&body))
    }

    /// Asks for what is at a path. A name that would name something else is one that does not exist.
    async fn get_path(
        &self,
        endpoint: &'static str,
        segments: &[&str],
        query: &str,
        now: Second,
    ) -> Result<Answer<Bytes>, AskError> {
        let mut path = String::from("/2.0");
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Ok(Answer::Refused { status: 404, date: now });
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, ENCODED));
        }
        if !query.is_empty() {
            path.push('?');
            path.push_str(query);
        }
        let base = self.shared.api_url.as_str().trim_end_matches('/');
        let Ok(url) = Url::parse(&format!("{base}{path}")) else {
            return Ok(Answer::Refused { status: 404, date: now });
        };
        self.get(endpoint, url, now).await
    }
}
