//! `GET /v1/repos/{owner}/{name}`.

use domain::{Event, RepoId, event::RepositoryReading};

use crate::{
    bench::{Bench, patient, start},
    forge::OCTO,
};

#[tokio::test]
async fn a_repository_is_shown_whatever_the_case_of_its_name() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "Hello-World")]).await;
    for path in ["/v1/repos/Octo/Hello-World", "/v1/repos/octo/hello-world", "/v1/repos/OCTO/HELLO%2DWORLD"] {
        let reply = bench.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let payload = reply.json();
        assert_eq!(payload["repository"]["full_name"], "Octo/Hello-World");
        assert_eq!(payload["counts"]["commits"], 10);
        assert_eq!(payload["languages"]["Rust"]["share"], 0.75);
        assert_eq!(reply.header("tallyhook-complete"), "true");
    }
}

#[tokio::test]
async fn unknown_hidden_and_deleted_repositories_cannot_be_told_apart() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "secret"), (2, "gone"), (3, "left")]).await;
    for name in ["secret", "gone", "left"] {
        assert_eq!(bench.get(&format!("/v1/repos/octo/{name}")).await.status, 200);
    }
    OCTO.hide(&bench, 1).await;
    bench.answer(OCTO.stream(), vec![Event::RepositoryGone { repo: RepoId::github(2) }]).await;
    bench
        .deliver(OCTO.stream(), vec![Event::InstallationLeft { repos: Some(vec![RepoId::github(3)]) }])
        .await;
    let private = RepositoryReading {
        private: Some(true),
        updated_at: Some(start()),
        ..OCTO.repository(4, "born-private")
    };
    bench.answer(OCTO.stream(), vec![Event::Repository(Box::new(private))]).await;

    let unknown = bench.get("/v1/repos/octo/never-was").await;
    unknown.problem(404, "not-found");
    for name in ["secret", "gone", "left", "born-private", "a%2Fb", &"x".repeat(101)] {
        let reply = bench.get(&format!("/v1/repos/octo/{name}")).await;
        assert_eq!(
            (reply.status, &reply.body, &reply.headers),
            (unknown.status, &unknown.body, &unknown.headers)
        );
    }
}

#[tokio::test]
async fn a_repository_that_is_hidden_while_it_is_kept_ready_is_taken_away_at_once() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "secret"), (2, "open")]).await;
    let etag = bench.get("/v1/repos/octo/secret").await.header("etag").to_owned();
    assert!(!etag.is_empty());
    bench.get("/githubPayload?user=octo").await;
    bench.get("/v1/accounts/octo/repos").await;
    OCTO.hide(&bench, 1).await;

    bench.get("/v1/repos/octo/secret").await.problem(404, "not-found");
    let known = bench.get_with("/v1/repos/octo/secret", &[("if-none-match", &etag)]).await;
    known.problem(404, "not-found");
    for path in ["/githubPayload?user=octo", "/v1/accounts/octo/repos", "/v1/accounts/octo"] {
        let reply = bench.get(path).await;
        assert_eq!(reply.status, 200);
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{path}");
    }
}
