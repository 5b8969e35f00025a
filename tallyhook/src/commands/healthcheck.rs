//! `tallyhook healthcheck`: exit 0 when ready, for containers without a shell.

use crate::{
    admin,
    failure::{Failure, failed},
    settings::Settings,
};

pub(crate) async fn run(settings: &Settings, url: Option<&str>) -> Result<(), Failure> {
    let own = format!("{}/readyz", settings.ops_url.trim_end_matches('/'));
    let url = url.unwrap_or(&own);
    let response = admin::client()?.get(url).send().await.map_err(|error| {
        let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        failed(format!("{url} {why}"))
    })?;
    let status = response.status();
    if status.is_success() {
        println!("ready");
        return Ok(());
    }
    let body = response.text().await.unwrap_or_default();
    Err(Failure::Failed(format!("not ready: {url} answers {status}: {}", body.trim())))
}
