//! Servers of constant bytes: what hyper and axum cost by themselves.

use std::{convert::Infallible, fs, path::Path, sync::Arc};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::listen;

/// The bytes to answer with.
struct Constant {
    plain: Bytes,
    gzip: Bytes,
}

impl Constant {
    fn read(folder: &Path) -> anyhow::Result<Arc<Self>> {
        let read = |name| fs::read(folder.join(name)).map(Bytes::from);
        Ok(Arc::new(Constant { plain: read("plain")?, gzip: read("gzip")? }))
    }

    fn answer<B: From<Bytes>>(&self, path: &str) -> Response<B> {
        let (status, bytes) = match path {
            "/plain" => (StatusCode::OK, self.plain.clone()),
            "/gzip" => (StatusCode::OK, self.gzip.clone()),
            _ => (StatusCode::NOT_MODIFIED, Bytes::new()),
        };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::ETAG, HeaderValue::from_static("\"0123456789abcdef\""));
        if status == StatusCode::OK {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if path == "/gzip" {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut response = Response::new(B::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

pub(super) async fn hyper(folder: &Path) -> anyhow::Result<()> {
    let constant = Constant::read(folder)?;
    let listener = listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let constant = Arc::clone(&constant);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = constant.answer::<Full<Bytes>>(request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            // The generator closes its connections as it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

pub(super) async fn axum(folder: &Path) -> anyhow::Result<()> {
    let constant = Constant::read(folder)?;
    let route = |path: &'static str| {
        let constant = Arc::clone(&constant);
        get(move || async move { constant.answer::<Body>(path) })
    };
    let router = Router::new()
        .route("/plain", route("/plain"))
        .route("/gzip", route("/gzip"))
        .route("/304", route("/304"));
    let listener = axum::serve::ListenerExt::tap_io(listen().await?, |stream| {
        // A refusal would show in the figures and nowhere else.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
