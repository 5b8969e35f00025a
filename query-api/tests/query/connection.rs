//! Answers as they are on the wire.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    bench::{Bench, patient},
    forge::OCTO,
};

async fn served() -> (Bench, SocketAddr) {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, bench.api.router()).into_future());
    (bench, address)
}

/// Sends requests over one connection and returns all that comes until it is closed.
async fn exchange(address: SocketAddr, requests: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    answers.to_lowercase()
}

#[tokio::test]
async fn an_answer_without_a_body_has_none_and_the_next_one_follows() {
    let (bench, address) = served().await;
    let get = bench.get("/v1/repos/octo/a").await;
    let etag = get.header("etag");
    let answers = exchange(
        address,
        &format!(
            "HEAD /v1/repos/octo/a HTTP/1.1\r\nhost: x\r\n\r\n\
             GET /v1/repos/octo/a HTTP/1.1\r\nhost: x\r\nif-none-match: {etag}\r\n\r\n\
             GET /v1/repos/octo/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        ),
    )
    .await;
    let parts: Vec<&str> = answers.split("http/1.1 ").skip(1).collect();
    assert_eq!(parts.len(), 3, "{answers}");
    let (head, known, whole) = (parts[0], parts[1], parts[2]);
    let length = format!("content-length: {}\r\n", get.body.len());
    assert!(head.starts_with("200 ") && head.contains(&length) && head.ends_with("\r\n\r\n"), "{head}");
    assert!(known.starts_with("304 ") && known.ends_with("\r\n\r\n"), "{known}");
    assert!(!known.contains("content-length") && !known.contains("transfer-encoding"), "{known}");
    assert!(whole.starts_with("200 ") && whole.contains(&length), "{whole}");
    let body = String::from_utf8(get.body.to_vec()).unwrap().to_lowercase();
    assert!(whole.ends_with(&body), "{whole}");
}

#[tokio::test]
async fn a_redirect_is_followed_to_the_present_name() {
    let (bench, address) = served().await;
    bench
        .answer(OCTO.stream(), vec![crate::forge::Account { number: OCTO.number, login: "octa" }.profile()])
        .await;
    let answer =
        exchange(address, "GET /v1/repos/octo/a?x=%22 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
    assert!(answer.starts_with("http/1.1 301 "), "{answer}");
    assert!(answer.contains("\r\nlocation: /v1/repos/octa/a?x=%22\r\n"), "{answer}");
}
