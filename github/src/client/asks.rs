//! The questions, one file each: an endpoint, and what its answer means in our own readings.

mod administered;
pub(super) mod app;
mod commit_count;
mod deliveries;
mod gists;
mod head;
mod hooks;
mod languages;
mod latest;
mod profile;
mod pull_count;
mod pulls;
mod reception;
mod repositories;
mod repository;
mod stars;
mod whole;

pub use administered::Administered;
pub use app::{APP_EVENTS, APP_PERMISSIONS, AboutApp, AppHook, AppMade};
pub use deliveries::{DeliveriesPage, ListedDelivery, RecordedDelivery};
pub use gists::{GistsPage, ListedGist};
pub use hooks::{HOOK_EVENTS, Hook, HookOwner, NewHook, ORGANIZATION_HOOK_EVENTS};
pub use latest::{PublicPage, ToldRepository};
pub use pull_count::PullCount;
pub use pulls::{ListedPull, PullOrder, PullsPage};
pub use reception::Reception;
pub use repositories::RepositoriesPage;
pub use stars::{GivenStar, StargazersPage, StarredPage};
pub use whole::{
    PAGE_MAX as WHOLE_PAGE_MAX, Whole, WholePage, WholePulls, WholeRepository, points as whole_points,
};

use bytes::Bytes;
use http::Method;

use super::{Answer, AskError, Asking, Client, Request, limits::CORE, path::Path};

/// What a name that cannot be sent is answered with: there is no such thing.
fn nothing(asking: &Asking<'_>) -> Answer<Bytes> {
    Answer::Refused { status: 404, date: asking.now, message: None }
}

impl Client {
    /// Asks for what is at `path`. A name that cannot be sent is one that does not exist.
    async fn get_path(
        &self,
        endpoint: &'static str,
        path: Path,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let Some(url) = path.below(&self.shared.api_url) else { return Ok(nothing(asking)) };
        self.get_url(endpoint, url, None, asking).await
    }

    /// The same, in another form than the usual one.
    async fn get_path_as(
        &self,
        endpoint: &'static str,
        path: Path,
        accept: &'static str,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let Some(url) = path.below(&self.shared.api_url) else { return Ok(nothing(asking)) };
        self.get_url(endpoint, url, Some(accept), asking).await
    }

    /// Asks for what is at an address that the forge itself gave.
    async fn get_given(
        &self,
        endpoint: &'static str,
        url: &str,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let url = self.given(endpoint, url)?;
        self.get_url(endpoint, url, None, asking).await
    }

    /// The same, in another form than the usual one.
    async fn get_given_as(
        &self,
        endpoint: &'static str,
        url: &str,
        accept: &'static str,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let url = self.given(endpoint, url)?;
        self.get_url(endpoint, url, Some(accept), asking).await
    }

    async fn get_url(
        &self,
        endpoint: &'static str,
        url: url::Url,
        accept: Option<&'static str>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Bytes>, AskError> {
        let (etag, now) = (asking.etag, asking.now);
        let request =
            Request { method: Method::GET, endpoint, resource: CORE, url, etag, json: None, accept, now };
        self.get(request).await
    }
}
