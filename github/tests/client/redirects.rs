//! Redirects: a renamed repository is found where it went, and a token never leaves for another host.

use github::client::{AskError, Asking, RepoPath};
use serde_json::json;

use crate::server::{Github, NOW, REPO, anew, fresh, json as answer, status};

#[tokio::test]
async fn a_renamed_repository_is_found_by_its_id() {
    for code in [301, 302, 307, 308] {
        for absolute in [true, false] {
            let github = Github::start().await;
            let base = if absolute { github.server.uri() } else { String::new() };
            let location = format!("{base}/repositories/1296269");
            github
                .on("/repos/octocat/Hello-World", status(code).insert_header("location", location.as_str()))
                .await;
            github.on("/repositories/1296269", answer(json!({"id": 1_296_269, "name": "Hello-Earth"}))).await;
            let asking = Asking { etag: Some("\"old\""), now: NOW };
            let found = fresh(github.client.repository(REPO, &asking).await);
            assert_eq!(found.body.name.as_deref(), Some("Hello-Earth"));
            assert_eq!(found.url, format!("{}/repositories/1296269", github.server.uri()));
            let requests = github.requests().await;
            assert_eq!(requests.len(), 2);
            for request in requests {
                assert_eq!(request.headers.get("authorization").unwrap(), "Bearer hush");
                assert_eq!(request.headers.get("if-none-match").unwrap(), "\"old\"");
            }
        }
    }
}

#[tokio::test]
async fn a_circle_ends_after_five_redirects() {
    let github = Github::start().await;
    github.on("/repositories/1", status(301).insert_header("location", "/repositories/1")).await;
    let answer = github.client.repository(RepoPath::Id(1), &anew()).await;
    assert!(matches!(&answer, Err(AskError::Retry(what)) if what.contains("circle")), "{answer:?}");
    assert_eq!(github.requests().await.len(), 6);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let github = Github::start().await;
    let stranger = Github::start().await;
    for location in [
        format!("{}/repositories/1", stranger.server.uri()),
        github.server.uri().replace("http://", "http://me:hush@"),
        github.server.uri().replace("127.0.0.1", "localhost"),
        github.server.uri().replace("http:", "https:"),
        "//evil.example/repositories/1".to_owned(),
    ] {
        github.server.reset().await;
        github
            .on("/repos/octocat/Hello-World", status(302).insert_header("location", location.as_str()))
            .await;
        let answer = github.client.repository(REPO, &anew()).await;
        assert!(matches!(answer, Err(AskError::Final(_))), "{location}: {answer:?}");
        assert_eq!(github.requests().await.len(), 1);
    }
    assert!(stranger.requests().await.is_empty());
}

#[tokio::test]
async fn a_redirect_without_an_address_is_worth_another_try() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", status(301)).await;
    github.on("/repositories/1", status(303).insert_header("location", "/repositories/2")).await;
    for repo in [REPO, RepoPath::Id(1)] {
        let answer = github.client.repository(repo, &anew()).await;
        assert!(matches!(answer, Err(AskError::Retry(_))), "{answer:?}");
    }
}
