//! The accept loop over real connections: its bounds, what it refuses, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use boot::http::{
    Limits, PeerAddress, Served, bind,
    body::{BodyError, TimedBody},
    serve,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use self::client::Client;

/// Much shorter than in production; nothing is asserted to be faster than anything.
const SHORT: Duration = Duration::from_millis(300);

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    done: JoinHandle<Served>,
    requests: Arc<AtomicUsize>,
    /// Says when a request for `/held` has arrived.
    held: mpsc::UnboundedReceiver<()>,
    /// Lets such a request go on.
    release: Arc<Notify>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let requests = Arc::new(AtomicUsize::new(0));
        let release = Arc::new(Notify::new());
        let (arrived, held) = mpsc::unbounded_channel();
        let counted = Arc::clone(&requests);
        let released = Arc::clone(&release);
        let service = service_fn(move |request: Request<Incoming>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let (arrived, released) = (arrived.clone(), Arc::clone(&released));
            async move { Ok::<_, Infallible>(respond(request, &arrived, &released).await) }
        });
        let done = tokio::spawn(serve(listener, service, limits, shutdown.clone()));
        Server { address, shutdown, done, requests, held, release }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Whether others are still served.
    async fn serves(&self) -> bool {
        let mut client = self.connect().await;
        client.send(GET).await;
        client.answer().await.is_some_and(|answer| answer.status == 200)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn respond(
    request: Request<Incoming>,
    arrived: &mpsc::UnboundedSender<()>,
    released: &Notify,
) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/peer" => {
            let peer = request.extensions().get::<PeerAddress>().unwrap().0;
            answer(StatusCode::OK, &peer.to_string())
        }
        // More than all socket buffers together.
        "/large" => Response::new(Full::from(vec![b'x'; 64 << 20])),
        "/panic" => panic!("as asked"),
        "/refuse" => answer(StatusCode::PAYLOAD_TOO_LARGE, "not read"),
        "/held" => {
            arrived.send(()).unwrap();
            released.notified().await;
            answer(StatusCode::OK, "released")
        }
        path => {
            let path = path.to_owned();
            let mut body = TimedBody::new(request.into_body(), SHORT);
            let mut bytes = 0;
            loop {
                match body.next().await {
                    Ok(Some(chunk)) => bytes += chunk.len(),
                    Ok(None) => return answer(StatusCode::OK, &format!("{path} {bytes}")),
                    Err(BodyError::TimedOut) => return answer(StatusCode::REQUEST_TIMEOUT, "slow"),
                    Err(BodyError::Broken(_)) => return answer(StatusCode::BAD_REQUEST, "broken"),
                }
            }
        }
    }
}

fn answer(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from(body.to_owned())).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn limits() -> Limits {
    Limits { linger_timeout: SHORT, ..Limits::default() }
}

#[tokio::test]
async fn a_connection_serves_many_requests_also_when_they_are_sent_at_once() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client.send("GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(client.answer().await.unwrap().body.starts_with("127.0.0.1:"));

    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    client.send([post("/a", "1"), post("/b", "22"), post("/c", "")].concat()).await;
    for expected in ["/a 1", "/b 2", "/c 0"] {
        assert_eq!(client.answer().await.unwrap().body, expected);
    }
}

#[tokio::test]
async fn chunks_are_read_and_end_the_connection() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client
        .send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        .await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "/c 5"));
    assert!(answer.closes() && client.is_closed().await);
}

#[tokio::test]
async fn both_lengths_are_refused_and_what_hides_behind_them_is_never_served() {
    let smuggling = [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    ];
    for request in smuggling {
        for before in [0, 1] {
            let server = Server::start(limits());
            let mut client = server.connect().await;
            client.send([GET.repeat(before), request.to_owned(), GET.to_owned()].concat()).await;
            for _ in 0..before {
                assert_eq!(client.answer().await.unwrap().status, 200);
            }
            let answer = client.answer().await.unwrap();
            assert_eq!(answer.status, 400, "{request:?}");
            assert!(answer.closes() && client.is_closed().await);
            assert_eq!(server.requests(), before);
        }
    }
}

#[tokio::test]
async fn ill_formed_chunks_are_refused_and_end_the_connection() {
    for chunks in
        ["xyz\r\nabc\r\n0\r\n\r\n", "-1\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffffff\r\n"]
    {
        let server = Server::start(limits());
        let mut client = server.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send([head, chunks, GET].concat()).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (400, "broken"), "{chunks:?}");
        assert!(client.is_closed().await);
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn what_is_not_http_is_answered_and_closed_without_a_look_by_the_service() {
    let many: String = (0..65).map(|number| format!("X-{number}: 1\r\n")).collect();
    let cases = [
        ("not http at all\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(), 400),
        ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na".to_owned(), 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\na".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 << 10)), 431),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70 << 10)), 431),
    ];
    for (request, status) in cases {
        let server = Server::start(limits());
        let mut client = server.connect().await;
        client.send(&request).await;
        let shown = &request[..request.len().min(80)];
        assert_eq!(client.answer().await.map(|answer| answer.status), Some(status), "{shown:?}");
        assert!(client.is_closed().await, "{shown:?}");
        assert_eq!(server.requests(), 0, "{shown:?}");
    }
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed_and_others_served_meanwhile() {
    let server = Server::start(Limits { header_timeout: SHORT, ..limits() });
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.send("POST / HTTP/1.1\r\nHost:").await;
    let mut idle = server.connect().await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    assert!(server.serves().await);
    assert!(silent.is_closed().await && slow.is_closed().await && idle.is_closed().await);
}

#[tokio::test]
async fn slow_bodies_are_told_and_closed() {
    let server = Server::start(limits());
    let mut slow = server.connect().await;
    slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na").await;
    assert!(server.serves().await);
    assert_eq!(slow.answer().await.unwrap().status, 408);
    assert!(slow.is_closed().await);
}

#[tokio::test]
async fn hundreds_of_idle_connections_leave_room_for_others() {
    let server = Server::start(limits());
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(server.connect().await);
    }
    assert!(server.serves().await);
    drop(idle);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_one_to_end() {
    let mut server = Server::start(Limits { connections_max: 1, ..limits() });
    let mut first = server.connect().await;
    first.send("GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    server.held.recv().await.unwrap();
    let mut second = server.connect().await;
    second.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let seen = tokio::time::timeout(SHORT, server.held.recv()).await;
    assert!(seen.is_err(), "a second connection was served beside the first");
    server.release.notify_one();
    assert_eq!(first.answer().await.unwrap().body, "released");
    server.held.recv().await.unwrap();
    server.release.notify_one();
    assert_eq!(second.answer().await.unwrap().body, "released");
}

#[tokio::test]
async fn the_sender_of_a_large_body_hears_why_it_was_not_read() {
    let server = Server::start(Limits { linger_timeout: Duration::from_secs(30), ..Limits::default() });
    let mut client = server.connect().await;
    let body = vec![b'x'; 8 << 20];
    client.send(format!("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    // It sends all before it listens; without the lingering close this fails with a reset connection.
    client.send(&body).await;
    assert_eq!(client.answer().await.unwrap().status, 413);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn lingering_ends_at_its_bound() {
    let linger_bytes_max = 1 << 20;
    let limits = Limits { linger_timeout: Duration::from_secs(60), linger_bytes_max, ..Limits::default() };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    client.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 413);
    // 64 MiB are more than the bound and all socket buffers together.
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while sent < 64 && client.try_send(&piece).await {
        sent += 1;
    }
    assert!(sent < 64, "everything was read");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let server = Server::start(Limits { write_timeout: SHORT, drain_timeout: Duration::MAX, ..limits() });
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(server.serves().await);
    // The drain has no bound here, so it ends only if the connection does.
    server.shutdown.cancel();
    assert_eq!(server.done.await.unwrap(), Served { cut_off: 0 });
    drop(client);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_port_goes_on() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = client.answer().await.unwrap();
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("https://tallyhook.dev/errors/internal"), "{}", answer.body);
    assert!(server.serves().await);
}

#[tokio::test]
async fn a_drain_ends_requests_in_flight_and_closes_the_rest() {
    let mut server = Server::start(Limits { drain_timeout: Duration::from_secs(60), ..limits() });
    let mut idle = server.connect().await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let mut busy = server.connect().await;
    busy.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.held.recv().await.unwrap();

    server.shutdown.cancel();
    assert!(idle.is_closed().await);
    // While the drain goes on, nobody is let in any more.
    let mut tries = 0;
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tries += 1;
        assert!(tries < 100, "connections are still accepted");
        tokio::task::yield_now().await;
    }
    assert!(!server.done.is_finished());
    server.release.notify_one();
    assert_eq!(busy.answer().await.unwrap().body, "released");
    assert!(busy.is_closed().await);
    assert_eq!(server.done.await.unwrap(), Served { cut_off: 0 });
}

#[tokio::test]
async fn a_drain_is_bounded() {
    let mut server = Server::start(Limits { drain_timeout: SHORT, ..limits() });
    let mut busy = server.connect().await;
    busy.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    server.held.recv().await.unwrap();
    server.shutdown.cancel();
    assert_eq!(server.done.await.unwrap(), Served { cut_off: 1 });
    assert!(busy.is_closed().await);
}
