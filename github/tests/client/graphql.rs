//! A page of repositories in GraphQL: what is read from it, what is left for REST, and how it may end.

use std::time::Duration;

use domain::{AccountId, RepoId, Second, event::PullState};
use github::client::{AskError, Settings, Spender, WaitWhy, Whole, WholePage, WholePulls, whole_points};
use serde_json::{Value, json};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use crate::server::{DATE, DATE_TEXT, Github, anew, settings};

const SHA: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

fn repository(id: u64, name: &str) -> Value {
    json!({
        "databaseId": id, "name": name, "url": format!("https://github.com/octocat/{name}"),
        "description": null, "isPrivate": false, "isFork": false, "isArchived": true,
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "pushedAt": "2026-02-01T00:00:00Z",
        "stargazerCount": 80, "forkCount": 9, "licenseInfo": {"spdxId": "MIT"},
        "watchers": {"totalCount": 42}, "issues": {"totalCount": 2}, "openPulls": {"totalCount": 1},
        "defaultBranchRef": {"name": "main", "target": {"oid": SHA, "history": {"totalCount": 1044}}},
        "newestPull": {"totalCount": 2, "nodes": [{"number": 7}]},
        "changedPulls": {"nodes": [
            {"number": 3, "state": "MERGED", "updatedAt": "2026-02-03T00:00:00Z"},
            {"number": 7, "state": "OPEN", "updatedAt": "2026-02-02T00:00:00Z"}
        ]},
        "languages": {"totalCount": 1, "edges": [{"size": 127_266, "node": {"name": "Rust"}}]},
        "repositoryTopics": {"nodes": [{"topic": {"name": "git"}}]}
    })
}

fn data(nodes: &[Value], end: Option<&str>) -> Value {
    json!({
        "rateLimit": {"cost": 4, "remaining": 4_996, "resetAt": "2026-11-21T11:00:00Z"},
        "repositoryOwner": {
            "__typename": "User", "login": "octocat", "url": "https://github.com/octocat",
            "avatarUrl": "https://avatars.example/1", "databaseId": 583_231,
            "repositories": {"pageInfo": {"hasNextPage": end.is_some(), "endCursor": end}, "nodes": nodes}
        }
    })
}

fn answer(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("date", DATE_TEXT)
        .insert_header("x-ratelimit-limit", "5000")
        .insert_header("x-ratelimit-remaining", "4996")
        .insert_header("x-ratelimit-reset", (DATE.0 + 600).to_string())
        .insert_header("x-ratelimit-resource", "graphql")
        .set_body_json(body)
}

impl Github {
    async fn on_graphql(&self, answer: ResponseTemplate, times: u64) {
        let mock = Mock::given(method("POST")).and(path("/graphql")).respond_with(answer);
        mock.up_to_n_times(times).mount(&self.server).await;
    }

    async fn page(&self) -> Result<Whole, AskError> {
        self.client.whole_repositories("octocat", 50, None, &anew()).await
    }
}

fn page(whole: Result<Whole, AskError>) -> WholePage {
    match whole {
        Ok(Whole::Page(page)) => page,
        other => panic!("expected a page, not {other:?}"),
    }
}

#[tokio::test]
async fn one_read_tells_everything_about_a_repository() {
    let github = Github::start().await;
    let asked = json!({"variables": {"login": "octocat", "first": 50, "after": "abc"}});
    let told = json!({"data": data(&[repository(1, "Hello-World")], Some("def"))});
    let mock = Mock::given(method("POST")).and(path("/graphql")).and(body_partial_json(asked));
    mock.respond_with(answer(&told)).mount(&github.server).await;
    let client = github.client.spending_as(Spender::Load);
    let page = page(client.whole_repositories("octocat", 50, Some("abc"), &anew()).await);
    assert_eq!(
        (page.owner, page.is_whole, page.next.as_deref()),
        (AccountId::github(583_231), true, Some("def"))
    );
    assert_eq!(page.date, DATE);
    let repo = &page.repositories[0];
    let reading = &repo.reading;
    assert_eq!(reading.id, RepoId::github(1));
    assert_eq!(reading.owner.as_ref().map(|owner| owner.login.as_str()), Some("octocat"));
    assert_eq!((reading.stars, reading.forks, reading.watchers), (Some(80), Some(9), Some(42)));
    assert_eq!(reading.open_issues, Some(3), "pull requests are issues");
    assert_eq!(
        (reading.description.clone(), reading.license.clone()),
        (Some(None), Some(Some("MIT".into())))
    );
    assert_eq!(reading.as_of, Second::parse("2026-03-01T00:00:00Z"));
    assert!(reading.is_whole);
    let commits = repo.commits.as_ref().unwrap();
    assert_eq!((commits.branch.as_str(), commits.count), ("main", 1044));
    assert_eq!(commits.head.unwrap().to_string(), SHA);
    let changed = vec![
        (3, PullState::Merged, Second::parse("2026-02-03T00:00:00Z").unwrap()),
        (7, PullState::Open, Second::parse("2026-02-02T00:00:00Z").unwrap()),
    ];
    assert_eq!(repo.pulls, Some(WholePulls { total: 2, newest: 7, changed, is_all: true }));
    assert_eq!(repo.languages, Some(vec![("Rust".into(), 127_266)]));
    assert_eq!(*github.seen.spent.lock().unwrap(), [("graphql", Spender::Load, 4)]);
}

#[tokio::test]
async fn what_failed_in_part_is_told_as_missing_and_never_as_none() {
    let github = Github::start().await;
    let mut partial = repository(1, "Hello-World");
    partial["defaultBranchRef"]["target"] = Value::Null;
    partial["licenseInfo"] = Value::Null;
    let errors = json!([{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits"}]);
    let told = json!({"data": data(&[partial, Value::Null], None), "errors": errors});
    github.on_graphql(answer(&told), 1).await;
    let page = page(github.page().await);
    assert!(!page.is_whole, "one could not be read at all");
    let repo = &page.repositories[0];
    assert_eq!(
        (repo.commits.clone(), repo.reading.license.clone(), repo.reading.description.clone()),
        (None, None, None)
    );
    assert_eq!(repo.reading.stars, Some(80), "what is there counts");
}

#[tokio::test]
async fn lists_that_were_cut_are_not_taken_for_whole_ones() {
    let github = Github::start().await;
    let mut cut = repository(1, "Hello-World");
    cut["newestPull"]["totalCount"] = json!(300);
    cut["languages"]["totalCount"] = json!(101);
    let mut empty = repository(2, "Empty");
    empty["defaultBranchRef"] = Value::Null;
    empty["newestPull"] = json!({"totalCount": 0, "nodes": []});
    empty["changedPulls"] = json!({"nodes": []});
    github.on_graphql(answer(&json!({"data": data(&[cut, empty], None)})), 1).await;
    let page = page(github.page().await);
    let [cut, empty] = &page.repositories[..] else { panic!("two repositories") };
    assert_eq!(cut.pulls.as_ref().map(|pulls| (pulls.total, pulls.is_all)), Some((300, false)));
    assert_eq!(cut.languages, None);
    assert_eq!(empty.commits, None, "which branch is the default one is not told");
    let none = WholePulls { total: 0, newest: 0, changed: Vec::new(), is_all: true };
    assert_eq!(empty.pulls, Some(none));
}

#[tokio::test]
async fn a_query_that_is_too_heavy_shuts_nothing() {
    let github = Github::start().await;
    let timeout =
        json!({"data": null, "errors": [{"message": "Something went wrong. This may be a timeout"}]});
    for status in [502, 504, 502, 200] {
        github.on_graphql(ResponseTemplate::new(status).set_body_json(&timeout), 1).await;
        assert_eq!(github.page().await, Ok(Whole::TooHeavy), "{status}");
    }
    github.on_graphql(answer(&json!({"data": data(&[], None)})), 1).await;
    assert_eq!(page(github.page().await).repositories, []);
}

#[tokio::test]
async fn where_it_is_not_to_be_had_it_is_not_asked_for_again() {
    for status in [400, 401, 403, 404, 410, 501] {
        let github = Github::start().await;
        github.on_graphql(ResponseTemplate::new(status).set_body_json(json!({"message": "no"})), 9).await;
        assert!(github.client.offers_graphql());
        for _ in 0..2 {
            assert_eq!(github.page().await, Ok(Whole::NotOffered), "{status}");
        }
        assert!(!github.client.offers_graphql());
        assert_eq!(github.server.received_requests().await.unwrap().len(), 1);
    }
    // A field that an old server does not know, a look-alike that answers something else, and no token.
    for body in
        [json!({"errors": [{"message": "Field 'x' doesn't exist"}]}), json!([1]), json!({"nonsense": 1})]
    {
        let github = Github::start().await;
        github.on_graphql(answer(&body), 9).await;
        assert_eq!(github.page().await, Ok(Whole::NotOffered));
    }
    let github = Github::start().await;
    let client =
        github::client::Client::new(Settings { tokens: Vec::new(), ..settings(&github.server.uri()) })
            .unwrap();
    let asked = client.whole_repositories("octocat", 50, None, &anew()).await;
    assert_eq!(asked, Ok(Whole::NotOffered));
    assert_eq!(github.server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone_for_a_while() {
    let github = Github::start().await;
    github.on_graphql(ResponseTemplate::new(500), 9).await;
    for _ in 0..2 {
        assert!(matches!(github.page().await, Err(AskError::Retry(_))));
        // REST goes on, so that the gate stays open.
        github.client.profile(github::client::AccountPath::Id(1), &anew()).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(github.page().await, Ok(Whole::NotOffered));
    }
    let queries = github.server.received_requests().await.unwrap();
    assert_eq!(queries.iter().filter(|query| query.method == "POST").count(), 3);
}

#[tokio::test]
async fn a_limit_that_the_body_tells_is_waited_out_while_rest_goes_on() {
    let github = Github::start().await;
    let limited = json!({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]});
    github.on_graphql(answer(&limited).insert_header("x-ratelimit-remaining", "0"), 1).await;
    github.on("/user/1", ResponseTemplate::new(404)).await;
    for _ in 0..2 {
        let Err(AskError::Wait { after, why: WaitWhy::Primary }) = github.page().await else {
            panic!("a wait")
        };
        assert!(after > Duration::from_secs(590), "{after:?}");
    }
    assert_eq!(github.server.received_requests().await.unwrap().len(), 1);
    let rest = github.client.profile(github::client::AccountPath::Id(1), &anew()).await;
    assert!(rest.is_ok(), "{rest:?}");
}

#[test]
fn a_page_costs_what_githubs_rule_says() {
    assert_eq!([1, 12, 25, 50].map(whole_points), [1, 1, 2, 4]);
    let account: u64 = [50; 6].into_iter().map(whole_points).sum();
    assert!(account <= 40, "300 repositories cost {account}");
}
