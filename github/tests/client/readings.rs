//! Each question: the address and headers it is sent with, and the reading that its answer becomes.

use domain::{AccountId, RepoId, Second};
use github::client::{AccountPath, Answer, AskError, Asking, PullCount, RepoPath, Settings};
use serde_json::{Value, json};

use crate::server::{DATE, Github, NOW, REPO, anew, fresh, json as answer, settings, status};

/// The fields of a profile that we read, and some that we do not.
fn octocat() -> Value {
    json!({
        "login": "octocat", "id": 583_231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User", "site_admin": false,
        "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4", "gravatar_id": "",
        "url": "https://api.github.com/users/octocat", "html_url": "https://github.com/octocat",
        "name": "The Octocat", "company": "@github", "email": null, "bio": null, "public_repos": 8,
        "public_gists": 8, "followers": 3938, "following": 9,
        "created_at": "2011-01-25T18:44:36Z", "updated_at": "2026-11-20T10:00:00Z"
    })
}

fn hello_world() -> Value {
    json!({
        "id": 1_296_269, "name": "Hello-World", "full_name": "octocat/Hello-World", "private": false,
        "visibility": "public", "owner": {"login": "octocat", "id": 583_231, "type": "User"},
        "html_url": "https://github.com/octocat/Hello-World", "url": "https://api.github.com/repos/octocat/Hello-World",
        "description": "My first \"repository\"", "fork": false, "archived": true, "default_branch": "master",
        "license": {"key": "mit", "spdx_id": "MIT"}, "topics": ["octocat", "api"],
        "stargazers_count": 80, "watchers_count": 80, "forks_count": 9, "open_issues_count": 3, "subscribers_count": 42,
        "created_at": "2011-01-26T19:01:12Z", "updated_at": "2011-01-26T19:14:43Z", "pushed_at": "2011-01-26T19:06:43Z"
    })
}

#[tokio::test]
async fn requests_carry_what_github_wants() {
    let github = Github::start().await;
    github.on("/users/octocat", answer(octocat())).await;
    fresh(github.client.profile(AccountPath::Login("octocat"), &anew()).await);
    let request = github.requests().await.remove(0);
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("user-agent").unwrap(), format!("tallyhook/{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(header("accept").as_deref(), Some("application/vnd.github+json"));
    assert_eq!(header("x-github-api-version").as_deref(), Some("2022-11-28"));
    assert_eq!(header("authorization").as_deref(), Some("Bearer hush"));
    assert_eq!(header("accept-encoding").as_deref(), Some("gzip"));
    assert_eq!(header("if-none-match"), None);

    let anonymous =
        github::client::Client::new(Settings { tokens: Vec::new(), ..settings(&github.server.uri()) })
            .unwrap();
    fresh(anonymous.profile(AccountPath::Login("octocat"), &anew()).await);
    assert_eq!(github.requests().await[1].headers.get("authorization"), None);
}

#[tokio::test]
async fn a_profile_is_read_by_login_by_id_and_as_ones_own() {
    let github = Github::start().await;
    for path in ["/users/octocat", "/user/583231", "/user"] {
        github.on(path, answer(octocat()).insert_header("etag", "W/\"abc\"")).await;
    }
    let by_login = fresh(github.client.profile(AccountPath::Login("octocat"), &anew()).await);
    let by_id = fresh(github.client.profile(AccountPath::Id(583_231), &anew()).await);
    let own = fresh(github.client.whoami(&anew()).await);
    assert_eq!(github.asked().await, ["/users/octocat", "/user/583231", "/user"]);
    assert_eq!((&by_id.body, &own.body), (&by_login.body, &by_login.body));
    assert_eq!((by_login.date, by_login.etag.as_deref()), (DATE, Some("W/\"abc\"")));

    let profile = by_login.body;
    assert_eq!(profile.owner.id, AccountId::github(583_231));
    assert_eq!((profile.owner.login.as_str(), profile.owner.kind.as_deref()), ("octocat", Some("User")));
    assert_eq!(profile.owner.url.as_deref(), Some("https://github.com/octocat"));
    assert_eq!((profile.name.as_deref(), profile.email), (Some("The Octocat"), None));
    assert_eq!(
        (profile.followers, profile.public_gists, profile.public_repos),
        (Some(3938), Some(8), Some(8))
    );
    assert_eq!(profile.as_of, Second::parse("2026-11-20T10:00:00Z"));
}

#[tokio::test]
async fn names_are_sent_as_typed_and_never_name_something_else() {
    let github = Github::start().await;
    let profile = github.client.profile(AccountPath::Login("Octo Cat/..?x=1"), &anew()).await.unwrap();
    assert!(matches!(profile, Answer::Refused { status: 404, .. }));
    assert_eq!(github.asked().await, ["/users/Octo%20Cat%2F..%3Fx%3D1"]);
    for login in ["", ".", ".."] {
        let refused = github.client.profile(AccountPath::Login(login), &anew()).await.unwrap();
        assert!(matches!(refused, Answer::Refused { status: 404, date: NOW, .. }));
    }
    assert_eq!(github.asked().await.len(), 1, "nothing was sent for names that cannot be");
}

#[tokio::test]
async fn a_repository_is_read_by_name_and_by_id() {
    let github = Github::start().await;
    for path in ["/repos/octocat/Hello-World", "/repositories/1296269"] {
        github.on(path, answer(hello_world())).await;
    }
    let by_name = fresh(github.client.repository(REPO, &anew()).await);
    let by_id = fresh(github.client.repository(RepoPath::Id(1_296_269), &anew()).await);
    assert_eq!(by_name.body, by_id.body);

    let reading = by_name.body;
    assert_eq!(
        (reading.id, reading.owner.unwrap().id),
        (RepoId::github(1_296_269), AccountId::github(583_231))
    );
    assert_eq!(reading.name.as_deref(), Some("Hello-World"));
    assert_eq!(reading.url.as_deref(), Some("https://github.com/octocat/Hello-World"));
    assert_eq!(reading.description, Some(Some("My first \"repository\"".into())));
    assert_eq!(reading.license, Some(Some("MIT".into())));
    assert_eq!(reading.topics.unwrap().len(), 2);
    assert_eq!((reading.private, reading.fork, reading.archived), (Some(false), Some(false), Some(true)));
    assert_eq!((reading.stars, reading.forks), (Some(80), Some(9)));
    assert_eq!((reading.open_issues, reading.watchers), (Some(3), Some(42)));
    assert_eq!(reading.as_of, Second::parse("2011-01-26T19:14:43Z"));
    assert_eq!(reading.counted_at, None, "an answer's gauges are as of its date");
    assert!(reading.is_whole, "what it leaves out the forge does not tell");
}

#[tokio::test]
async fn a_known_answer_is_confirmed_without_being_sent_again() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", status(304)).await;
    let asking = Asking { etag: Some("W/\"abc\""), now: NOW };
    let answer = github.client.repository(REPO, &asking).await;
    assert_eq!(answer, Ok(Answer::NotModified { date: DATE }));
    assert_eq!(github.requests().await[0].headers.get("if-none-match").unwrap(), "W/\"abc\"");
    // Nobody asked whether something has changed: that answer means nothing.
    assert!(matches!(github.client.repository(REPO, &anew()).await, Err(AskError::Retry(_))));
}

#[tokio::test]
async fn the_head_of_a_branch_is_read_from_the_branch() {
    let github = Github::start().await;
    let sha = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
    github
        .on(
            "/repos/octocat/Hello-World/branches/feature%2Fa%20b",
            answer(json!({"name": "x", "commit": {"sha": sha}})),
        )
        .await;
    let head = fresh(github.client.head(REPO, "feature/a b", &anew()).await).body;
    assert_eq!(head.to_string(), sha);
}

#[tokio::test]
async fn a_server_without_branches_is_asked_for_the_newest_commit() {
    let sha = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
    for refusal in [403, 404, 501] {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World/branches/main", status(refusal)).await;
        github.on("/repos/octocat/Hello-World/commits", answer(json!([{"sha": sha}]))).await;
        assert_eq!(fresh(github.client.head(REPO, "main", &anew()).await).body.to_string(), sha);
        assert_eq!(github.asked().await[1], "/repos/octocat/Hello-World/commits?sha=main&per_page=1");
    }
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World/commits", answer(json!([]))).await;
    assert_eq!(github.client.head(REPO, "main", &anew()).await, Ok(Answer::Empty { date: DATE }));
}

#[tokio::test]
async fn commits_are_counted_by_the_last_page() {
    let sha: domain::CommitId = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d".parse().unwrap();
    let count = async |template| {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World/commits", template).await;
        let answer = github.client.commit_count(REPO, sha, &anew()).await;
        assert_eq!(
            github.asked().await,
            [format!("/repos/octocat/Hello-World/commits?sha={sha}&per_page=1")]
        );
        answer
    };
    let last = r#"<https://api.github.com/repositories/1296269/commits?page=2&sha=7>; rel="next", <https://api.github.com/repositories/1296269/commits?sha=7&page=1044>; rel="last""#;
    assert_eq!(fresh(count(answer(json!([{"sha": "x"}])).insert_header("link", last)).await).body, 1044);
    assert_eq!(fresh(count(answer(json!([{"sha": "x"}]))).await).body, 1);
    assert_eq!(count(status(409)).await, Ok(Answer::Empty { date: DATE }));
    let unknown = r#"<https://api.github.com/repositories/1296269/commits?page=2>; rel="next""#;
    assert!(matches!(
        count(answer(json!([{}])).insert_header("link", unknown)).await,
        Err(AskError::Retry(_))
    ));
}

#[tokio::test]
async fn pull_requests_are_counted_with_their_newest_number() {
    let count = async |template| {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World/pulls", template).await;
        let count = fresh(github.client.pull_count(REPO, &anew()).await).body;
        let query = "/repos/octocat/Hello-World/pulls?state=all&sort=created&direction=desc&per_page=1";
        assert_eq!(github.asked().await, [query]);
        count
    };
    let last = r#"<https://api.github.com/repositories/1296269/pulls?page=37&state=all>; rel="last", <https://api.github.com/repositories/1296269/pulls?page=2>; rel="next""#;
    let item = json!([{"number": 1347, "state": "open"}]);
    assert_eq!(
        count(answer(item.clone()).insert_header("link", last)).await,
        PullCount { total: 37, newest: 1347 }
    );
    assert_eq!(count(answer(item)).await, PullCount { total: 1, newest: 1347 });
    assert_eq!(count(answer(json!([]))).await, PullCount { total: 0, newest: 0 });
}

#[tokio::test]
async fn one_pull_request_is_read() {
    let github = Github::start().await;
    let pull =
        json!({"number": 1347, "state": "closed", "merged": true, "updated_at": "2011-01-26T19:01:12Z"});
    github.on("/repos/octocat/Hello-World/pulls/1347", answer(pull)).await;
    let (number, state, at) = fresh(github.client.pull(REPO, 1347, &anew()).await).body;
    assert_eq!((number, state, at), (1347, domain::event::PullState::Merged, Second(1_296_068_472)));
}

#[tokio::test]
async fn languages_are_read_as_github_writes_them() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World/languages", answer(json!({"C#": 78769, "Python": 7769}))).await;
    let languages = fresh(github.client.languages(REPO, &anew()).await).body;
    assert_eq!(languages, [("C#".into(), 78769), ("Python".into(), 7769)]);

    github.server.reset().await;
    github.on("/repos/octocat/Hello-World/languages", answer(json!({}))).await;
    assert_eq!(fresh(github.client.languages(REPO, &anew()).await).body, []);
}

#[tokio::test]
async fn the_address_may_have_a_path_and_a_date_may_be_missing() {
    let github = Github::start().await;
    let client = github::client::Client::new(settings(&format!("{}/api/v3/", github.server.uri()))).unwrap();
    github.on("/api/v3/users/octocat", answer(octocat()).insert_header("date", "once upon a time")).await;
    assert_eq!(fresh(client.profile(AccountPath::Login("octocat"), &anew()).await).date, NOW);
}
