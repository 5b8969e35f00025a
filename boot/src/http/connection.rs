//! One connection from its first byte to its end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::BoxError;
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::{
    Limits, PeerAddress,
    wire::{Followed, Wire},
};
use crate::problem::problem;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What all connections of a port share.
pub(super) struct Connections<S> {
    service: S,
    http: http1::Builder,
    limits: Limits,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl<S> Connections<S> {
    pub(super) fn new(
        service: S,
        limits: Limits,
        shutdown: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_headers(limits.headers_max)
            .max_header_size(limits.header_bytes_max)
            .max_buf_size(limits.header_bytes_max)
            .half_close(false);
        Connections { service, http, limits, shutdown, cut }
    }

    /// Serves a connection to its end.
    pub(super) fn serve<B>(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + use<S, B>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let followed = Followed::default();
        let wire = Wire::new(stream, followed.clone(), &self.limits);
        let service = self.service.clone();
        let heads = Arc::new(AtomicU64::new(0));
        let connection = self.http.serve_connection(
            TokioIo::new(wire),
            service_fn(move |request| {
                let head = heads.fetch_add(1, Ordering::Relaxed);
                let smuggles = request.headers().contains_key(header::TRANSFER_ENCODING)
                    && followed.framing().has_both_lengths(head);
                answer(service.clone(), request, PeerAddress(peer), smuggles)
            }),
        );
        // Children, so that the connections of a port do not share one waiting list.
        let (shutdown, cut) = (self.shutdown.child_token(), self.cut.child_token());
        async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                biased;
                served = connection.as_mut() => served,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        biased;
                        served = connection => served,
                        () = cut.cancelled() => return,
                    }
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
        }
    }
}

async fn answer<S, B>(
    service: S,
    mut request: Request<Incoming>,
    peer: PeerAddress,
    smuggles: bool,
) -> Result<Response<Either<B, Full<Bytes>>>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    if smuggles {
        let detail = "A request has either a Content-Length or chunks, not both.";
        return Ok(refuse(StatusCode::BAD_REQUEST, "bad-request", detail));
    }
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.extensions_mut().insert(peer);
    match AssertUnwindSafe(service.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => {
            let mut response = response.map(Either::Left);
            if is_chunked {
                // Where a chunked request ends is not followed, so it is the last one (see `framing`).
                response.headers_mut().insert(header::CONNECTION, CLOSE);
            }
            Ok(response)
        }
        // The panic was logged where it happened.
        Err(_) => {
            let detail = "This is a fault in Tallyhook; its log says more.";
            Ok(refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
        }
    }
}

fn refuse<B>(status: StatusCode, name: &str, detail: &str) -> Response<Either<B, Full<Bytes>>> {
    let mut response = problem(status, name, detail).map(Either::Right);
    response.headers_mut().insert(header::CONNECTION, CLOSE);
    response
}
