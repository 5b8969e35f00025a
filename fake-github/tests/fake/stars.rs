//! Lists of stars, as GitHub shows them.

use crate::client::Api;
use fake_github::{FakeConfig, FakeGithub, NewRepository};

#[tokio::test]
async fn stars_are_listed_from_both_sides_and_a_closed_list_is_refused() {
    let fake = FakeGithub::start(FakeConfig::default()).await.unwrap();
    let (hello, world) = fake.world(|world| {
        let owner = world.create_user("octo").unwrap();
        let fans = ["ada", "grace", "joan"].map(|login| world.create_user(login).unwrap());
        let hello = world.create_repository(owner, NewRepository::public("hello")).unwrap();
        let other = world.create_repository(owner, NewRepository::public("world")).unwrap();
        for fan in fans {
            world.star(hello, fan).unwrap();
        }
        world.star(other, fans[0]).unwrap();
        (hello, other)
    });
    let api = Api::new(fake.url());
    let first = api.get("/repos/octo/hello/stargazers?per_page=2").await;
    let names: Vec<String> = first
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["login"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["ada", "grace"], "oldest first");
    let next = first.link("next").expect("there is another page");
    assert_eq!(api.get(&next).await.json()[0]["login"], "joan");

    let starred = api.get("/users/ada/starred").await.json();
    let ids: Vec<u64> = starred.as_array().unwrap().iter().map(|repo| repo["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [world.0, hello.0], "newest first");

    fake.world(|world| world.close_stargazers(hello, true)).unwrap();
    assert_eq!(api.get("/repos/octo/hello/stargazers").await.status, 403);
    assert_eq!(api.get("/users/ada/starred").await.json().as_array().unwrap().len(), 2);
    fake.world(|world| world.close_stargazers(hello, false)).unwrap();
    assert_eq!(api.get("/repos/octo/hello/stargazers").await.status, 200);
}
