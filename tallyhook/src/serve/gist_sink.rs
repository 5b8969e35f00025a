//! The outbox after the settings: off where no Pipedrive is named.

use std::sync::Arc;

use projector::ProgressReader;
use prometheus::Registry;
use sinks::{Listening, Metrics, Pipedrive, PipedriveSettings, SinkSettings, Sinks, Texts};
use url::Url;

use crate::{
    failure::{Failure, failed},
    ports::{Ports, RowPorts},
    settings::Settings,
};

/// Where github.com keeps the texts of gists.
const RAW_OF_GITHUB: &str = "https://gist.githubusercontent.com";
const API_OF_GITHUB: &str = "api.github.com";

/// An outbox that listens; `None` where nothing is to be sent.
pub(super) fn listen(
    settings: &Settings,
    ports: &Ports,
    rows: &RowPorts,
    progress: &ProgressReader,
    registry: &Registry,
) -> Result<Option<Listening>, Failure> {
    let metrics = Metrics::register(registry).map_err(failed)?;
    let (api_url, token) = match (&settings.pipedrive_api_url, &settings.pipedrive_token) {
        (None, None) => return Ok(None),
        (Some(api_url), Some(token)) => (api_url.clone(), token.clone()),
        (Some(_), None) => return Err(missing("--pipedrive-token (TALLYHOOK_PIPEDRIVE_TOKEN)")),
        (None, Some(_)) => return Err(missing("--pipedrive-api-url (TALLYHOOK_PIPEDRIVE_API_URL)")),
    };
    let wrong = |error: sinks::SettingsError| {
        Failure::Usage(format!("--pipedrive-api-url (TALLYHOOK_PIPEDRIVE_API_URL) or its token: {error}"))
    };
    let pipedrive = PipedriveSettings { api_url, token, call_timeout: PipedriveSettings::CALL_TIMEOUT };
    let sinks = Sinks {
        log: Arc::clone(&ports.log),
        store: Arc::clone(&rows.store),
        hints: Arc::clone(&rows.near),
        sink: Arc::new(Pipedrive::new(&pipedrive).map_err(wrong)?),
        texts: Texts::new(&raw_addresses(&settings.github_api_url)).map_err(wrong)?,
        metrics,
        settings: SinkSettings { unknown_wait: settings.outbox_unknown_wait, ..SinkSettings::default() },
        partitions: progress.current(),
    };
    Ok(Some(sinks.listen()))
}

fn missing(setting: &str) -> Failure {
    Failure::Usage(format!(
        "gists are sent to Pipedrive only with its address and a token: set {setting} too"
    ))
}

/// Where the texts of gists may be read: a GitHub Enterprise Server keeps them at its own host, or at `gist.` before it.
fn raw_addresses(github_api_url: &str) -> Vec<String> {
    let Ok(url) = Url::parse(github_api_url) else { return Vec::new() };
    let Some(host) = url.host_str() else { return Vec::new() };
    if host == API_OF_GITHUB {
        return vec![RAW_OF_GITHUB.to_owned()];
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let scheme = url.scheme();
    let mut addresses = vec![format!("{scheme}://{host}{port}")];
    addresses.extend(url.domain().map(|domain| format!("{scheme}://gist.{domain}{port}")));
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_from_the_forge_that_is_asked() {
        assert_eq!(raw_addresses("https://api.github.com"), ["https://gist.githubusercontent.com"]);
        let own = raw_addresses("https://ghe.example:8443/api/v3");
        assert_eq!(own, ["https://ghe.example:8443", "https://gist.ghe.example:8443"]);
        assert_eq!(raw_addresses("http://127.0.0.1:80"), ["http://127.0.0.1"]);
    }
}
