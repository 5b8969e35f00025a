//! Who starred a repository, and what somebody starred.

use domain::{AccountId, RepoId, Second};
use github::client::{Answer, AskError, StargazersPage, StarredPage};
use serde_json::json;

use crate::server::{Github, REPO, anew, error, fresh, json as answer};

#[tokio::test]
async fn stargazers_come_with_their_times_page_by_page() {
    let github = Github::start().await;
    let next = format!("{}/repositories/7/stargazers?per_page=100&page=2", github.server.uri());
    let page = json!([
        {"starred_at": "2023-11-14T22:13:20Z", "user": {"id": 51, "login": "ada"}},
        {"starred_at": "2023-11-14T22:13:21Z", "user": {"id": 52, "login": "grace"}},
    ]);
    let link = format!("<{next}>; rel=\"next\"");
    let path = "/repos/octocat/Hello-World/stargazers";
    github.on(path, answer(page).insert_header("link", link.as_str())).await;
    github.on("/repositories/7/stargazers", answer(json!([]))).await;
    let first = fresh(github.client.stargazers(StargazersPage::First(REPO), &anew()).await);
    let told: Vec<_> = first.body.iter().map(|it| (it.id, it.login.as_str(), it.at)).collect();
    assert_eq!(
        told,
        [
            (AccountId::github(51), "ada", Second(1_700_000_000)),
            (AccountId::github(52), "grace", Second(1_700_000_001)),
        ]
    );
    let last = fresh(github.client.stargazers(StargazersPage::Next(&next), &anew()).await);
    assert_eq!((last.body.len(), last.links.next()), (0, None));
    for request in github.requests().await {
        let accept = request.headers.get("accept").unwrap();
        assert_eq!(accept, "application/vnd.github.star+json", "without it times are left out");
    }
}

#[tokio::test]
async fn what_somebody_starred_leaves_out_what_not_everybody_may_see() {
    let github = Github::start().await;
    let repo = |id: u64, private: bool, visibility: &str| {
        json!({
            "starred_at": "2023-11-14T22:13:20Z",
            "repo": {"id": id, "full_name": format!("octo/r{id}"), "private": private,
                     "visibility": visibility, "owner": {"id": 3, "login": "octo"}},
        })
    };
    let page = json!([repo(1, false, "public"), repo(2, true, "private"), repo(3, false, "internal")]);
    github.on("/users/ada/starred", answer(page)).await;
    let stars = fresh(github.client.starred(StarredPage::First { login: "ada" }, &anew()).await).body;
    let ids: Vec<_> = stars.iter().map(|star| star.repository.as_ref().map(|it| it.id)).collect();
    assert_eq!(ids, [Some(RepoId::github(1)), None, None]);
    let one = stars[0].repository.as_ref().unwrap();
    assert_eq!((one.full_name.as_str(), one.owner), ("octo/r1", AccountId::github(3)));
}

#[tokio::test]
async fn a_closed_list_is_a_refusal_and_one_without_times_is_not_taken() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World/stargazers", error(403, "Must have push access")).await;
    let closed = github.client.stargazers(StargazersPage::First(REPO), &anew()).await;
    assert!(matches!(closed, Ok(Answer::Refused { status: 403, .. })), "{closed:?}");
    github.on("/users/ada/starred", answer(json!([{"id": 1, "full_name": "octo/r1"}]))).await;
    let timeless = github.client.starred(StarredPage::First { login: "ada" }, &anew()).await;
    assert!(matches!(timeless, Err(AskError::Retry(_))), "{timeless:?}");
}
