//! The questions, one file each: an endpoint, and what its answer means in our own readings.

mod commit_count;
mod gists;
mod head;
mod hooks;
mod languages;
mod latest;
mod profile;
mod pull_count;
mod pulls;
mod repositories;
mod repository;

pub use gists::{GistsPage, ListedGist};
pub use hooks::{HOOK_EVENTS, Hook, HookOwner, NewHook, ORGANIZATION_HOOK_EVENTS};
pub use latest::{PublicPage, ToldRepository};
pub use pull_count::PullCount;
pub use pulls::{ListedPull, PullOrder, PullsPage};
pub use repositories::RepositoriesPage;

use bytes::Bytes;
use http::Method;

use super::{Answer, AskError, Asking, Client, Request, path::Path};

impl Client {
    /// Asks for what is at `path`. A name that cannot be sent is one that does not exist.
    async fn get_path(
        &self,
        endpoint: &'static str,
        path: Path,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let Some(url) = path.below(&self.shared.api_url) else {
            return Ok(Answer::Refused { status: 404, date: asking.now, message: None });
        };
        self.get_url(endpoint, url, asking).await
    }

    /// Asks for what is at an address that the forge itself gave.
    async fn get_given(
        &self,
        endpoint: &'static str,
        url: &str,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let url = self.given(endpoint, url)?;
        self.get_url(endpoint, url, asking).await
    }

    async fn get_url(
        &self,
        endpoint: &'static str,
        url: url::Url,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let (etag, now) = (asking.etag, asking.now);
        self.get(Request { method: Method::GET, endpoint, url, etag, json: None, now }).await
    }
}
