//! The handle: a Bitbucket that runs until it is dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    fault::{Fault, Script},
    serve,
    world::World,
};

/// A request that reached it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path, decoded.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// What `Authorization` said.
    pub authorization: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) script: Script,
    pub(crate) requests: Vec<Request>,
    pub(crate) url: String,
}

/// What server and handle share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running Bitbucket. Dropping it stops it.
#[derive(Debug)]
pub struct FakeBitbucket {
    address: SocketAddr,
    shared: Shared,
    _stop: DropGuard,
}

impl FakeBitbucket {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Starts one at this address.
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Shared::default();
        shared.lock().url = format!("http://{address}");
        let stop = CancellationToken::new();
        let router = serve::router(shared.clone());
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                _ = axum::serve(listener, router) => {}
            }
        });
        Ok(FakeBitbucket { address, shared, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reads or changes the world.
    pub fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.shared.lock().world)
    }

    /// What goes wrong with requests whose path contains `part`. `times` limits how often; `None` is always. The
    /// first rule that fits wins.
    pub fn on_requests(&self, part: &str, fault: Fault, times: Option<usize>) {
        self.shared.lock().script.add(part, fault, times);
    }

    /// Ends all faults.
    pub fn stop_faults(&self) {
        self.shared.lock().script.stop();
    }

    /// Everything that reached it so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }
}
