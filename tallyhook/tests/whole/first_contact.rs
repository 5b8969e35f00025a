//! The first minutes with a forge: what is tracked from the start is served whole, with every header of the
//! contract; what is read is tracked.

use std::{io::Read as _, time::Instant};

use axum::http::Method;
use fake_github::{FakeConfig, NewRepository};

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        reader::Answer,
        seconds,
        truth::{differing, next_of, same_floats, until_true},
        until,
    },
};

/// A first load of a few repositories takes a second; a busy machine may take many.
const LOADED_WITHIN: std::time::Duration = seconds(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tracked_from_the_start_is_served_whole() {
    let Some(ground) = Ground::new("first contact").await else { return };
    let mut forge = Forge::with_past(11, 3).await;
    let service = ground.setup(&forge).await.with("TRACK", &forge.track()).serve().await;
    service.ready().await;
    let reader = service.reader();
    until_true(&forge, &reader, LOADED_WITHIN).await;

    let first = forge.truths().remove(0);
    let unnamed = reader.get("/githubPayload").await.ok();
    assert_eq!(unnamed.json(), testkit::expected::github_payload(&first), "the first tracked is the default");

    let ready = service.ops_reader().get("/readyz").await.json();
    assert_eq!(ready["ready"], true);
    let checks = ready["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, Ground::CHECKS);
    let metrics = service.ops_reader().get("/metrics").await.ok().text();
    for family in
        ["tallyhook_projector_lag_records", "tallyhook_github_requests_total", "tallyhook_dead_letters 0"]
    {
        assert!(metrics.contains(family), "no {family} in {metrics}");
    }

    // More than a page of GitHub's, and more than one of ours; some with nothing in them.
    let many = forge.fake.world(|world| {
        let many = world.create_user("many").unwrap();
        for number in 0..103 {
            let repo =
                world.create_repository(many, NewRepository::public(format!("part-{number}"))).unwrap();
            if number % 3 == 0 {
                world.push_commits(repo, "main", number % 5 + 1).unwrap();
            }
        }
        many
    });
    forge.owners = vec![many];
    until(LOADED_WITHIN, "the large account", async || {
        let answer = reader.get("/githubPayload?user=many").await;
        if answer.status == 200 && answer.is_complete() { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    until_true(&forge, &reader, LOADED_WITHIN).await;
    let mut pages = Vec::new();
    let mut next = Some("/v1/accounts/many/repos".to_owned());
    while let Some(path) = next {
        let page = reader.get(&path).await.ok();
        pages.push(page.json()["repositories"].as_array().unwrap().len());
        next = page.header("link").and_then(next_of);
    }
    assert_eq!(pages, [30, 30, 30, 13], "30 on a page unless asked for more");
    let whole = reader.get("/v1/accounts/many/repos?per_page=1000").await.ok();
    assert_eq!(whole.json()["repositories"].as_array().unwrap().len(), 100, "never more than 100");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_the_headers_of_the_contract() {
    let Some(ground) = Ground::new("first contact").await else { return };
    let forge = Forge::with_past(12, 1).await;
    let service = ground.setup(&forge).await.with("TRACK", &forge.track()).serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, LOADED_WITHIN).await;
    let truth = forge.truths().remove(0);
    let login = &truth.login;
    let repository = &truth.repositories[0];
    let newest = |repo: &fake_github::RepoTruth| repo.updated_at.max(repo.pushed_at);

    for path in [
        format!("/githubPayload?user={login}"),
        format!("/v1/accounts/{login}"),
        format!("/v1/accounts/{login}/repos"),
        format!("/v1/repos/{}", repository.full_name),
    ] {
        let answer = reader.get(&path).await.ok();
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.header("tallyhook-complete"), Some("true"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, no-cache"), "{path}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
        assert!(answer.header("date").is_some(), "{path}");
        for (name, length) in [("tallyhook-as-of", 20), ("tallyhook-checked-at", 20)] {
            let time = answer.header(name).unwrap();
            assert!(time.len() == length && time.ends_with('Z'), "{path} {name}: {time}");
        }
        let (partition, offset) = answer.header("tallyhook-position").unwrap().split_once(':').unwrap();
        assert!(partition.parse::<u32>().is_ok() && offset.parse::<u64>().is_ok());

        assert_is_cached_by_etag(&reader, &path, &answer).await;
        assert_is_compressed(&reader, &path, &answer).await;
        let head = reader.ask(Method::HEAD, &path, &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["etag", "content-length", "content-type", "tallyhook-position", "tallyhook-as-of"] {
            assert_eq!(head.header(name), answer.header(name), "{path} {name}");
        }
        let preflight = reader.ask(Method::OPTIONS, &path, &[("origin", "https://a.example")]).await;
        assert_eq!(preflight.status, 204, "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"), "{path}");
        let posted = reader.ask(Method::POST, &path, &[]).await;
        posted.refused(405);
        assert!(posted.header("allow").is_some_and(|allow| allow.contains("GET")), "{path}");
    }

    let shown = reader.get(&format!("/v1/repos/{}", repository.full_name)).await;
    let as_of = shown.header("tallyhook-as-of").unwrap();
    assert!(as_of >= newest(repository).to_string().as_str(), "{as_of} {repository:?}");
    assert_eq!(shown.json()["freshness"]["as_of"], as_of);
    let version = reader.get("/version").await.ok().json();
    assert_eq!(
        (&version["name"], &version["version"]),
        (&"tallyhook".into(), &env!("CARGO_PKG_VERSION").into())
    );
    reader.get("/nothing/here").await.refused(404);
}

async fn assert_is_cached_by_etag(reader: &super::support::reader::Reader, path: &str, answer: &Answer) {
    let etag = answer.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{path}: {etag} is strong");
    for known in [etag.to_owned(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        let same = reader.get_with(path, &[("if-none-match", &known)]).await;
        assert_eq!((same.status, same.body.len()), (304, 0), "{path} {known}");
        for name in ["etag", "cache-control", "vary", "tallyhook-complete", "tallyhook-position"] {
            assert_eq!(same.header(name), answer.header(name), "{path} {name}");
        }
    }
    reader.get_with(path, &[("if-none-match", "\"other\"")]).await.ok();
}

async fn assert_is_compressed(reader: &super::support::reader::Reader, path: &str, answer: &Answer) {
    let gzip = reader.get_with(path, &[("accept-encoding", "br, gzip")]).await.ok();
    if answer.body.len() < 1024 {
        assert_eq!(gzip.header("content-encoding"), None, "{path}: not worth it");
        return;
    }
    assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
    assert!(gzip.body.len() < answer.body.len());
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, answer.body, "{path}");
    assert_ne!(gzip.header("etag"), answer.header("etag"), "{path}: other bytes, another tag");
    let refused = reader.get_with(path, &[("accept-encoding", "gzip;q=0")]).await.ok();
    assert_eq!(refused.header("content-encoding"), None, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_read_is_tracked() {
    let Some(ground) = Ground::new("first contact").await else { return };
    let forge = Forge::with_past(13, 3).await;
    let service = ground.setup(&forge).await.serve().await;
    service.ready().await;
    let reader = service.reader();
    reader.get("/githubPayload").await.refused(400);

    let truths = forge.truths();
    let [payload, account, repository] = [0, 1, 2].map(|index| truths[index].clone());
    let shown = first_read(&reader, &format!("/githubPayload?user={}", payload.login)).await;
    let mut found = Vec::new();
    if shown.is_complete() {
        differing("payload", &shown.json(), &testkit::expected::github_payload(&payload), &mut found);
    }
    // Logins are compared as GitHub compares them.
    let shown = first_read(&reader, &format!("/v1/accounts/{}", account.login.to_uppercase())).await;
    if shown.is_complete() {
        let truth = same_floats(&testkit::expected::account(&account));
        differing("account", &testkit::expected::without_freshness(shown.json()), &truth, &mut found);
    }
    let name = &repository.repositories[0].full_name;
    let shown = first_read(&reader, &format!("/v1/repos/{name}")).await;
    assert_eq!(shown.json()["repository"]["full_name"], name.as_str());
    assert!(found.is_empty(), "{found:#?}");
    until_true(&forge, &reader, LOADED_WITHIN).await;

    forge.fake.forget_requests();
    for _ in 0..3 {
        reader.get("/githubPayload?user=nobody-at-all").await.refused(404);
        reader.get("/v1/accounts/nobody-at-all").await.refused(404);
        reader.get("/v1/repos/nobody-at-all/nothing").await.refused(404);
    }
    let asked = forge.fake.requests().into_iter().filter(|request| request.path == "/users/nobody-at-all");
    assert_eq!(asked.count(), 1, "that there is nobody is remembered");
    reader.get(&format!("/v1/repos/{}/nothing", account.login)).await.refused(404);
    reader.get("/v1/accounts/@me").await.refused(404);
    reader.get("/v1/accounts/a%2Fb").await.refused(404);
}

/// The first read of something that is not known yet: it waits up to two seconds, and then says when to come
/// back.
async fn first_read(reader: &super::support::reader::Reader, path: &str) -> Answer {
    let started = Instant::now();
    let answer = reader.get(path).await;
    if answer.status == 200 {
        assert!(started.elapsed() < seconds(10), "{path}");
        return answer;
    }
    let problem = answer.refused(503);
    assert!(started.elapsed() >= seconds(2), "{path}: it gave up at once");
    assert_eq!(problem["type"], "https://tallyhook.dev/errors/computing");
    assert_eq!(answer.header("retry-after"), Some("1"));
    until(LOADED_WITHIN, path, async || {
        let answer = reader.get(path).await;
        if answer.status == 200 { Ok(answer) } else { Err(answer.text()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_make_nothing_tracked_where_that_is_off() {
    let Some(ground) = Ground::new("first contact").await else { return };
    let forge = Forge::with_past(14, 2).await;
    let setup = ground.setup(&forge).await.with("TRACK_ON_READ", "false");
    let service = setup.with("TRACK", "@me").serve().await;
    service.ready().await;
    let reader = service.reader();

    let [mine, other] = [0, 1].map(|index| forge.truths()[index].login.clone());
    for path in [
        format!("/githubPayload?user={other}"),
        format!("/v1/accounts/{other}"),
        format!("/v1/repos/{other}/x"),
    ] {
        let problem = reader.get(&path).await.refused(404);
        assert!(
            problem["detail"].as_str().unwrap().contains(&format!("tallyhook track {other}")),
            "{problem}"
        );
    }
    let asked = forge.fake.requests().into_iter().any(|request| request.path.contains(&other));
    assert!(!asked, "nobody was asked about somebody who is not wanted");

    let own = until(LOADED_WITHIN, "the token's owner", async || {
        let answer = reader.get("/githubPayload").await;
        if answer.status == 200 && answer.is_complete() { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(own.json()["user"]["githubHandle"], mine.as_str());
    reader.get(&format!("/v1/accounts/{mine}")).await.ok();
    let redirected = reader.get("/v1/accounts/@me").await;
    let location = format!("/v1/accounts/{mine}");
    assert_eq!((redirected.status, redirected.header("location")), (301, Some(location.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_token_is_not_needed() {
    let Some(ground) = Ground::new("first contact").await else { return };
    let config = FakeConfig { seed: 15, limit_anonymous: 10_000, ..FakeConfig::default() };
    let forge = Forge::with_past_of(config, 2).await;
    let setup = ground.setup(&forge).await.without("GITHUB_TOKEN").with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), LOADED_WITHIN).await;
    assert!(forge.fake.requests().iter().all(|request| !request.authorised));
    assert!(!service.running.stderr.text().contains(TOKEN));
}
