//! Requests through the routers, without sockets.

use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::{Router, body::Body};
use boot::http_metrics::HttpMetrics;
use bytes::Bytes;
use domain::{Epoch, Millis, Row, RowKey, Version};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog};
use github::signature::Secrets;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use ingest::{Ingest, IngestDeps, IngestLimits, IngestMetrics, SharedSecrets};
use projector::{Progress, Projector, ProjectorSettings};
use query_api::{QueryApi, QueryDeps, QuerySettings};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use view_store::{EmbeddedStore, EmbeddedStoreSettings, Hints, InProcessHints, ViewStore};

use super::{PUSH_BYTES, What, nowhere::Nowhere};
use crate::{
    delivery::{Kind, SECRET, Template},
    fill,
    shape::{Shape, login},
};

/// GETs of a payload of about 5 kB.
pub(super) async fn get(what: What, times: u32) -> anyhow::Result<()> {
    let shape = Shape::new(1, 1, 46, 10);
    let router = window(&shape).await?;
    let uri = format!("/githubPayload?user={}", login(1));
    let request = |etag: Option<&str>| {
        let mut request = Request::get(&uri);
        if what == What::GetGzip {
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        request.body(Body::empty())
    };
    let first = router.clone().oneshot(request(None)?).await?;
    ensure!(first.status() == StatusCode::OK, "{uri}: {}", first.status());
    let etag = first.headers().get(header::ETAG).context("an ETag")?.to_str()?.to_owned();
    let (etag, status) = match what {
        What::GetKnown => (Some(etag.as_str()), StatusCode::NOT_MODIFIED),
        _ => (None, StatusCode::OK),
    };
    for _ in 0..times {
        let response = router.clone().oneshot(request(etag)?).await?;
        ensure!(response.status() == status, "{uri}: {}", response.status());
        response.into_body().collect().await?;
    }
    Ok(())
}

/// A window on accounts of this shape, as in the program.
async fn window(shape: &Shape) -> anyhow::Result<Router> {
    let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default())?;
    fill::fill(&log, std::slice::from_ref(shape)).await?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let store = EmbeddedStore::in_memory(&EmbeddedStoreSettings::default())?;
    let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
    store.write(vec![epoch]).await?;
    let store: Arc<dyn ViewStore> = Arc::new(store);
    let hints: Arc<dyn Hints> = Arc::new(InProcessHints::new());
    let (progress, mut reader) = Progress::new();
    let projector = Projector {
        log: Arc::clone(&log),
        store: Arc::clone(&store),
        hints: Arc::clone(&hints),
        progress,
        metrics: projector::Metrics::new()?,
        settings: ProjectorSettings::default(),
    };
    let shutdown = CancellationToken::new();
    let projecting = tokio::spawn(projector.run(shutdown.clone()));
    ensure!(reader.wait_caught_up().await, "the projector ended");
    shutdown.cancel();
    projecting.await??;
    let query = QueryApi::start(QueryDeps {
        log,
        store,
        hints,
        clock: Arc::new(|| Millis(boot::clock::now_ms())),
        planner: None,
        settings: QuerySettings::default(),
        metrics: query_api::Metrics::new()?,
    })
    .await?;
    Ok(query.router().layer(HttpMetrics::new(&["/githubPayload"])?))
}

/// Signed deliveries, all of the same bytes.
pub(super) async fn door(times: u32) -> anyhow::Result<()> {
    let secret = SecretString::from(SECRET);
    let ingest = Ingest::new(IngestDeps {
        log: Arc::new(Nowhere::default()),
        secrets: SharedSecrets::new(Secrets::new([("current", &secret)])?),
        limits: IngestLimits::default(),
        metrics: IngestMetrics::new()?,
    });
    let router = ingest.router().layer(HttpMetrics::new(&ingest::ROUTES)?);
    let template = Template::new(Kind::Push, PUSH_BYTES)?;
    let mut body = Vec::new();
    let signed = template.write(Shape::new(1, 1, 1, 0).place(0), 1, 0, &mut body);
    let signature = format!("sha256={}", std::str::from_utf8(&signed.signature)?);
    let body = Bytes::from(body);
    for _ in 0..times {
        let request = Request::post("/webhooks/github")
            .header("user-agent", "GitHub-Hookshot/044aadd")
            .header("accept", "*/*")
            .header("content-type", "application/json")
            .header("x-github-event", "push")
            .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
            .header("x-github-hook-id", "292430182")
            .header("x-github-hook-installation-target-id", "79929171")
            .header("x-github-hook-installation-target-type", "repository")
            .header("x-hub-signature-256", &signature)
            .header("content-length", body.len())
            .body(Body::from(body.clone()))?;
        let response = router.clone().oneshot(request).await?;
        ensure!(response.status() == StatusCode::ACCEPTED, "the door answers {}", response.status());
        response.into_body().collect().await?;
    }
    Ok(())
}
