//! A budget that is too small for a load: what is kept of it repairs what is shown meanwhile, and another token adds
//! its own.

use std::time::Duration;

use fake_github::{Clock, FakeConfig, NewRepository, RepoId, faults::RequestFault};
use serde_json::Value;
use tempfile::TempDir;

use super::support::{
    forge::{Forge, TOKEN},
    process::{Service, Setup},
    reader::Reader,
    seconds,
    sender::Sender,
    truth::until_true,
    until,
};

const WITHIN: Duration = seconds(60);
const HOURLY: u64 = 200;
/// In REST five requests each: more than an hour's.
const REPOSITORIES: usize = 60;

/// An account that is too large for an hour, in a world whose clock stands.
async fn crowded(seed: u64, hourly: u64) -> Forge {
    let clock = Clock::scripted(Clock::Real.now());
    let config = FakeConfig { seed, clock, limit_authorised: hourly, ..FakeConfig::default() };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        world.accept_token(TOKEN, ada);
        for number in 0..REPOSITORIES {
            let repo =
                world.create_repository(ada, NewRepository::public(format!("part-{number:02}"))).unwrap();
            world.push_commits(repo, "main", 2).unwrap();
        }
        vec![ada]
    });
    forge.fake.faults().on_requests("/graphql", RequestFault::Refuse(404), None);
    forge
}

/// The only limit of REST's that a process tells of.
async fn core(reader: &Reader) -> Value {
    let status = reader.get("/v1/status").await.ok().json();
    let limits = status["forges"][0]["limits"].as_array().unwrap().clone();
    limits.into_iter().find(|limit| limit["resource"] == "core").unwrap_or(Value::Null)
}

async fn serve(folder: &TempDir, forge: &Forge, tokens: &str) -> Service {
    let setup = Setup::of(folder.path(), forge).with("GITHUB_TOKEN", tokens);
    setup.with("TRACK", "ada").with("RECONCILE", "off").serve().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_uses_up_its_hour_leaves_repair_its_share() {
    let folder = TempDir::new().unwrap();
    let forge = crowded(221, HOURLY).await;
    let service = serve(&folder, &forge, TOKEN).await;
    let reader = service.reader();
    let kept = HOURLY / 5;
    until(WITHIN, "a load that may spend no more", async || {
        let core = core(&reader).await;
        // What was in flight when the share was reached counts too.
        if core["remaining"].as_u64().is_some_and(|remaining| remaining <= kept) { Ok(()) } else { Err(core) }
    })
    .await;

    // A repository of which the commits are known already: a push that was told late leaves a doubt.
    let path = |name: &str| format!("/v1/repos/ada/{name}");
    let mut known: Option<(RepoId, String)> = None;
    for truth in forge.repositories() {
        let payload = reader.get(&path(&truth.name)).await.ok().json();
        if payload["counts"]["commits"].is_u64() {
            known = Some((truth.id, truth.name.clone()));
            break;
        }
    }
    let (repo, name) = known.expect("commits come first");
    forge.untold_push(repo);
    let late = forge.untold_push(repo);
    Sender::new().accepted(service.api, &late).await;
    until(WITHIN, "a repaired number", async || {
        let payload = reader.get(&path(&name)).await.ok().json();
        if payload["counts"]["commits"] == 4 { Ok(()) } else { Err(payload) }
    })
    .await;
    let core = core(&reader).await;
    assert!(core["remaining"].as_u64().unwrap() < kept, "{core}");
    assert!(core["spent"]["repair"].as_u64().unwrap() > 0, "{core}");
    let loaded = core["spent"]["load"].as_u64().unwrap();
    assert!(loaded + 8 >= HOURLY - kept && loaded <= HOURLY - kept + 8, "{core}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tokens_have_a_limit_each() {
    let folder = TempDir::new().unwrap();
    let forge = crowded(222, 250).await;
    forge.fake.world(|world| {
        let grace = world.create_user("grace").unwrap();
        world.accept_token("another-token", grace);
    });
    let service = serve(&folder, &forge, &format!("{TOKEN}, another-token")).await;
    let reader = service.reader();
    until_true(&forge, &reader, WITHIN).await;
    let status = reader.get("/v1/status").await.ok().json();
    let github = &status["forges"][0];
    assert_eq!(github["tokens"], 2);
    let used: Vec<u64> = github["limits"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|limit| limit["resource"] == "core")
        .map(|limit| 250 - limit["remaining"].as_u64().unwrap())
        .collect();
    assert_eq!(used.len(), 2, "{status}");
    assert!(used.iter().all(|used| *used > 50), "{status}");
    assert!(used.iter().sum::<u64>() > 250, "more than one of them allows: {status}");
}
