//! Doors: the least that checks a signature, with and without a plain file behind it; and our own, with our log
//! behind it and no projector.

use std::{path::Path, sync::Arc};

use axum::{Router, extract::State, routing::post};
use boot::http::Limits;
use bytes::Bytes;
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog};
use github::signature::Secrets;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use ingest::{Ingest, IngestDeps, IngestLimits, IngestMetrics, SharedSecrets};
use secrecy::SecretString;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use super::{listen, plain_log::PlainLog};
use crate::delivery::SECRET;

const PATH: &str = "/webhooks/github";
const ACCEPTED: &str = r#"{"delivery":"00000000000000000000000000000000","status":"accepted"}"#;

#[derive(Clone)]
struct Door {
    keyed: Hmac<Sha256>,
    log: Option<PlainLog>,
}

pub(super) async fn hmac(log: Option<PlainLog>) -> anyhow::Result<()> {
    let door = Door { keyed: Hmac::new_from_slice(SECRET.as_bytes())?, log };
    let router = Router::new()
        .route(PATH, post(take))
        .layer(axum::extract::DefaultBodyLimit::max(25 << 20))
        .with_state(door);
    let listener = axum::serve::ListenerExt::tap_io(listen().await?, |stream| {
        // A refusal would show in the figures and nowhere else.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn take(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let told = headers.get("x-hub-signature-256").and_then(|value| value.as_bytes().strip_prefix(b"sha256="));
    let mut digest = [0; 32];
    if told.is_none_or(|told| const_hex::decode_to_slice(told, &mut digest).is_err()) {
        return (StatusCode::UNAUTHORIZED, "");
    }
    let mut mac = door.keyed.clone();
    mac.update(&body);
    if !bool::from(mac.finalize().into_bytes().as_slice().ct_eq(&digest)) {
        return (StatusCode::UNAUTHORIZED, "");
    }
    match &door.log {
        Some(log) if !log.append(body).await => (StatusCode::SERVICE_UNAVAILABLE, ""),
        _ => (StatusCode::ACCEPTED, ACCEPTED),
    }
}

pub(super) async fn ours(folder: &Path) -> anyhow::Result<()> {
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(folder, EmbeddedLogSettings::default())?);
    let secret = SecretString::from(SECRET);
    let ingest = Ingest::new(IngestDeps {
        log,
        secrets: SharedSecrets::new(Secrets::new([("current", &secret)])?),
        limits: IngestLimits::default(),
        metrics: IngestMetrics::new()?,
    });
    let listener = listen().await?;
    boot::http::serve(listener, ingest.router(), Limits::default(), CancellationToken::new()).await;
    Ok(())
}
