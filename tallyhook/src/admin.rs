//! The admin routes of a running process, as the command line uses them.

use std::time::Duration;

use axum::{Router, http::StatusCode, http::header, response::IntoResponse, routing::any};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    failure::{Failure, failed},
    settings::Settings,
};

/// A command waits for its effect for 5 s on the other side.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running process, reached through its ops address.
pub(crate) struct Admin {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Admin {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Admin {
            client: client()?,
            url: settings.ops_url.trim_end_matches('/').to_owned(),
            token: settings.admin_token.as_ref().map(|token| token.expose_secret().to_owned()),
        })
    }

    /// Asks for what is at `path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(self.client.get(format!("{}{path}", self.url))).await
    }

    /// Sends a command.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.send(self.client.post(format!("{}{path}", self.url)).json(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, mut request: reqwest::RequestBuilder) -> Result<T, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| {
                failed(format!("{} does not answer as a Tallyhook of this version does", self.url))
            });
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason given");
        let advice = if status == StatusCode::UNAUTHORIZED.as_u16() {
            " (--admin-token, TALLYHOOK_ADMIN_TOKEN)"
        } else {
            ""
        };
        Err(failed(format!("{detail}{advice}")))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        failed(format!(
            "no running Tallyhook: {} {why}. Start one with `tallyhook serve`, or name its ops address with --ops-url \
             (TALLYHOOK_OPS_URL)",
            self.url
        ))
    }
}

/// An HTTP client for our own ports.
pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    // Whoever comes first installs it; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)
}

/// What stands where the admin routes would be on an address that is not loopback, without a token.
pub(crate) fn shut() -> Router {
    Router::new().route("/admin/{*path}", any(refuse))
}

/// What stands there in a process that runs no query API.
pub(crate) fn elsewhere() -> Router {
    Router::new().route("/admin/{*path}", any(point_elsewhere))
}

async fn point_elsewhere() -> impl IntoResponse {
    let problem = serde_json::json!({
        "type": "https://tallyhook.dev/errors/admin-elsewhere",
        "title": "The admin routes are elsewhere",
        "status": 404,
        "detail": "this process runs no query API; name the ops address of `tallyhook query-api` or `serve`",
    });
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string())
}

async fn refuse() -> impl IntoResponse {
    let problem = serde_json::json!({
        "type": "https://tallyhook.dev/errors/admin-shut",
        "title": "The admin routes are shut",
        "status": 403,
        "detail": "the ops address is not loopback, so the admin routes need TALLYHOOK_ADMIN_TOKEN to be set",
    });
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string())
}
