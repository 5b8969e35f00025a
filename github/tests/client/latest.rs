//! All public repositories, and what S4 shows of one.

use domain::{RepoId, Second};
use github::client::{Answer, AskError, PublicPage};
use serde_json::json;

use crate::server::{Github, REPO, anew, error, fresh, json as answer};

#[tokio::test]
async fn a_page_tells_ids_and_names_and_leaves_out_what_is_private_or_empty() {
    let github = Github::start().await;
    let next = format!("{}/repositories?since=9", github.server.uri());
    let page = json!([
        {"id": 7, "full_name": "octo/seven", "private": false},
        null,
        {"id": 8, "full_name": "octo/eight", "private": true},
        {"name": "nobody"},
        {"id": 9, "private": false},
    ]);
    let link =
        format!(r#"<{next}>; rel="next", <{}/repositories{{?since}}>; rel="first""#, github.server.uri());
    github.on("/repositories", answer(page).insert_header("link", link.as_str())).await;
    let first = fresh(github.client.public_repositories(PublicPage::Since(6), &anew()).await);
    assert_eq!(
        first.body,
        [(RepoId::github(7), "octo/seven".to_owned()), (RepoId::github(9), String::new())]
    );
    assert_eq!(first.links.next(), Some(next.as_str()));
    fresh(github.client.public_repositories(PublicPage::Next(&next), &anew()).await);
    assert_eq!(github.asked().await, ["/repositories?since=6", "/repositories?since=9"]);
}

#[tokio::test]
async fn another_shape_and_pages_elsewhere_are_not_taken() {
    let github = Github::start().await;
    github.on("/repositories", answer(json!({"nonsense": []}))).await;
    let shape = github.client.public_repositories(PublicPage::Since(6), &anew()).await;
    assert!(matches!(shape, Err(AskError::Retry(_))), "{shape:?}");
    let away =
        github.client.public_repositories(PublicPage::Next("http://127.0.0.1:9/repositories"), &anew()).await;
    assert!(matches!(away, Err(AskError::Final(_))), "{away:?}");
    assert_eq!(github.requests().await.len(), 1);
}

#[tokio::test]
async fn one_tells_all_that_is_shown_and_whether_it_may_be() {
    let github = Github::start().await;
    let body = json!({
        "id": 7, "name": "seven", "full_name": "octo/seven", "private": false, "visibility": "public",
        "owner": {"login": "octo", "id": 3}, "html_url": "https://forge.test/octo/seven",
        "languages_url": "https://api.forge.test/repos/octo/seven/languages", "description": null,
        "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:01Z", "size": 12, "language": "Go",
        "license": {"key": "mit", "name": "MIT License", "spdx_id": "MIT"}, "forks_count": 1,
        "open_issues_count": 2, "watchers_count": 3, "has_issues": true, "has_wiki": "yes"
    });
    github.on("/repos/octocat/Hello-World", answer(body)).await;
    let told = fresh(github.client.public_repository(REPO, &anew()).await).body;
    assert!(told.is_public);
    let facts = told.facts;
    assert_eq!((facts.owner.as_str(), facts.name.as_str(), facts.description), ("octo", "seven", None));
    assert_eq!((facts.license.as_deref(), facts.language.as_deref()), (Some("MIT License"), Some("Go")));
    assert_eq!(
        (facts.forks, facts.open_issues, facts.watchers, facts.size),
        (Some(1), Some(2), Some(3), Some(12))
    );
    assert!(facts.features.issues && !facts.features.wiki && !facts.features.pages);
    assert_eq!(facts.updated_at, Some(Second(1_795_255_201)));
    let github = Github::start().await;
    let body = json!({"id": 7, "full_name": "octo/seven", "visibility": "internal"});
    github.on("/repos/octocat/Hello-World", answer(body)).await;
    assert!(!fresh(github.client.public_repository(REPO, &anew()).await).body.is_public);
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", error(451, "Repository access blocked")).await;
    let refused = github.client.public_repository(REPO, &anew()).await.unwrap();
    assert!(matches!(refused, Answer::Refused { status: 451, .. }), "{refused:?}");
}
