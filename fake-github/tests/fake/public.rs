//! All public repositories by id, as GitHub lists them.

use crate::client::Api;
use fake_github::{FakeConfig, FakeGithub, RepoId, faults::RequestFault};
use serde_json::Value;

const COUNT: usize = 250;

async fn crowded() -> (FakeGithub, Api, Vec<RepoId>) {
    let fake =
        FakeGithub::start(FakeConfig { limit_anonymous: 10_000, ..FakeConfig::default() }).await.unwrap();
    let made = fake.world(|world| {
        let owners = ["ada", "grace", "joan"].map(|login| world.create_user(login).unwrap());
        world.create_crowd(&owners, COUNT).unwrap()
    });
    let api = Api::new(fake.url());
    (fake, api, made)
}

fn ids(page: &Value) -> Vec<u64> {
    page.as_array().unwrap().iter().map(|repo| repo["id"].as_u64().unwrap()).collect()
}

/// Follows `next` from an address to the end.
async fn follow(api: &Api, from: &str) -> (usize, Vec<u64>) {
    let (mut next, mut pages, mut all) = (Some(from.to_owned()), 0, Vec::new());
    while let Some(url) = next {
        let answer = api.get(&url).await;
        pages += 1;
        all.extend(ids(&answer.json()));
        next = answer.link("next");
    }
    (pages, all)
}

#[tokio::test]
async fn pages_lead_through_all_public_repositories_by_rising_id() {
    let (fake, api, made) = crowded().await;
    let expected: Vec<u64> = made.iter().map(|id| id.0).collect();
    assert_eq!(follow(&api, "/repositories?since=0").await, (3, expected.clone()));
    assert_eq!(
        follow(&api, &format!("/repositories?since={}", expected[239])).await,
        (1, expected[240..].to_vec())
    );
    assert_eq!(ids(&api.get(&format!("/repositories?since={}", expected[249])).await.json()), [0; 0]);
    assert!(fake.deliveries().is_empty());
    let page = api.get("/repositories").await.json();
    let one = &page[0];
    assert!(one["languages_url"].is_string() && one["owner"]["login"].is_string());
    assert!(one.get("size").is_none() && one.get("license").is_none(), "a list tells no numbers");
}

#[tokio::test]
async fn what_vanished_or_went_private_is_left_out_and_what_was_taken_down_is_listed() {
    let (fake, api, made) = crowded().await;
    fake.world(|world| {
        world.delete_repository(made[1]).unwrap();
        world.privatize_repository(made[2]).unwrap();
        world.block_repository(made[3], true).unwrap();
    });
    let (_, all) = follow(&api, "/repositories").await;
    assert_eq!(all.len(), COUNT - 2);
    assert_eq!(all[..3], [made[0].0, made[3].0, made[4].0]);
    for (id, status) in [(made[1], 404), (made[2], 404), (made[3], 451), (made[4], 200)] {
        assert_eq!(api.get(&format!("/repositories/{id}")).await.status, status);
    }
}

#[tokio::test]
async fn a_list_can_lead_in_a_circle_or_away() {
    let (fake, api, _) = crowded().await;
    let elsewhere = "127.0.0.1:9".parse().unwrap();
    for (fault, next) in [
        (RequestFault::NextLoops, format!("{}/repositories?since=7", fake.url())),
        (RequestFault::NextAt(elsewhere), "http://127.0.0.1:9/repositories?since=7".to_owned()),
    ] {
        fake.faults().on_requests("/repositories", fault, Some(1));
        assert_eq!(api.get("/repositories?since=7").await.link("next"), Some(next));
    }
    fake.faults().on_requests("/repositories", RequestFault::Redirect(elsewhere), Some(1));
    let moved = api.get("/repositories?since=7").await;
    assert_eq!((moved.status, moved.header("location")), (301, "http://127.0.0.1:9/repositories?since=7"));
    fake.faults().on_requests("/repositories", RequestFault::Nonsense, Some(1));
    let nonsense = api.get("/repositories?since=7").await;
    assert!(nonsense.status == 200 && nonsense.json().is_object());
}
