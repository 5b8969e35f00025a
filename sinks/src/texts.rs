//! The texts of files, read from where the forge keeps them: from configured hosts only, and so much at most.

use std::{sync::Once, time::Duration};

use bytes::BytesMut;
use http::StatusCode;
use reqwest::redirect::Policy;
use url::{Origin, Url};

use crate::SettingsError;

/// Larger files are no notes: a person decides about them.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A file of that size takes a second or two; one that does not come is asked for again.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) const USER_AGENT: &str = concat!("tallyhook/", env!("CARGO_PKG_VERSION"));

/// Where texts may be read.
#[derive(Debug, Clone)]
pub struct Texts {
    http: reqwest::Client,
    origins: Vec<Origin>,
}

/// Why a text is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoText {
    /// Ask again.
    Later(String),
    /// Asking again does not help.
    Never(String),
}

impl Texts {
    /// From these addresses, of which scheme, host and port count.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(from: &[String]) -> Result<Self, SettingsError> {
        install_crypto_once();
        let mut origins = Vec::with_capacity(from.len());
        for address in from {
            let url = Url::parse(address).map_err(|error| SettingsError::Address(error.to_string()))?;
            origins.push(url.origin());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(WHOLE_TIMEOUT);
        if from.iter().all(|address| address.starts_with("http:")) {
            // A machine without root certificates can still talk to a look-alike next door.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SettingsError::Tls(error.to_string()))?;
        Ok(Texts { http, origins })
    }

    /// The text at an address.
    pub(crate) async fn read(&self, address: &str) -> Result<String, NoText> {
        let never = |why: &str| Err(NoText::Never(why.to_owned()));
        let later = |error: &reqwest::Error| {
            let why = if error.is_timeout() {
                "no whole answer in time"
            } else {
                "no connection, or one that broke"
            };
            NoText::Later(format!("the file's text: {why}"))
        };
        let Ok(url) = Url::parse(address) else { return never("the address of the file's text is none") };
        if !self.origins.contains(&url.origin()) {
            return never("the file's text is at a host from which none is read");
        }
        let mut answer = self.http.get(url).send().await.map_err(|error| later(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                return Err(NoText::Later("the file's text: too many requests".to_owned()));
            }
            status if status.is_server_error() => {
                return Err(NoText::Later(format!("the file's text: answered {status}")));
            }
            status => {
                return Err(NoText::Never(format!("the file's text cannot be read: answered {status}")));
            }
        }
        let mut text = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| later(&error))? {
            if text.len() + chunk.len() > TEXT_BYTES_MAX {
                return never("the file is larger than 1 MiB");
            }
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text.to_vec()).or_else(|_| never("the file is no UTF-8 text"))
    }
}

/// The TLS library takes its cryptography from whoever installs one first.
pub(crate) fn install_crypto_once() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that the process has one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
