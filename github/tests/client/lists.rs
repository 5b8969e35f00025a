//! Lists: pages are followed as the forge gives them, to its own address only.

use domain::{RepoId, Second, event::PullState};
use github::client::{AskError, PullOrder, PullsPage, RepositoriesPage};
use serde_json::{Value, json};
use wiremock::{
    Mock,
    matchers::{path, query_param},
};

use crate::server::{Github, REPO, anew, fresh, json as answer};

fn stub(id: u64) -> Value {
    json!({"id": id, "name": format!("r{id}"), "private": false})
}

#[tokio::test]
async fn pages_are_followed_by_their_numeric_addresses() {
    let github = Github::start().await;
    let next =
        format!("{}/user/583231/repos?page=2&sort=full_name&per_page=100&type=owner", github.server.uri());
    let link = format!(r#"<https://docs.github.com/x>; rel="deprecation", <{next}>; rel="next""#);
    github
        .on("/users/octocat/repos", answer(json!([stub(1), stub(2)])).insert_header("link", link.as_str()))
        .await;
    Mock::given(path("/user/583231/repos"))
        .and(query_param("page", "2"))
        .respond_with(answer(json!([stub(3)])))
        .mount(&github.server)
        .await;

    let first =
        fresh(github.client.repositories(RepositoriesPage::First { login: "octocat" }, &anew()).await);
    assert_eq!(first.links.next(), Some(next.as_str()));
    let second = fresh(github.client.repositories(RepositoriesPage::Next(&next), &anew()).await);
    assert_eq!(second.links.next(), None);
    let ids: Vec<RepoId> = first.body.iter().chain(&second.body).map(|reading| reading.id).collect();
    assert_eq!(ids, [1, 2, 3].map(RepoId::github));
    assert!(first.body.iter().all(|reading| !reading.is_whole), "a list leaves out more than one answer");
    assert_eq!(
        github.asked().await,
        [
            "/users/octocat/repos?per_page=100&type=owner&sort=full_name",
            "/user/583231/repos?page=2&sort=full_name&per_page=100&type=owner"
        ]
    );
}

#[tokio::test]
async fn relative_addresses_of_pages_are_resolved() {
    let github = Github::start().await;
    let link = "</repositories/1/pulls?page=2>; rel=next";
    github.on("/repos/octocat/Hello-World/pulls", answer(json!([])).insert_header("link", link)).await;
    let page = PullsPage::First { repo: REPO, order: PullOrder::Created };
    let first = fresh(github.client.pulls(page, &anew()).await);
    let next = first.links.next().unwrap();
    assert_eq!(next, format!("{}/repositories/1/pulls?page=2", github.server.uri()));
    github.on("/repositories/1/pulls", answer(json!([]))).await;
    fresh(github.client.pulls(PullsPage::Next(next), &anew()).await);
}

#[tokio::test]
async fn a_page_elsewhere_is_never_asked_for() {
    let github = Github::start().await;
    let stranger = Github::start().await;
    let ours = github.server.uri();
    for next in [
        format!("{}/repositories/1/pulls?page=2", stranger.server.uri()),
        ours.replace("http://", "https://"),
        ours.replace("http://", "http://me:hush@"),
        ours.replace("127.0.0.1", "localhost"),
        "https://evil.example/?page=2".to_owned(),
        "//evil.example/?page=2".to_owned(),
        "http://[".to_owned(),
    ] {
        for answer in [
            github.client.pulls(PullsPage::Next(&next), &anew()).await.map(|_| ()),
            github.client.repositories(RepositoriesPage::Next(&next), &anew()).await.map(|_| ()),
        ] {
            assert!(matches!(answer, Err(AskError::Final(_))), "{next}: {answer:?}");
        }
    }
    assert_eq!((github.asked().await, stranger.asked().await), (vec![], vec![]));
}

#[tokio::test]
async fn pull_requests_are_listed_with_their_states() {
    let github = Github::start().await;
    let at = "2011-01-26T19:01:12Z";
    let list = json!([
        {"number": 3, "state": "open", "merged_at": null, "updated_at": at},
        {"number": 2, "state": "closed", "merged_at": at, "updated_at": at},
        {"number": 1, "state": "closed", "merged_at": null, "updated_at": at},
    ]);
    github.on("/repos/octocat/Hello-World/pulls", answer(list)).await;
    let page = |order| PullsPage::First { repo: REPO, order };
    let listed = fresh(github.client.pulls(page(PullOrder::Created), &anew()).await).body;
    let at = Second::parse(at).unwrap();
    assert_eq!(listed, [(3, PullState::Open, at), (2, PullState::Merged, at), (1, PullState::Closed, at)]);
    fresh(github.client.pulls(page(PullOrder::Updated), &anew()).await);
    assert_eq!(
        github.asked().await,
        [
            "/repos/octocat/Hello-World/pulls?state=all&sort=created&direction=desc&per_page=100",
            "/repos/octocat/Hello-World/pulls?state=all&sort=updated&direction=desc&per_page=100"
        ]
    );
}

/// What is left out of a list counts as gone: half of a list is worse than none.
#[tokio::test]
async fn a_list_with_an_element_that_cannot_be_read_is_no_list() {
    for list in [
        json!([stub(1), 7]),
        json!([stub(1), {"name": "no id"}]),
        json!({"message": "x"}),
        json!("[]"),
        json!(null),
    ] {
        let github = Github::start().await;
        github.on("/users/octocat/repos", answer(list.clone())).await;
        let answer = github.client.repositories(RepositoriesPage::First { login: "octocat" }, &anew()).await;
        assert!(matches!(answer, Err(AskError::Retry(_))), "{list}: {answer:?}");
    }
}
