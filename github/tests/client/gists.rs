//! The gists of a user.

use domain::{AccountId, Second};
use github::client::{Answer, AskError, GistsPage};
use serde_json::json;

use crate::server::{Github, anew, error, fresh, json as answer};

const FIRST: GistsPage<'static> = GistsPage::First { login: "octocat", since: None };

#[tokio::test]
async fn a_page_tells_public_gists_with_their_files() {
    let github = Github::start().await;
    let next = format!("{}/user/3/gists?page=2", github.server.uri());
    let page = json!([
        {
            "id": "aa5a315d61ae9438b18d", "html_url": "https://gist.forge.test/octocat/aa5a", "public": true,
            "owner": {"login": "octocat", "id": 3}, "description": null, "comments": 0,
            "created_at": "2010-04-14T02:15:15Z", "updated_at": "2011-06-20T11:34:15Z",
            "files": {
                "z.txt": {"filename": "z.txt", "size": "many", "raw_url": "https://raw.forge.test/z"},
                "a.rs": {
                    "filename": "a.rs", "type": "application/rust", "language": "Rust", "size": 167,
                    "raw_url": "https://raw.forge.test/a"
                }
            }
        },
        {"id": "hush", "public": false, "owner": {"login": "octocat"}, "files": {}},
    ]);
    github
        .on(
            "/users/octocat/gists",
            answer(page).insert_header("link", format!(r#"<{next}>; rel="next""#).as_str()),
        )
        .await;
    let page = GistsPage::First { login: "octocat", since: Some(Second(1_308_569_654)) };
    let first = fresh(github.client.gists(page, &anew()).await);
    let [gist] = first.body.as_slice() else { panic!("{:?}", first.body) };
    assert_eq!(gist.owner, Some(AccountId::github(3)));
    let gist = &gist.facts;
    assert_eq!((gist.id.as_str(), gist.owner.as_str()), ("aa5a315d61ae9438b18d", "octocat"));
    assert_eq!((gist.description.as_ref(), gist.updated_at), (None, Second(1_308_569_655)));
    let files: Vec<(&str, Option<&str>, Option<u64>)> =
        gist.files.iter().map(|file| (file.filename.as_str(), file.language.as_deref(), file.size)).collect();
    assert_eq!(files, [("a.rs", Some("Rust"), Some(167)), ("z.txt", None, None)]);
    assert_eq!(first.links.next(), Some(next.as_str()));
    let asked = github.asked().await;
    assert_eq!(asked, ["/users/octocat/gists?per_page=100&since=2011-06-20T11%3A34%3A14Z"]);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_not_taken() {
    for broken in [
        json!([{"id": "a", "owner": {"login": "octocat"}, "files": {}}]),
        json!([{"id": "", "owner": {"login": "octocat"}, "updated_at": 1, "files": {}}]),
        json!([null]),
        json!({"message": "hello"}),
    ] {
        let github = Github::start().await;
        github.on("/users/octocat/gists", answer(broken.clone())).await;
        let shape = github.client.gists(FIRST, &anew()).await;
        assert!(matches!(shape, Err(AskError::Retry(_))), "{broken}: {shape:?}");
    }
    let github = Github::start().await;
    github.on("/users/octocat/gists", error(404, "Not Found")).await;
    let refused = github.client.gists(FIRST, &anew()).await.unwrap();
    assert!(matches!(refused, Answer::Refused { status: 404, .. }), "{refused:?}");
    let away = github.client.gists(GistsPage::Next("http://127.0.0.1:9/users/octocat/gists"), &anew()).await;
    assert!(matches!(away, Err(AskError::Final(_))), "{away:?}");
}
