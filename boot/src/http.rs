//! One accept loop for every port of the process: HTTP/1.1 on hyper, within bounds, drained at the end.
//!
//! What is served is any tower service, usually an axum router. Bodies are read by whoever answers
//! ([`body::TimedBody`] bounds the time); everything before a body and around it is bounded here: how many
//! connections, how long and large a request's head may be, how long a drain may take. TLS and HTTP/2 are
//! left to a proxy in front.

mod bind;
pub mod body;
mod connection;
mod framing;
mod wire;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::BoxError;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

pub use self::bind::{BindError, bind};
use self::connection::Connections;

/// Who sent a request, as the socket tells; every request carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub SocketAddr);

/// The bounds of one port.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue. An idle one takes about 10 kB, so the
    /// default takes 120 MB at worst. The process must be allowed as many open files.
    pub connections_max: usize,
    /// How long a request's head may take, and how long a connection may be idle between requests.
    pub header_timeout: Duration,
    /// Header fields of one request; GitHub and browsers send about 20.
    pub headers_max: usize,
    /// Size of a request's head, and of what is read ahead of a slow handler. At least 8 KiB.
    pub header_bytes_max: usize,
    /// How long a peer may take no byte of its answer.
    pub write_timeout: Duration,
    /// How long a connection may take to read the answer to a request that was not read to its end.
    pub linger_timeout: Duration,
    /// How many bytes of such a request are thrown away meanwhile: many senders look for an answer only
    /// when they have sent all, so this lets the sender of a 25 MiB body hear why it was refused.
    pub linger_bytes_max: usize,
    /// How long requests in flight may take to end after the shutdown began.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 12_000,
            header_timeout: Duration::from_secs(10),
            headers_max: 64,
            header_bytes_max: 64 << 10,
            write_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(5),
            linger_bytes_max: 32 << 20,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Connections that did not end within the drain's time and were cut off.
    pub cut_off: usize,
}

/// Serves `listener` until `shutdown`, then drains: no new connections, requests in flight end, idle
/// connections close.
///
/// Requests that are not HTTP (also: both a length and chunks) are answered 400 and their connection closed
/// without `service` seeing them. A panic in `service` is answered 500.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
) -> Served
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let cut = CancellationToken::new();
    let drain_timeout = limits.drain_timeout;
    let connections = Connections::new(service, limits, shutdown.clone(), cut.clone());
    let open = TaskTracker::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            (stream, peer, slot) = accept(&listener, &slots) => {
                let connection = connections.serve(stream, peer);
                open.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
        }
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(drain_timeout, open.wait()).await.is_ok() {
        return Served { cut_off: 0 };
    }
    let cut_off = open.len();
    cut.cancel();
    open.wait().await;
    tracing::warn!(cut_off, "connections were cut off at the end of the drain");
    Served { cut_off }
}

/// Accept errors that are no single connection's fault (no descriptors, no memory) are waited out, this
/// long at first and doubled up to the maximum.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The next connection, once there is a slot for it. Errors never end the wait. Safe to drop.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    let mut pause = ACCEPT_PAUSE;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; trying again in a moment");
                tokio::time::sleep(pause).await;
                pause = ACCEPT_PAUSE_MAX.min(pause * 2);
            }
        }
    }
}

/// Whether the error concerns a connection that was lost before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}
