//! A Pipedrive of one's own: small, stateful, over HTTP. It takes activities as API v2 does, strictly, lists them by
//! when they changed, and goes wrong as told.
//!
//! It serves texts as well, at `/texts/{name}`: what an activity's note is read from has to come from somewhere.

mod fault;
mod serve;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use fault::Fault;

/// The token that it takes.
pub const TOKEN: &str = "a-pipedrive-token";

/// An activity that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its number.
    pub id: u64,
    /// What was posted.
    pub fields: Map<String, Value>,
    /// When it was made, in seconds since 1970.
    pub made_s: i64,
}

impl Activity {
    /// One of its texts; empty where it has none.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    activities: Vec<Activity>,
    texts: BTreeMap<String, Vec<u8>>,
    faults: Vec<Fault>,
    requests: Vec<String>,
}

/// What server and handle share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running Pipedrive. Dropping it stops it.
#[derive(Debug)]
pub struct FakePipedrive {
    address: SocketAddr,
    shared: Shared,
    _stop: DropGuard,
}

impl FakePipedrive {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::default();
        let stop = CancellationToken::new();
        tokio::spawn(serve::serve(listener, shared.clone(), stop.clone()));
        Ok(FakePipedrive { address, shared, _stop: stop.drop_guard() })
    }

    /// Its address, without `/api/v2`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was made, in order.
    pub fn activities(&self) -> Vec<Activity> {
        self.shared.lock().activities.clone()
    }

    /// Serves a text, and returns its address.
    pub fn serve_text(&self, name: &str, text: impl Into<Vec<u8>>) -> String {
        self.shared.lock().texts.insert(name.to_owned(), text.into());
        format!("{}/texts/{name}", self.url())
    }

    /// What goes wrong with the next requests, one each.
    pub fn next_goes_wrong(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.lock().faults.extend(faults);
    }

    /// Everything that reached it so far, as method and path.
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }
}
