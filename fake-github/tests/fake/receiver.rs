//! A receiver of webhooks that keeps what it gets and answers as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

/// What came in one delivery.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Listens until it is dropped.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    /// 0 never answers.
    status: AtomicU16,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inner = Arc::new(Inner::default());
        inner.status.store(202, Ordering::SeqCst);
        let shared = inner.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let inner = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let inner = inner.clone();
                        async move {
                            let now = inner.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                            inner.most_at_once.fetch_max(now, Ordering::SeqCst);
                            let (parts, body) = request.into_parts();
                            let body = body.collect().await?.to_bytes();
                            inner.received.lock().unwrap().push(Received { headers: parts.headers, body });
                            inner.under_way.fetch_sub(1, Ordering::SeqCst);
                            let status = inner.status.load(Ordering::SeqCst);
                            if status == 0 {
                                std::future::pending::<()>().await;
                            }
                            let mut response = Response::new(Full::new(Bytes::from_static(b"ok")));
                            *response.status_mut() = status.try_into().unwrap();
                            Ok::<_, hyper::Error>(response)
                        }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Receiver { url, inner, task }
    }

    /// Answers so from now on; 0 is never.
    pub(crate) fn answer(&self, status: u16) {
        self.inner.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.inner.received.lock().unwrap().clear();
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.received().iter().map(|it| it.header("x-github-event").to_owned()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
