//! `GET /v1/accounts/{login}/repos`: pages, their links, and what they say of themselves.

use std::time::Duration;

use domain::{Event, NeedKey, RepoId, event::TrackedBy};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Reply, patient},
    forge::{OCTO, just_now},
};

const FIVE: [(u64, &str); 5] = [(3, "charlie"), (1, "Alpha"), (5, "echo"), (2, "bravo"), (4, "delta")];
const PATH: &str = "/v1/accounts/octo/repos";

async fn five() -> Bench {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &FIVE).await;
    bench
}

fn names(page: &Value) -> Vec<&str> {
    let repositories = page["repositories"].as_array().unwrap();
    repositories.iter().map(|repo| repo["repository"]["full_name"].as_str().unwrap()).collect()
}

fn link(reply: &Reply, rel: &str) -> Option<String> {
    let links = reply.header("link").split(", ");
    let found = links.filter_map(|link| link.split_once("; "));
    found
        .filter(|(_, kind)| *kind == format!("rel=\"{rel}\""))
        .map(|(path, _)| path.trim_matches(['<', '>']).to_owned())
        .next()
}

#[tokio::test]
async fn a_page_holds_the_payloads_as_they_are_by_name() {
    let bench = five().await;
    let reply = bench.get(PATH).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    let page = reply.json();
    assert_eq!(names(&page), ["Octo/Alpha", "Octo/bravo", "Octo/charlie", "Octo/delta", "Octo/echo"]);
    assert_eq!(page["repositories"][0], bench.get("/v1/repos/octo/alpha").await.json());
    assert_eq!(page["freshness"], json!({"as_of": just_now().to_string(), "complete": true, "missing": []}));
    assert_eq!(reply.header("link"), "", "there is one page");
    assert_eq!(reply.header("tallyhook-complete"), "true");
    assert_eq!(reply.header("tallyhook-as-of"), just_now().to_string());
    assert_eq!(reply.header("tallyhook-checked-at"), "2026-11-21T10:00:00Z");
}

#[tokio::test]
async fn following_next_gives_every_repository_once() {
    let bench = five().await;
    let mut path = Some(format!("{PATH}?per_page=2"));
    let mut seen = Vec::new();
    let mut pages = 0;
    while let Some(at) = path {
        let reply = bench.get(&at).await;
        assert_eq!(reply.status, 200, "{at}");
        seen.extend(names(&reply.json()).into_iter().map(str::to_owned));
        path = link(&reply, "next");
        pages += 1;
        assert_eq!(link(&reply, "first").is_some(), pages > 1);
        assert_eq!(link(&reply, "prev").is_some(), pages > 1);
        assert_eq!(link(&reply, "last").is_some(), pages < 3);
    }
    assert_eq!(seen, ["Octo/Alpha", "Octo/bravo", "Octo/charlie", "Octo/delta", "Octo/echo"]);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_page_beyond_the_end_is_empty_and_leads_back() {
    let bench = five().await;
    let reply = bench.get(&format!("{PATH}?page=9&per_page=2")).await;
    assert_eq!(reply.json()["repositories"], json!([]));
    assert_eq!(link(&reply, "prev").unwrap(), "/v1/accounts/Octo/repos?page=3&per_page=2");
    assert_eq!(link(&reply, "next"), None);
}

#[tokio::test]
async fn numbers_that_cannot_be_read_are_refused() {
    let bench = five().await;
    for query in ["page=0", "page=-1", "page=one", "per_page=0", "per_page=x", "page=", "page=1e3"] {
        bench.get(&format!("{PATH}?{query}")).await.problem(400, "bad-request");
    }
    assert_eq!(bench.get(&format!("{PATH}?per_page=1000")).await.status, 200);
}

#[tokio::test]
async fn an_account_without_repositories_has_an_empty_page() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[]).await;
    let reply = bench.get(PATH).await;
    assert_eq!(
        reply.json(),
        json!({"repositories": [], "freshness": {"as_of": null, "complete": true, "missing": []}})
    );
    assert_eq!(reply.header("tallyhook-as-of"), "");
    assert_eq!(reply.header("tallyhook-complete"), "true");
}

#[tokio::test]
async fn a_page_moves_with_any_of_its_parts_and_with_no_other() {
    let bench = five().await;
    let first = format!("{PATH}?per_page=2");
    let second = format!("{PATH}?per_page=2&page=2");
    let before = (bench.get(&first).await, bench.get(&second).await);
    assert_eq!(bench.get_with(&first, &[("if-none-match", before.0.header("etag"))]).await.status, 304);

    OCTO.commit(&bench, 1, 11).await;
    let after = (bench.get(&first).await, bench.get(&second).await);
    assert_eq!(after.0.json()["repositories"][0]["counts"]["commits"], 11);
    assert_ne!(after.0.header("etag"), before.0.header("etag"));
    assert_ne!(after.0.header("tallyhook-position"), before.0.header("tallyhook-position"));
    assert_eq!(after.1.header("etag"), before.1.header("etag"), "the other page is as it was");
    assert_eq!(bench.get_with(&first, &[("if-none-match", before.0.header("etag"))]).await.status, 200);

    OCTO.hide(&bench, 1).await;
    assert_eq!(names(&bench.get(&first).await.json()), ["Octo/bravo", "Octo/charlie"]);
}

#[tokio::test]
async fn what_is_missing_on_a_page_is_named_and_nothing_of_other_pages() {
    let bench = five().await;
    let refused = Event::Refused { about: NeedKey::Languages(RepoId::github(2)), status: 501 };
    bench.answer(OCTO.stream(), vec![refused]).await;
    let first = bench.get(&format!("{PATH}?per_page=2")).await;
    assert_eq!(
        first.json()["freshness"],
        json!({"as_of": just_now().to_string(), "complete": false,
            "missing": [{"field": "languages", "repository": "Octo/bravo", "reason": "refused"}]})
    );
    assert_eq!(first.header("tallyhook-complete"), "false");
    let second = bench.get(&format!("{PATH}?per_page=2&page=2")).await;
    assert_eq!(second.json()["freshness"]["complete"], true);
    assert_eq!(second.header("tallyhook-complete"), "true");

    bench.deliver(OCTO.stream(), vec![Event::RepositoriesAdded]).await;
    let second = bench.get(&format!("{PATH}?per_page=2&page=2")).await;
    assert_eq!(
        second.json()["freshness"]["missing"],
        json!([{"field": "repositories", "reason": "recounting"}]),
        "the list itself is in doubt, so every page is"
    );
    assert_eq!(second.header("tallyhook-complete"), "false");
}

#[tokio::test]
async fn a_delivery_that_could_not_be_read_may_be_about_any_repository() {
    let bench = five().await;
    bench.deliver(OCTO.stream(), vec![Event::Unclear(NeedKey::Everything)]).await;
    let page = bench.get(PATH).await.json();
    let missing = page["freshness"]["missing"].as_array().unwrap();
    assert_eq!(missing[0], json!({"field": "account", "reason": "unreadable"}));
    let names = ["Alpha", "bravo", "charlie", "delta", "echo"];
    let of_each = names.map(
        |name| json!({"field": "repository", "repository": format!("Octo/{name}"), "reason": "unreadable"}),
    );
    assert_eq!(missing[1..], of_each);
}

#[tokio::test]
async fn missing_parts_are_named_a_hundred_at_most() {
    let bench = Bench::new(patient()).await;
    let mut events = OCTO.listed(TrackedBy::Person);
    for number in 1..=60 {
        let name: &'static str = Box::leak(format!("r{number}").into_boxed_str());
        events.push(Event::Repository(Box::new(OCTO.repository(number, name))));
    }
    bench.answer(OCTO.stream(), events).await;
    let page = bench.get(&format!("{PATH}?per_page=100")).await.json();
    assert_eq!(page["repositories"].as_array().unwrap().len(), 60);
    assert_eq!(page["freshness"]["missing"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn links_count_what_there_is_now() {
    let bench = five().await;
    let first = format!("{PATH}?per_page=2");
    let to = |page: usize| Some(format!("{PATH}?page={page}&per_page=2").replace("octo", "Octo"));
    assert_eq!(link(&bench.get(&first).await, "last"), to(3));
    OCTO.hide(&bench, 5).await;
    assert_eq!(link(&bench.get(&first).await, "last"), to(2));
    bench.answer(OCTO.stream(), OCTO.everything_about(6, "foxtrot", 1)).await;
    assert_eq!(link(&bench.get(&first).await, "last"), to(3));
}

#[tokio::test]
async fn a_page_is_checked_when_the_list_is_checked_too() {
    let bench = five().await;
    bench.pass(Duration::from_secs(60));
    let repositories = FIVE.iter().flat_map(|(number, name)| OCTO.everything_about(*number, name, 10));
    bench.answer(OCTO.stream(), repositories.collect()).await;
    let before = bench.get(PATH).await;
    assert_eq!(
        before.header("tallyhook-checked-at"),
        "2026-11-21T10:00:00Z",
        "the list was not checked again"
    );
    bench.answer(OCTO.stream(), OCTO.listed(TrackedBy::Person)).await;
    let after = bench.get(PATH).await;
    assert_eq!(after.header("tallyhook-checked-at"), "2026-11-21T10:01:00Z");
    assert_eq!(after.header("etag"), before.header("etag"));
}
