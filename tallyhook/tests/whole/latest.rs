//! S4, the newest public repositories, through the running process against a fake GitHub.

use std::{io::Read as _, time::Instant};

use axum::http::Method;
use fake_github::{HookTarget, NewHook, RepoId};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::support::{
    SECRET,
    latest::{SHOWN, Scene, WITHIN, ids, is_shown},
    reader::Reader,
    until,
};

/// More than the pages that are simply read from the beginning: the end must be searched for.
const MANY: usize = 450;
/// More than the pages that are read on from where they were.
const MANY_MORE: usize = 900;

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_hundred_are_shown_with_what_github_tells_of_them() {
    let scene = Scene::new(MANY).await;
    let service = scene.setup.serve().await;
    let answer = scene.until_true(&service).await;
    let list = answer.json();
    let first = list["repositories"][0].as_object().unwrap();
    let fields: Vec<&str> = first.keys().map(String::as_str).collect();
    // In the body's own order.
    let positions: Vec<usize> = [
        "id",
        "name",
        "full_name",
        "owner",
        "repository",
        "html_url",
        "description",
        "languages_url",
        "created_at",
        "updated_at",
        "size",
        "language",
        "languages",
        "license",
        "forks_count",
        "open_issues_count",
        "watchers_count",
        "allow_forking",
        "has_issues",
        "has_projects",
        "has_downloads",
        "has_wiki",
        "has_pages",
        "has_discussions",
    ]
    .iter()
    .map(|field| answer.text().find(&format!("\"{field}\":")).unwrap())
    .collect();
    assert_eq!((fields.len(), positions.len()), (24, 24));
    assert!(positions.is_sorted(), "{positions:?}");
    let newest = list["repositories"].as_array().unwrap().iter();
    let as_of =
        newest.flat_map(|repo| [&repo["created_at"], &repo["updated_at"]]).filter_map(Value::as_str).max();
    assert_eq!(answer.header("tallyhook-as-of"), as_of, "the newest time in it");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, no-cache"));
    assert!(answer.header("tallyhook-checked-at").is_some() && answer.header("tallyhook-position").is_some());

    // It tracks nobody, and asks nobody's profile.
    assert_eq!(service.ops_reader().get("/admin/accounts").await.ok().json()["accounts"], json!([]));
    assert_eq!(scene.asked(|path| path.starts_with("/user")), 0);
    assert!(scene.asked(|path| path == "/repositories") > 3, "the end was searched for");
    service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_headers_of_all_payloads() {
    let scene = Scene::new(120).await;
    let service = scene.setup.serve().await;
    scene.until_true(&service).await;
    let reader = service.reader();
    for path in
        ["/repos", "/stats", "/repos?has_wiki=true", "/stats?license=m", "/repos?name=no-such-name", "/ping"]
    {
        same_in_every_form(&reader, path).await;
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let refused = reader.ask(method.clone(), path, &[]).await;
            assert_eq!(refused.refused(405)["status"], 405, "{method} {path}");
            assert!(refused.header("allow").unwrap().contains("GET"), "{path}");
        }
    }
    assert_eq!(reader.get("/ping").await.ok().text(), r#"{"status":"pong"}"#);
    assert_eq!(reader.get("/repos?name=no-such-name").await.ok().json(), json!({"repositories": []}));
    service.terminate().await.done();
}

/// That a page is the same as it is, compressed and not modified, and has its head.
async fn same_in_every_form(reader: &Reader, path: &str) {
    let plain = reader.get(path).await.ok();
    assert_eq!(plain.header("content-type"), Some("application/json"), "{path}");
    let etag = plain.header("etag").unwrap();
    let known = reader.get_with(path, &[("if-none-match", etag)]).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(etag)), "{path}");
    let head = reader.ask(Method::HEAD, path, &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    assert_eq!(head.header("content-length"), Some(plain.body.len().to_string().as_str()), "{path}");
    let gzip = reader.get_with(path, &[("accept-encoding", "gzip")]).await.ok();
    if plain.body.len() < 1024 {
        assert_eq!(gzip.header("content-encoding"), None, "{path}");
        return;
    }
    assert_eq!(gzip.header("content-encoding"), Some("gzip"), "{path}");
    let mut inflated = Vec::new();
    GzDecoder::new(&gzip.body[..]).read_to_end(&mut inflated).unwrap();
    assert!(inflated == plain.body, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_resolve_is_replaced_by_the_next_lower_and_new_ones_come_on_top() {
    let scene = Scene::new(130).await;
    let gone: Vec<RepoId> = scene.newest();
    // Before anybody asked: listed, but taken down.
    scene.world(|world| world.block_repository(gone[50], true)).unwrap();
    let service = scene.setup.serve().await;
    let before = scene.until_true(&service).await;
    assert!(!ids(&before).contains(&gone[50].0));
    scene.world(|world| {
        world.delete_repository(gone[0]).unwrap();
        world.privatize_repository(gone[1]).unwrap();
        world.block_repository(gone[2], true).unwrap();
    });
    let after = scene.until_true(&service).await;
    assert_eq!(ids(&after).len(), SHOWN);
    assert_ne!(before.header("etag"), after.header("etag"));
    let made = scene.make(3);
    let with_new = scene.until_true(&service).await;
    assert_eq!(ids(&with_new)[..3], [made[2].0, made[1].0, made[0].0]);
    // Fewer than a hundred in the world: all of them, and it is complete.
    let rest = scene.newest();
    scene.world(|world| {
        for id in &rest[..60] {
            world.delete_repository(*id).unwrap();
        }
    });
    assert_eq!(ids(&scene.until_true(&service).await).len(), 130 - 4 + 3 - 60);
    service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn languages_come_when_the_forge_knows_them() {
    let scene = Scene::new(3).await;
    let id = scene.newest()[0];
    scene.world(|world| world.set_languages(id, &[]).unwrap());
    let service = scene.setup.serve().await;
    let empty = scene.until_true(&service).await.json();
    assert_eq!(
        (&empty["repositories"][0]["languages"], &empty["repositories"][0]["language"]),
        (&json!({}), &json!(""))
    );
    scene.world(|world| world.set_languages(id, &[("Go", 1), ("Shell", 1_000)]).unwrap());
    let known = scene.until_true(&service).await.json();
    assert_eq!(known["repositories"][0]["languages"], json!({"Go": {"bytes": 1}, "Shell": {"bytes": 1_000}}));
    service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let scene = Scene::new(MANY).await;
    let service = scene.setup.serve().await;
    let before = scene.until_true(&service).await;
    service.kill().await;
    scene.forge.fake.forget_requests();
    let service = scene.setup.serve().await;
    let after = until(WITHIN, "what was known", async || {
        let answer = service.reader().get("/repos").await;
        if answer.status == 200 { Ok(answer) } else { Err(answer.status) }
    })
    .await;
    assert_eq!(before.header("etag"), after.header("etag"));
    scene.until_true(&service).await;
    let anew = scene.forge.fake.requests().into_iter().filter(|request| !request.conditional);
    let repositories = anew.filter(|request| request.path.starts_with("/repos/"));
    assert_eq!(repositories.count(), 0, "what is known is only asked whether it changed");
    service.kill().await;
    // So many that the end must be searched for once more.
    scene.make(MANY_MORE);
    let service = scene.setup.serve().await;
    scene.until_true(&service).await;
    service.terminate().await.done();
}

/// Design invariant 9: an account's stream says that it went private, and no poll was needed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_says_is_private_leaves_at_once_and_comes_back_only_when_it_is_public() {
    let scene = Scene::new(120).await;
    let setup = scene.setup.clone().with("LATEST_POLL", "1h").with("TRACK", "ada").with("RECONCILE", "off");
    let service = setup.serve().await;
    let reader = service.reader();
    let before = scene.until_true(&service).await;
    let hook = NewHook::new(HookTarget::App, service.hook_url(), SECRET);
    scene.world(|world| world.create_hook(hook)).unwrap();
    let owned = |id: &RepoId| scene.world(|world| world.truth(*id)).unwrap().owner_login == "ada";
    let id = scene.newest().into_iter().find(|id| owned(id)).unwrap();
    // What nobody keeps cannot be hidden: the account's own page is there first.
    until(WITHIN, "the account", async || {
        let page = reader.get("/v1/accounts/ada").await;
        if page.status == 200 { Ok(()) } else { Err(page.status) }
    })
    .await;
    scene.world(|world| world.privatize_repository(id)).unwrap();
    until(
        WITHIN,
        "an answer without it",
        async || if is_shown(&reader, id).await { Err(id) } else { Ok(()) },
    )
    .await;
    let without = reader.get("/repos").await.ok();
    assert_eq!(ids(&without).len(), SHOWN - 1, "nobody was asked for another one yet");
    assert_ne!(without.header("tallyhook-position"), before.header("tallyhook-position"));
    let name = scene.world(|world| world.truth(id)).unwrap().name;
    let sought = reader.get(&format!("/repos?name={name}")).await.ok();
    assert_eq!(sought.json(), json!({"repositories": []}));
    scene.forge.next_second().await;
    scene.world(|world| world.publicize_repository(id)).unwrap();
    until(WITHIN, "an answer with it", async || if is_shown(&reader, id).await { Ok(()) } else { Err(id) })
        .await;
    service.terminate().await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn off_asks_nothing_and_shows_nothing() {
    let scene = Scene::new(10).await;
    let service = scene.setup.clone().with("LATEST_POLL", "off").with("TRACK", "ada").serve().await;
    let reader = service.reader();
    until(WITHIN, "the account", async || {
        let page = reader.get("/v1/accounts/ada").await;
        if page.is_complete() { Ok(()) } else { Err(page.status) }
    })
    .await;
    for path in ["/repos", "/stats"] {
        assert!(reader.get(path).await.refused(404)["detail"].as_str().unwrap().contains("LATEST_POLL"));
    }
    assert_eq!(reader.get("/ping").await.ok().json(), json!({"status": "pong"}));
    assert_eq!(scene.asked(|path| path == "/repositories"), 0);
    service.terminate().await.done();
}

/// Sixty requests an hour are soon used up, so that a round begins every half hour at most.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_polls_are_rare() {
    let scene = Scene::new(20).await;
    let service = scene.setup.clone().without("GITHUB_TOKEN").serve().await;
    scene.until_true(&service).await;
    let lists = scene.asked(|path| path == "/repositories");
    // Polls of a tenth of a second would come ten times a second.
    for _ in 0..3 {
        scene.forge.next_second().await;
    }
    assert_eq!(scene.asked(|path| path == "/repositories"), lists);
    service.terminate().await.done();
}

/// A first load takes a quarter of the hour's requests at most, and leaves half of them alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_the_accounts_is_left_alone() {
    const LIMIT: u64 = 400;
    let scene = Scene::with(120, LIMIT).await;
    const SHARE: usize = 100;
    /// So many are asked at the same time, so that the last ones may come in any order.
    const AT_ONCE: usize = 8;
    let started = Instant::now();
    let service = scene.setup.serve().await;
    let reader = service.reader();
    let asked = || scene.asked(|path| path.starts_with("/repo"));
    until(
        WITHIN,
        "a share that is used up",
        async || if asked() >= SHARE - 5 { Ok(()) } else { Err(asked()) },
    )
    .await;
    // Some twenty polls.
    for _ in 0..3 {
        scene.forge.next_second().await;
    }
    // Half of the hour's requests come back within the hour.
    let refilled = usize::try_from(started.elapsed().as_secs() * (LIMIT / 2) / 3600).unwrap();
    assert!((SHARE - 5..SHARE + refilled + 5).contains(&asked()), "{} requests", asked());
    let answer = reader.get("/repos").await.ok();
    assert!(!answer.is_complete() && !ids(&answer).is_empty());
    let newest: Vec<u64> = scene.newest().iter().map(|id| id.0).collect();
    let shown = ids(&answer);
    let sure = shown.len().saturating_sub(AT_ONCE);
    assert!(sure > SHARE / 2, "{} are shown", shown.len());
    assert_eq!(shown[..sure], newest[..sure], "the newest come first");
    service.terminate().await.done();
}
