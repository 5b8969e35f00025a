//! Why numbers are what they are: each told by the deliveries and questions that made it, also after a kill -9.

use std::collections::BTreeSet;

use fake_github::{NewCommits, NewRepository};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{
    explained::explained, forge::Forge, process::Setup, reader::Reader, seconds, truth::until_true,
};

const WITHIN: std::time::Duration = seconds(90);

/// The steps of one number.
async fn steps(reader: &Reader, path: &str, field: &str) -> Vec<Value> {
    let told = reader.get(&format!("{path}/explain?field={field}")).await.ok().json();
    told["fields"][0]["steps"].as_array().unwrap().clone()
}

/// What a step says in short.
fn brief(step: &Value) -> String {
    let text = |name: &str| step[name].as_str().unwrap_or("-").to_owned();
    let number = |name: &str| step[name].as_u64().map_or("-".to_owned(), |number| number.to_string());
    let what = if step["by"] == "delivery" { text("event") } else { text("request") };
    format!("{} {what} {} to {} {}", text("by"), number("before"), number("after"), text("doubt"))
}

async fn assert_all_explained(forge: &Forge, reader: &Reader) {
    let found = explained(forge, reader).await;
    assert!(found.wrong.is_empty(), "{:#?}", found.wrong);
    assert!(found.unrecorded.is_empty(), "{:#?}", found.unrecorded);
    assert!(found.steps > 20, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_told_by_what_made_it() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(121, 2).await;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, WITHIN).await;
    assert_all_explained(&forge, &reader).await;
    forge.hook(&service);
    forge.fake.settle().await;

    let id = forge.open_repository(0).id;
    let quiet = async || {
        forge.fake.settle().await;
        until_true(&forge, &service.reader(), WITHIN).await;
    };
    quiet().await;
    let before = forge.truth(id);
    let path = format!("/v1/repos/{}", before.full_name);
    forge.next_second().await;
    forge.push(id, 2);
    quiet().await;
    let told = steps(&reader, &path, "counts.commits").await;
    assert_eq!(told[0]["request"], "commits", "it began with a question: {told:#?}");
    let push = told.last().unwrap();
    assert_eq!(brief(push), format!("delivery push {} to {} -", before.commits, before.commits + 2));
    let sent = forge.fake.deliveries();
    let sent: BTreeSet<&str> = sent.iter().map(|delivery| delivery.guid.as_str()).collect();
    assert!(sent.contains(push["delivery"].as_str().unwrap()), "{push}");

    // One that is forced leaves the number open until it is asked.
    forge.next_second().await;
    let forced = NewCommits { back: 1, count: 3 };
    forge.fake.world(|world| world.push(id, &before.default_branch, forced, before.owner)).unwrap();
    quiet().await;
    let told = steps(&reader, &path, "counts.commits").await;
    let last: Vec<String> = told[told.len() - 2..].iter().map(brief).collect();
    let count = before.commits + 2;
    assert_eq!(
        last,
        [
            format!("delivery push {count} to {count} raised"),
            format!("request commits {count} to {} settled", count + 2)
        ]
    );

    forge.next_second().await;
    let (fan, number) = forge.fake.world(|world| {
        let fan = world.create_user("fan").unwrap();
        world.star(id, fan).unwrap();
        let fork = world.fork(id, fan).unwrap();
        let branch = world.truth(fork).unwrap().default_branch;
        world.push_commits(fork, &branch, 1).unwrap();
        let number = world.open_pull(id, (fork, &branch), &branch, "please", fan).unwrap();
        (fan, number)
    });
    quiet().await;
    // Which of the deliveries is first to tell of a fork is chance.
    for (field, count) in [
        ("counts.stars", before.stars + 1),
        ("counts.forks", before.forks + 1),
        ("counts.pull_requests.open", before.pulls.open + 1),
    ] {
        let told = steps(&reader, &path, field).await;
        let told: Vec<String> = told.iter().map(brief).collect();
        let (from, to) = (count - 1, count);
        let is_told =
            |step: &String| step.starts_with("delivery ") && step.contains(&format!(" {from} to {to} "));
        assert!(told.iter().any(is_told), "{field}: {told:#?}");
    }
    forge.next_second().await;
    forge.fake.world(|world| world.close_pull(id, number, fan)).unwrap();
    quiet().await;
    let closed = steps(&reader, &path, "counts.pull_requests.closed").await;
    assert!(brief(closed.last().unwrap()).starts_with("delivery pull_request "), "{closed:#?}");

    // Many more than are kept.
    for _ in 0..20 {
        forge.next_second().await;
        forge.push(id, 1);
    }
    quiet().await;
    assert_all_explained(&forge, &reader).await;
    let told = reader.get(&format!("{path}/explain?field=counts.commits")).await.ok().json();
    let field = &told["fields"][0];
    assert_eq!((&field["base"]["reason"], field["steps"].as_array().unwrap().len()), (&"older".into(), 16));

    // What is pushed while it is private is told to nobody.
    let other = forge.fake.world(|world| {
        let id = world.create_repository(forge.owners[1], NewRepository::public("now-and-then")).unwrap();
        world.push_commits(id, "main", 3).unwrap();
        world.truth(id).unwrap()
    });
    quiet().await;
    let other_path = format!("/v1/repos/{}", other.full_name);
    forge.next_second().await;
    forge.fake.world(|world| world.privatize_repository(other.id)).unwrap();
    forge.next_second().await;
    forge.push(other.id, 1);
    forge.fake.settle().await;
    let sent = forge.fake.deliveries();
    let secret = sent.iter().rev().find(|delivery| delivery.event == "push").unwrap().guid.clone();
    reader.get(&format!("/v1/deliveries/{secret}?wait_for={secret}&timeout=30s")).await.ok();
    reader.get(&format!("{other_path}/explain")).await.refused(404);
    forge.next_second().await;
    forge.fake.world(|world| world.publicize_repository(other.id)).unwrap();
    quiet().await;
    let all = reader.get(&format!("{other_path}/explain")).await.ok().text();
    assert!(!all.contains(&secret), "{all}");
    assert_all_explained(&forge, &reader).await;

    // Neither a crash nor a fold of the whole log changes a word.
    service.kill().await;
    let service = setup.serve().await;
    service.ready().await;
    let after = service.reader().get(&format!("{path}/explain?field=counts.commits")).await.ok().json();
    assert_eq!(after["fields"], told["fields"]);
    service.kill().await;
    std::fs::remove_file(setup.data().join("state.redb")).unwrap();
    let service = setup.serve().await;
    service.ready().await;
    let after = service.reader().get(&format!("{path}/explain?field=counts.commits")).await.ok().json();
    assert_eq!(after["fields"], told["fields"]);
    until_true(&forge, &service.reader(), WITHIN).await;
    assert_all_explained(&forge, &service.reader()).await;
}
