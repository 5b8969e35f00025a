//! The REST API over HTTP: shapes are checked in `schemas.rs`, here it is how it answers.

use crate::client::Api;
use fake_github::{
    AccountId, Clock, FakeConfig, FakeGithub, LICENSES, NewCommits, NewRepository, RepoId, Second, Visibility,
};
use serde_json::{Value, json};

/// A fake with one user, one repository, and a token of the user's.
struct Setup {
    fake: FakeGithub,
    clock: Clock,
    user: AccountId,
    repo: RepoId,
    anonymous: Api,
    api: Api,
}

impl Setup {
    async fn new() -> Self {
        Setup::with(FakeConfig::default()).await
    }

    async fn with(config: FakeConfig) -> Self {
        let clock = Clock::scripted(Second(1_795_000_000));
        let config = FakeConfig { clock: clock.clone(), ..config };
        let fake = FakeGithub::start(config).await.unwrap();
        let (user, repo) = fake.world(|world| {
            let user = world.create_user("Ada").unwrap();
            world.accept_token("secret", user);
            (user, world.create_repository(user, NewRepository::public("engine")).unwrap())
        });
        let anonymous = Api::new(fake.url());
        let api = anonymous.token("secret");
        Setup { fake, clock, user, repo, anonymous, api }
    }

    fn commits(&self, count: usize) {
        self.fake.world(|world| world.push_commits(self.repo, "main", count).unwrap());
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_last_page_of_commits_tells_their_number() {
    let setup = Setup::new().await;
    let path = "/repos/ada/ENGINE/commits?per_page=1";
    let empty = setup.api.get(path).await;
    assert_eq!((empty.status, empty.json()["message"].as_str().unwrap()), (409, "Git Repository is empty."));
    setup.commits(1);
    let one = setup.api.get(path).await;
    assert_eq!((one.json().as_array().unwrap().len(), one.header("link")), (1, ""));
    setup.commits(41);
    let first = setup.api.get(path).await;
    let by_id = format!("{}/repositories/{}/commits?per_page=1&page=", setup.fake.url(), setup.repo);
    assert_eq!(first.link("last").unwrap(), format!("{by_id}42"));
    assert_eq!(first.link("next").unwrap(), format!("{by_id}2"));
    let head = setup.fake.world(|world| world.truth(setup.repo).unwrap().head.unwrap());
    assert_eq!(first.json()[0]["sha"], head.to_string());
}

#[tokio::test]
async fn following_next_visits_every_commit_once_newest_first() {
    let setup = Setup::new().await;
    setup.commits(3);
    setup.fake.world(|world| {
        world.create_branch(setup.repo, "side/a b#é", "main", setup.user).unwrap_err();
        world.create_branch(setup.repo, "side/é#1", "main", setup.user).unwrap();
        world.push_commits(setup.repo, "side/é#1", 4).unwrap();
        world.push_commits(setup.repo, "main", 2).unwrap();
        world.push_merge(setup.repo, "side/é#1", "main", setup.user).unwrap();
        world.push_root(setup.repo, "main", setup.user).unwrap();
    });
    let truth = setup.fake.world(|world| world.truth(setup.repo).unwrap());
    assert_eq!(truth.commits, 3 + 4 + 2 + 1 + 2);
    let sha = truth.head.unwrap();
    let mut url = Some(format!("/repositories/{}/commits?sha={sha}&per_page=5&keep=me", setup.repo));
    let mut seen: Vec<Value> = Vec::new();
    while let Some(next) = url {
        let page = setup.api.get(&next).await;
        seen.extend(page.json().as_array().unwrap().clone());
        url = page.link("next");
        assert!(url.as_ref().is_none_or(|url| url.contains("keep=me")));
    }
    let place = |sha: &Value| seen.iter().position(|commit| commit["sha"] == *sha).unwrap();
    assert_eq!(seen.len(), 12);
    for commit in &seen {
        for parent in commit["parents"].as_array().unwrap() {
            assert!(place(&parent["sha"]) > place(&commit["sha"]), "a child stands before its parents");
        }
    }
    for path in ["branches/side/%C3%A9%231", "branches/side%2F%C3%A9%231"] {
        let branch = setup.api.get(&format!("/repos/Ada/engine/{path}")).await;
        assert_eq!((branch.status, branch.json()["name"].as_str().unwrap()), (200, "side/é#1"));
    }
}

#[tokio::test]
async fn an_old_commit_can_still_be_counted_after_a_force_push() {
    let setup = Setup::new().await;
    setup.commits(10);
    let old = setup.fake.world(|world| {
        let old = world.truth(setup.repo).unwrap().head.unwrap();
        world.push(setup.repo, "main", NewCommits { back: 5, count: 1 }, setup.user).unwrap();
        old
    });
    let count =
        |answer: crate::client::Answer| answer.link("last").unwrap().rsplit('=').next().unwrap().to_owned();
    let path = format!("/repositories/{}/commits?per_page=1", setup.repo);
    assert_eq!(count(setup.api.get(&path).await), "6");
    assert_eq!(count(setup.api.get(&format!("{path}&sha={old}")).await), "10");
    assert_eq!(setup.api.get(&format!("{path}&sha=nowhere")).await.status, 404);
    let unknown = format!("/repositories/{}/commits/{}", setup.repo, "ab".repeat(20));
    assert_eq!(setup.api.get(&unknown).await.status, 422);
}

#[tokio::test]
async fn one_call_tells_total_and_newest_pull_request() {
    let setup = Setup::new().await;
    setup.commits(2);
    setup.fake.world(|world| {
        for number in 0..5 {
            let branch = format!("topic-{number}");
            world.create_branch(setup.repo, &branch, "main", setup.user).unwrap();
            world.push_commits(setup.repo, &branch, 1).unwrap();
            world.open_pull(setup.repo, (setup.repo, &branch), "main", "t", setup.user).unwrap();
            world.open_issue(setup.repo, "i", setup.user).unwrap();
        }
        setup.clock.advance_ms(5_000);
        world.close_pull(setup.repo, 1, setup.user).unwrap();
        world.merge_pull(setup.repo, 3, false, setup.user).unwrap();
    });
    let path = format!("/repositories/{}/pulls", setup.repo);
    let newest = setup.api.get(&format!("{path}?state=all&sort=created&direction=desc&per_page=1")).await;
    assert_eq!(newest.json()[0]["number"], 9);
    assert!(newest.link("last").unwrap().ends_with("page=5"));
    let numbers = |answer: &crate::client::Answer| -> Vec<u64> {
        answer.json().as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&setup.api.get(&path).await), [9, 7, 5]);
    assert_eq!(numbers(&setup.api.get(&format!("{path}?state=closed")).await), [3, 1]);
    let updated = setup.api.get(&format!("{path}?state=all&sort=updated&direction=desc")).await;
    assert_eq!(numbers(&updated), [3, 1, 9, 7, 5]);
    let merged = setup.api.get(&format!("{path}/3")).await.json();
    assert_eq!((merged["state"].as_str().unwrap(), merged["merged"].as_bool().unwrap()), ("closed", true));
    assert_eq!(merged["merged_at"], updated.json()[0]["merged_at"]);
    assert_eq!(updated.json()[0].get("merged"), None, "lists have no `merged`");
    assert_eq!(setup.api.get(&format!("{path}/2")).await.status, 404, "2 is an issue");
    let open = setup.api.get("/repos/Ada/engine").await.json()["open_issues_count"].clone();
    assert_eq!(open, 3 + 5, "pull requests are counted among the issues");
}

#[tokio::test]
async fn what_is_unchanged_is_304_and_free_for_those_with_a_token() {
    let setup = Setup::new().await;
    let path = "/repos/Ada/engine";
    let first = setup.api.get(path).await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    assert_eq!(first.header("x-ratelimit-limit"), "5000");
    assert_eq!(first.header("last-modified"), first.header("date"), "the world was made just now");
    let known = setup.api.with("if-none-match", &format!("\"other\", {etag}"));
    let same = known.get(path).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, etag.as_str()));
    assert_eq!(same.header("x-ratelimit-used"), first.header("x-ratelimit-used"), "free");
    let anonymous = setup.anonymous.with("if-none-match", setup.anonymous.get(path).await.header("etag"));
    let (one, two) = (anonymous.get(path).await, anonymous.get(path).await);
    assert_eq!((one.status, two.status), (304, 304));
    assert_ne!(one.header("x-ratelimit-used"), two.header("x-ratelimit-used"), "not free without a token");
    setup.clock.advance_ms(1_000);
    setup.fake.world(|world| world.star(setup.repo, setup.user).unwrap());
    let changed = known.get(path).await;
    assert_eq!((changed.status, changed.json()["stargazers_count"].as_u64().unwrap()), (200, 1));
    let since = setup.api.with("if-modified-since", changed.header("last-modified"));
    assert_eq!(since.get(path).await.status, 304);
    let conditional = setup.fake.requests().iter().filter(|request| request.conditional).count();
    assert_eq!(conditional, 5);
    let counted =
        setup.fake.requests().iter().filter(|request| request.authorised && request.counted).count();
    assert_eq!(counted.to_string(), changed.header("x-ratelimit-used"));
}

#[tokio::test]
async fn limits_end_with_403_and_open_again_after_an_hour() {
    let setup = Setup::with(FakeConfig { limit_anonymous: 2, ..FakeConfig::default() }).await;
    assert_eq!(setup.anonymous.get("/users/ada").await.header("x-ratelimit-remaining"), "1");
    assert_eq!(setup.anonymous.get("/users/nobody").await.status, 404);
    let over = setup.anonymous.get("/users/ada").await;
    assert_eq!((over.status, over.header("x-ratelimit-remaining")), (403, "0"));
    assert!(over.json()["message"].as_str().unwrap().starts_with("API rate limit exceeded for 127.0.0.1."));
    assert_eq!(over.header("x-ratelimit-reset"), (1_795_000_000 + 3600).to_string());
    let free = setup.anonymous.get("/rate_limit").await;
    assert_eq!((free.status, free.json()["rate"]["remaining"].as_u64().unwrap()), (200, 0));
    assert_eq!(setup.api.get("/users/ada").await.status, 200, "a token has a limit of its own");
    setup.clock.advance_ms(3_600_000);
    assert_eq!(setup.anonymous.get("/users/ada").await.status, 200);
}

#[tokio::test]
async fn callers_that_github_refuses_are_refused() {
    let setup = Setup::new().await;
    assert_eq!(setup.anonymous.with("user-agent", "").get("/users/ada").await.status, 403);
    let wrong = setup.anonymous.token("wrong").get("/users/ada").await;
    assert_eq!((wrong.status, wrong.json()["message"].as_str().unwrap()), (401, "Bad credentials"));
    assert_eq!(setup.anonymous.get("/user").await.status, 401);
    assert_eq!(setup.api.get("/user").await.json()["login"], "Ada");
    assert_eq!(setup.api.with("x-github-api-version", "1999-01-01").get("/user").await.status, 400);
    let dated = setup.api.with("x-github-api-version", "2022-11-28").get("/user").await;
    assert_eq!(dated.header("x-github-api-version-selected"), "2022-11-28");
    assert_eq!(setup.api.get("/users/ada/").await.status, 404, "a trailing slash");
    assert_eq!(setup.api.get("/repos/ada/engine/unheard-of").await.status, 404);
    assert!(setup.api.get("/x").await.json()["documentation_url"].is_string());
}

#[tokio::test]
async fn former_names_lead_to_the_repository_by_its_id() {
    let setup = Setup::new().await;
    setup.commits(3);
    let eve = setup.fake.world(|world| {
        world.rename_repository(setup.repo, "machine").unwrap();
        world.create_user("Eve").unwrap()
    });
    let moved = setup.api.get("/repos/Ada/engine/commits?per_page=1&x=y").await;
    let to = format!("{}/repositories/{}/commits?per_page=1&x=y", setup.fake.url(), setup.repo);
    assert_eq!((moved.status, moved.header("location")), (301, to.as_str()));
    assert_eq!(moved.json()["url"], to.as_str());
    assert_eq!(setup.api.get(moved.header("location")).await.status, 200);
    assert_eq!(setup.api.post("/repos/Ada/engine/hooks", "{}").await.status, 307);

    setup.fake.world(|world| world.transfer_repository(setup.repo, eve).unwrap());
    let by_id = format!("{}/repositories/{}", setup.fake.url(), setup.repo);
    for old in ["/repos/Ada/engine", "/repos/ada/machine"] {
        assert_eq!(setup.api.get(old).await.header("location"), by_id);
    }
    assert_eq!(setup.api.get(&by_id).await.json()["full_name"], "Eve/machine");

    setup.fake.world(|world| world.rename_account(eve, "Eva").unwrap());
    assert_eq!(setup.api.get("/users/Eve").await.status, 404, "an old login leads nowhere");
    assert_eq!(setup.api.get(&format!("/user/{eve}")).await.json()["login"], "Eva");
    assert_eq!(setup.api.get("/repos/Eve/machine").await.header("location"), by_id);

    let fresh = setup
        .fake
        .world(|world| world.create_repository(setup.user, NewRepository::public("engine")).unwrap());
    assert_eq!(setup.api.get("/repos/Ada/engine").await.json()["id"], fresh.0, "the name was taken again");
    setup.fake.world(|world| world.delete_repository(fresh).unwrap());
    assert_eq!(setup.api.get("/repos/Ada/engine").await.status, 404, "the old way does not come back");
    setup.fake.world(|world| world.delete_repository(setup.repo).unwrap());
    for gone in ["/repos/Eva/machine", "/repos/ada/machine", by_id.as_str()] {
        assert_eq!(setup.api.get(gone).await.status, 404);
    }
}

#[tokio::test]
async fn a_renamed_branch_leads_on() {
    let setup = Setup::new().await;
    setup.commits(1);
    setup.fake.world(|world| world.rename_branch(setup.repo, "main", "trunk", setup.user).unwrap());
    let moved = setup.api.get("/repos/Ada/engine/branches/main").await;
    let to = format!("{}/repositories/{}/branches/trunk", setup.fake.url(), setup.repo);
    assert_eq!((moved.status, moved.header("location")), (301, to.as_str()));
    assert_eq!(setup.api.get("/repos/Ada/engine").await.json()["default_branch"], "trunk");
    assert_eq!(setup.api.get("/repos/Ada/engine/branches/none").await.status, 404);
}

#[tokio::test]
async fn private_repositories_are_not_there_for_outsiders() {
    let setup = Setup::new().await;
    setup.commits(1);
    setup.fake.world(|world| {
        world.star(setup.repo, setup.user).unwrap();
        world.set_subscribers(setup.repo, 7).unwrap();
        world.privatize_repository(setup.repo).unwrap();
        let eve = world.create_user("Eve").unwrap();
        world.accept_token("eve", eve);
    });
    let eve = setup.anonymous.token("eve");
    let by_id = format!("/repositories/{}", setup.repo);
    for path in ["/repos/Ada/engine", "/repos/Ada/engine/commits", by_id.as_str()] {
        assert_eq!(setup.anonymous.get(path).await.status, 404);
        assert_eq!(eve.get(path).await.status, 404);
        assert_eq!(setup.api.get(path).await.status, 200);
    }
    let own = setup.api.get("/repos/Ada/engine").await.json();
    assert_eq!((&own["private"], &own["stargazers_count"]), (&json!(true), &json!(0)));
    assert_eq!(own["subscribers_count"], 0);
    assert_eq!(setup.api.get("/users/Ada/repos").await.json(), json!([]));
    assert_eq!(setup.api.get("/user/repos").await.json()[0]["name"], "engine");
    assert_eq!(setup.api.get("/repositories").await.json(), json!([]));
    assert_eq!(eve.get("/users/Ada").await.json()["public_repos"], 0);
    setup.fake.world(|world| world.publicize_repository(setup.repo).unwrap());
    assert_eq!(eve.get("/repos/Ada/engine").await.status, 200);
    setup.fake.world(|world| world.block_repository(setup.repo, true).unwrap());
    let blocked = eve.get("/repos/Ada/engine/languages").await;
    assert_eq!((blocked.status, blocked.json()["block"]["reason"].as_str().unwrap()), (451, "dmca"));
}

#[tokio::test]
async fn lists_of_repositories_are_sorted_paged_and_filtered() {
    let setup = Setup::new().await;
    let organization = setup.fake.world(|world| {
        let organization = world.create_organization("Acme", setup.user).unwrap();
        for name in ["zeta", "Beta", "alpha"] {
            setup.clock.advance_ms(1_000);
            let repo = world.create_repository(organization, NewRepository::public(name)).unwrap();
            world.push_commits(repo, "main", 1).unwrap();
        }
        let hidden = NewRepository { visibility: Visibility::Private, ..NewRepository::public("hidden") };
        world.create_repository(organization, hidden).unwrap();
        let zeta = world.repository_id("acme", "ZETA").unwrap();
        world.fork(zeta, setup.user).unwrap();
        organization
    });
    let list = |path: &'static str| async { setup.anonymous.get(path).await };
    assert_eq!(names(&list("/users/acme/repos").await.json()), ["alpha", "Beta", "zeta"]);
    assert_eq!(names(&list("/orgs/acme/repos").await.json()), ["alpha", "Beta", "zeta"]);
    assert_eq!(
        names(&list("/orgs/acme/repos?sort=full_name&direction=desc").await.json()),
        ["zeta", "Beta", "alpha"]
    );
    assert_eq!(names(&setup.api.get("/orgs/acme/repos").await.json()), ["hidden", "alpha", "Beta", "zeta"]);
    assert_eq!(names(&setup.api.get("/orgs/acme/repos?type=private").await.json()), ["hidden"]);
    assert_eq!(names(&list("/users/Ada/repos?type=owner&sort=full_name").await.json()), ["engine", "zeta"]);
    let page = setup.anonymous.get("/users/acme/repos?per_page=2").await;
    let next = page.link("next").unwrap();
    assert_eq!(next, format!("{}/user/{organization}/repos?per_page=2&page=2", setup.fake.url()));
    assert_eq!(names(&setup.anonymous.get(&next).await.json()), ["zeta"]);
    let fork = setup.api.get("/repos/Ada/zeta").await.json();
    assert_eq!(
        (fork["fork"].clone(), fork["parent"]["full_name"].clone()),
        (json!(true), json!("Acme/zeta"))
    );
    assert_eq!(setup.api.get("/repos/acme/zeta").await.json()["forks_count"], 1);
    assert_eq!(setup.api.get("/orgs/Ada").await.status, 404, "a user is no organisation");
    assert_eq!(setup.api.get(&format!("/organizations/{organization}")).await.json()["login"], "Acme");
}

#[tokio::test]
async fn all_public_repositories_can_be_walked_by_id() {
    let fake = FakeGithub::start(FakeConfig { accounts: 3, ..FakeConfig::default() }).await.unwrap();
    let mut expected: Vec<u64> = fake.world(|world| {
        let public = |id: &RepoId| world.truth(*id).unwrap().visibility == Visibility::Public;
        world.repositories().into_iter().filter(public).map(|id| id.0).collect()
    });
    expected.sort_unstable();
    assert!(expected.len() > 4);
    let api = Api::new(fake.url());
    let mut url = Some("/repositories?per_page=3".to_owned());
    let mut seen = Vec::new();
    while let Some(next) = url {
        let page = api.get(&next).await;
        seen.extend(page.json().as_array().unwrap().iter().map(|repo| repo["id"].as_u64().unwrap()));
        assert!(page.link("last").is_none(), "there is no last page");
        url = page.link("next");
    }
    assert_eq!(seen, expected);
    let beyond = api.get(&format!("/repositories?since={}", seen.last().unwrap())).await;
    assert_eq!((beyond.json(), beyond.link("next")), (json!([]), None));
}

#[tokio::test]
async fn settings_and_silent_changes_show_in_readings_alone() {
    let setup = Setup::new().await;
    setup.fake.world(|world| {
        world.set_languages(setup.repo, &[("C", 5), ("Rust", 900), ("Ada", 5)]).unwrap();
        world.set_topics(setup.repo, &["Web", "api"]).unwrap();
        world.set_license(setup.repo, Some(LICENSES[0])).unwrap();
        world.set_subscribers(setup.repo, 3).unwrap();
        world.set_followers(setup.user, 12).unwrap();
        world.set_profile(setup.user, Some("Ada L."), Some("ada@example.com")).unwrap();
    });
    let languages = setup.api.get("/repos/Ada/engine/languages").await;
    assert_eq!(languages.body, r#"{"Rust":900,"Ada":5,"C":5}"#, "most bytes first");
    assert_eq!(setup.api.get("/repos/Ada/engine/topics").await.json(), json!({"names": ["api", "web"]}));
    let repo = setup.api.get("/repos/Ada/engine").await.json();
    assert_eq!(repo["license"]["spdx_id"], "MIT");
    assert_eq!((&repo["subscribers_count"], &repo["watchers_count"]), (&json!(3), &json!(0)));
    assert_eq!(repo["language"], "Rust");
    let user = setup.api.get("/users/ada").await.json();
    assert_eq!((&user["followers"], &user["email"]), (&json!(12), &json!("ada@example.com")));
}

#[tokio::test]
async fn a_list_may_have_a_wall() {
    let setup = Setup::with(FakeConfig { rows_max: Some(400), ..FakeConfig::default() }).await;
    let path = "/repos/Ada/engine/pulls?state=all&per_page=100";
    assert_eq!(setup.api.get(&format!("{path}&page=4")).await.status, 200);
    let wall = setup.api.get(&format!("{path}&page=5")).await;
    assert_eq!(wall.status, 422);
    assert!(wall.json()["message"].as_str().unwrap().contains("pagination is limited"));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let setup = Setup::new().await;
    let get = setup.api.get("/repos/Ada/engine").await;
    let head = setup.api.send(http::Method::HEAD, "/repos/Ada/engine", "").await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(head.header("etag"), get.header("etag"));
}
