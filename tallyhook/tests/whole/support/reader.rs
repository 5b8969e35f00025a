//! A reader of the API and of the ops port, as clients are: it follows no redirect and unpacks nothing.

use std::{net::SocketAddr, sync::Once};

use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// A client of one address.
#[derive(Clone)]
pub(crate) struct Reader {
    http: reqwest::Client,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Reader { http: http_client(), address }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.try_ask(method, path, headers).await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// As [`Self::ask`]; an error when nothing answers.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
        })
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the answer says that it is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.header("tallyhook-complete") == Some("true")
    }

    /// That this is the payload asked for.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK.as_u16(), "{}", self.text());
        self
    }

    /// That it was refused with this status; returns the problem.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        self.json()
    }
}

/// A client without ideas of its own.
pub(crate) fn http_client() -> reqwest::Client {
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(super::seconds(30))
        .build()
        .unwrap()
}
