//! Gists, listed by what changed, and the texts of their files.

use fake_github::{Clock, FakeConfig, FakeGithub, NewGist, Second};
use serde_json::Value;

use crate::client::Api;

fn ids(page: &Value) -> Vec<&str> {
    page.as_array().unwrap().iter().map(|gist| gist["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_shows_public_gists_with_files_whose_texts_can_be_read() {
    let fake = FakeGithub::start(FakeConfig::default()).await.unwrap();
    let id = fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        let secret = NewGist { public: false, ..NewGist::public(&[("hush.txt", "hush")]) };
        world.create_gist(ada, secret).unwrap();
        world.create_gist(ada, NewGist::public(&[("a b.rs", "fn main() {}\n"), ("z", "é")])).unwrap()
    });
    let api = Api::new(fake.url());
    let page = api.get("/users/ADA/gists").await.json();
    assert_eq!(ids(&page), [id.as_str()]);
    assert_eq!(page[0]["owner"]["login"], "ada");
    let files = page[0]["files"].as_object().unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a b.rs", "z"]);
    assert_eq!((&files["z"]["size"], &files["a b.rs"]["language"]), (&2.into(), &"Rust".into()));
    let raw = files["a b.rs"]["raw_url"].as_str().unwrap();
    assert_eq!(api.get(raw).await.body, "fn main() {}\n");
    assert_eq!(api.get("/users/ada").await.json()["public_gists"], 1);

    fake.world(|world| world.edit_gist(&id, &[("z", "other")]).unwrap());
    assert_eq!(api.get(raw).await.body, "fn main() {}\n", "a version stays what it was");
    let now = api.get("/users/ada/gists").await.json();
    assert_ne!(now[0]["files"]["z"]["raw_url"], files["z"]["raw_url"]);
    fake.world(|world| world.delete_gist(&id).unwrap());
    assert_eq!(api.get("/users/ada/gists").await.json(), serde_json::json!([]));
    assert_eq!(api.get(raw).await.status, 404);
    assert_eq!(api.get("/users/nobody/gists").await.status, 404);
}

#[tokio::test]
async fn since_filters_by_the_last_change_and_pages_lead_through_all() {
    let clock = Clock::scripted(Second(1_700_000_000));
    let fake = FakeGithub::start(FakeConfig { clock: clock.clone(), ..FakeConfig::default() }).await.unwrap();
    let ada = fake.world(|world| world.create_user("ada").unwrap());
    let mut made = Vec::new();
    for _ in 0..3 {
        let new = NewGist::public(&[("x", "x")]);
        made.push(fake.world(|world| world.create_gist(ada, new).unwrap()));
        clock.advance_ms(10_000);
    }
    fake.world(|world| world.edit_gist(&made[0], &[("y", "y")]).unwrap());
    let api = Api::new(fake.url());
    let since = |second: &str| format!("/users/ada/gists?since=2023-11-14T22%3A13%3A{second}Z");
    let (one, two, three) = (made[0].as_str(), made[1].as_str(), made[2].as_str());
    assert_eq!(ids(&api.get(&since("30")).await.json()), [three, two, one]);
    assert_eq!(ids(&api.get(&since("41")).await.json()), [one], "the others are of :30 and :40");
    assert_eq!(ids(&api.get(&since("51")).await.json()), [""; 0]);
    let first = api.get("/users/ada/gists?per_page=2").await;
    assert_eq!(ids(&first.json()), [three, two]);
    let second = api.get(&first.link("next").unwrap()).await;
    assert_eq!(ids(&second.json()), [one]);
    assert_eq!(second.link("next"), None);
}
