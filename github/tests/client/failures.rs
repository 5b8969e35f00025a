//! A forge that fails: every failure is worth another try, and a forge that is down is left alone.

use std::time::Duration;

use github::client::{Answer, AskError, Client, Outcome, Settings, Timing, WaitWhy};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    raw::{RawServer, Script},
    server::{Github, NOW, REPO, anew, fresh, json as answer, settings, status},
};

fn is_retry<T: std::fmt::Debug>(answer: &Result<Answer<T>, AskError>) -> bool {
    matches!(answer, Err(AskError::Retry(what)) if what.starts_with("GET /repos/{owner}/{name}"))
}

#[tokio::test]
async fn a_servers_error_is_worth_another_try() {
    for code in [500, 502, 503, 504, 521, 408] {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World", status(code)).await;
        let answer = github.client.repository(REPO, &anew()).await;
        assert!(is_retry(&answer), "{code}: {answer:?}");
        assert_eq!(github.requests().await.len(), 1, "retries are the caller's");
    }
}

#[tokio::test]
async fn three_errors_in_a_row_shut_the_gate_and_an_answer_opens_it() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", status(502)).await;
    for _ in 0..3 {
        assert!(is_retry(&github.client.repository(REPO, &anew()).await));
    }
    let waits = github.client.repository(REPO, &anew()).await;
    let Err(AskError::Wait { mut after, why: WaitWhy::Unavailable }) = waits else { panic!("{waits:?}") };
    assert!(after <= Duration::from_millis(250), "{after:?}");
    assert_eq!(github.requests().await.len(), 3);

    github.server.reset().await;
    github.on("/repos/octocat/Hello-World", answer(json!({"id": 1}))).await;
    loop {
        tokio::time::sleep(after).await;
        match github.client.repository(REPO, &anew()).await {
            Err(AskError::Wait { after: longer, why: WaitWhy::Unavailable }) => after = longer,
            answer => break assert_eq!(fresh(answer).body.id, domain::RepoId::github(1)),
        }
    }
}

#[tokio::test]
async fn a_503_that_says_when_to_come_back_is_heeded() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", status(503).insert_header("retry-after", "30")).await;
    let after = Duration::from_secs(30);
    let told = github.client.repository(REPO, &anew()).await;
    assert_eq!(told, Err(AskError::Wait { after, why: WaitWhy::Unavailable }));
    let next = github.client.repository(REPO, &anew()).await;
    assert!(matches!(next, Err(AskError::Wait { why: WaitWhy::Unavailable, .. })), "{next:?}");
    assert_eq!(github.requests().await.len(), 1);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_left_alone_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = Client::new(settings(&format!("http://{port}"))).unwrap();
    let first = client.repository(REPO, &anew()).await;
    assert_eq!(first, Err(AskError::Retry("GET /repos/{owner}/{name}: no connection".into())));
    let next = client.repository(REPO, &anew()).await;
    assert!(matches!(next, Err(AskError::Wait { why: WaitWhy::Unavailable, .. })), "{next:?}");
}

#[tokio::test]
async fn an_answer_that_is_being_computed_is_polled_for_a_while() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", status(202).set_body_json(json!({}))).await;
    assert!(is_retry(&github.client.repository(REPO, &anew()).await));
    assert_eq!(github.requests().await.len(), 6);

    github.server.reset().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(status(202))
        .up_to_n_times(2)
        .mount(&github.server)
        .await;
    github.on("/repos/octocat/Hello-World", answer(json!({"id": 1}))).await;
    fresh(github.client.repository(REPO, &anew()).await);
    assert_eq!(github.requests().await.len(), 3);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_worth_another_try() {
    for body in ["", "<html>", "[]", "null", "{\"id\":\"1\"}", "{\"id\":1", "{\"name\":\"x\"}"] {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World", status(200).set_body_string(body)).await;
        let answer = github.client.repository(REPO, &anew()).await;
        assert!(is_retry(&answer), "{body}: {answer:?}");
    }
}

/// A connection that ends, an answer that ends too early, one that never ends: all in one go each.
#[tokio::test]
async fn broken_answers_are_worth_another_try() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{\"id\":1\r\n".to_vec();
    let not_gzip =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n{\"id\":1}".to_vec();
    for (bytes, says) in [
        (vec![], "without an answer"),
        (b"HTTP/1.1 200 O".to_vec(), "without an answer"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "without an answer"),
        (cut, "too early"),
        (chunked, "too early"),
        (not_gzip, "too early"),
    ] {
        let server = RawServer::start(vec![Script::Send(bytes)]).await;
        let client = Client::new(settings(&server.url)).unwrap();
        let answer = client.repository(REPO, &anew()).await;
        assert!(matches!(&answer, Err(AskError::Retry(what)) if what.contains(says)), "{says}: {answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
    for script in [Script::SendAndHang(vec![]), Script::SendAndHang(begun)] {
        let server = RawServer::start(vec![script]).await;
        let timing = Timing { whole_timeout: Duration::from_millis(200), ..Timing::default() };
        let client = Client::new(Settings { timing, ..settings(&server.url) }).unwrap();
        let answer = client.repository(REPO, &anew()).await;
        assert_eq!(answer, Err(AskError::Retry("GET /repos/{owner}/{name}: no whole answer in time".into())));
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    // A small body that unpacks to more than any answer may have.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let blank = vec![b' '; 1 << 20];
    for _ in 0..33 {
        std::io::Write::write_all(&mut packed, &blank).unwrap();
    }
    let github = Github::start().await;
    let huge = status(200).insert_header("content-encoding", "gzip").set_body_bytes(packed.finish().unwrap());
    github.on("/repos/octocat/Hello-World", huge).await;
    let answer = github.client.repository(REPO, &anew()).await;
    assert_eq!(answer, Err(AskError::Retry("GET /repos/{owner}/{name}: the answer is too large".into())));
    assert_eq!(*github.seen.outcomes.lock().unwrap(), [("core", Outcome::Broken)]);
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    let mut server = RawServer::start((0..8).map(|_| Script::SendAndHang(vec![])).collect()).await;
    let client = Client::new(Settings { concurrency: 3, ..settings(&server.url) }).unwrap();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.repository(REPO, &github::client::Asking::anew(NOW)).await })
        })
        .collect();
    for _ in 0..3 {
        server.heads.recv().await.unwrap();
    }
    // All eight tasks have been polled by now; give a fourth request every chance to arrive.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.requests(), 0);
    asking.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn while_the_forge_is_down_one_question_at_a_time_tries() {
    let mut scripts: Vec<Script> = (0..3).map(|_| Script::Send(vec![])).collect();
    scripts.push(Script::SendAndHang(vec![]));
    let mut server = RawServer::start(scripts).await;
    let client = Client::new(settings(&server.url)).unwrap();
    for _ in 0..3 {
        assert!(is_retry(&client.repository(REPO, &anew()).await));
    }
    assert_eq!(server.requests(), 3);
    let Err(AskError::Wait { after, .. }) = client.repository(REPO, &anew()).await else {
        panic!("the gate is shut")
    };
    tokio::time::sleep(after).await;
    let probe = {
        let client = client.clone();
        tokio::spawn(async move { client.repository(REPO, &github::client::Asking::anew(NOW)).await })
    };
    server.heads.recv().await.unwrap();
    for _ in 0..5 {
        let waits = client.repository(REPO, &anew()).await;
        assert!(matches!(waits, Err(AskError::Wait { why: WaitWhy::Unavailable, .. })), "{waits:?}");
    }
    assert_eq!(server.requests(), 0);
    probe.abort();
}
