//! The addresses of a process, and which routes are served there.

use std::net::SocketAddr;

use axum::Router;
use boot::{
    health::{self, Checks},
    http::{self, Limits},
    http_metrics::HttpMetrics,
};
use ingest::{Ingest, SharedSecrets};
use prometheus::Registry;
use query_api::QueryApi;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    admin,
    backup::Backup,
    failure::{Failure, failed},
    forget::{self, Eraser},
    openapi,
    roles::Roles,
    settings::Settings,
    setup::Setup,
};

/// Routes by which requests are counted, beside the door's.
pub(crate) const ROUTES: &[&str] = &[
    "/githubPayload",
    "/health-check",
    "/from-git/test",
    "/repos",
    "/stats",
    "/ping",
    "/users",
    "/users/{username}/{id}",
    "/latestgists/{username}",
    "/health",
    "/repos/{owner}/{repo}/starneighbours",
    "/v1/accounts/{login}",
    "/v1/accounts/{login}/gists",
    "/v1/accounts/{login}/repos",
    "/v1/repos/{owner}/{name}",
    "/v1/repos/{owner}/{name}/explain",
    "/v1/status",
    "/v1/deliveries/{guid}",
    "/v1/gaps",
    "/v1/gaps/{login}",
    "/v1/gaps/{login}/{webhook}",
    "/v1/events",
    "/v1/badge/{owner}/{name}/{field}",
    "/v1/card/{login}",
    "/console",
    "/console/gaps/{login}",
    "/console/style.css",
    "/console/live.js",
    "/console/why/{login}",
    "/console/why/{owner}/{name}",
    "/version",
    "/openapi.json",
    "/docs",
    "/docs/style.css",
];

/// Addresses that are taken before anything else is done, so that a second process says so at once.
pub(super) struct Listeners {
    /// Where webhooks and the API are; `None` for a process that is not reached by the outside.
    api: Option<TcpListener>,
    ops: TcpListener,
}

impl Listeners {
    pub(super) fn bind(settings: &Settings, roles: Roles) -> Result<Self, Failure> {
        let api =
            roles.have_api().then(|| bind(&settings.listen, "--listen, TALLYHOOK_LISTEN")).transpose()?;
        Ok(Listeners { api, ops: bind(&settings.ops_listen, "--ops-listen, TALLYHOOK_OPS_LISTEN")? })
    }

    pub(super) fn api(&self) -> Result<Option<SocketAddr>, Failure> {
        self.api.as_ref().map(local).transpose()
    }

    pub(super) fn ops(&self) -> Result<SocketAddr, Failure> {
        local(&self.ops)
    }

    /// Serves the routes of the parts that there are.
    pub(super) fn serve(
        self,
        settings: &Settings,
        (ingest, secrets, query): (Option<&Ingest>, Option<SharedSecrets>, Option<&QueryApi>),
        (backup, eraser): (Option<Backup>, Option<Eraser>),
        checks: Checks,
        registry: Registry,
        shutdown: &CancellationToken,
    ) -> Result<JoinSet<()>, Failure> {
        let is_guarded = self.ops()?.ip().is_loopback() || settings.admin_token.is_some();
        let admin = match query {
            Some(query) if is_guarded => {
                let backup = backup.map(|backup| query.guarded(backup.router())).unwrap_or_default();
                let erasing = eraser.map_or_else(forget::at_retention, Eraser::router);
                query.admin_router().merge(backup).merge(query.guarded(erasing))
            }
            Some(_) => admin::shut(),
            None => admin::elsewhere(),
        };
        let limits = Limits { drain_timeout: settings.shutdown_timeout, ..Limits::default() };
        let mut servers = JoinSet::new();
        if let Some(listener) = self.api {
            let api = api_router(ingest, query, &registry)?;
            servers.spawn(serve_one(listener, api, limits.clone(), shutdown.clone()));
        }
        // Where the door and the window are in one process, so that a new secret is known to both.
        let setup = query.and(ingest).map(|_| Setup::new(settings, secrets, is_guarded).router());
        let ops = health::ops_router(checks, registry).merge(admin).merge(setup.unwrap_or_default());
        servers.spawn(serve_one(self.ops, ops, limits, shutdown.clone()));
        Ok(servers)
    }
}

fn api_router(
    ingest: Option<&Ingest>,
    query: Option<&QueryApi>,
    registry: &Registry,
) -> Result<Router, Failure> {
    let reading = query.iter().flat_map(|_| ROUTES);
    let taking_in = ingest.iter().flat_map(|_| &ingest::ROUTES);
    let routes: Vec<&'static str> = reading.chain(taking_in).copied().collect();
    let metrics = HttpMetrics::register(registry, &routes).map_err(failed)?;
    let mut api = ingest.map(Ingest::router).unwrap_or_default();
    if let Some(query) = query {
        api = api.merge(query.router()).merge(query_api::docs_router(&openapi::document()));
    }
    Ok(api.layer(metrics))
}

async fn serve_one(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    http::serve(listener, router, limits, shutdown).await;
}

fn bind(addresses: &[SocketAddr], setting: &str) -> Result<TcpListener, Failure> {
    let mut last = None;
    for address in addresses {
        match http::bind(*address, setting) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(Failure::Failed(last.unwrap_or_else(|| format!("{setting} names no address"))))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(failed)
}
