//! GitHub without a token: sixty requests an hour. The most important numbers come first, nobody is asked in
//! vain, and it goes on when the next hour begins.

use std::time::Duration;

use fake_github::{Clock, FakeConfig, NewRepository, faults::RequestFault};
use tempfile::TempDir;

use super::support::{
    forge::Forge,
    process::Setup,
    reader::{Reader, http_client},
    seconds,
    truth::until_true,
    until,
};

const WITHIN: Duration = seconds(60);
const HOURLY: usize = 60;
/// More than two hours' requests.
const REPOSITORIES: usize = 22;
/// So long before its end an hour is used up.
const REST_SECONDS: i64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_requests_an_hour_bring_the_most_important_numbers_first() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::scripted(Clock::Real.now());
    let config = FakeConfig { seed: 101, clock: clock.clone(), ..FakeConfig::default() };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        for number in 0..REPOSITORIES {
            let repo =
                world.create_repository(ada, NewRepository::public(format!("part-{number:02}"))).unwrap();
            world.push_commits(repo, "main", number + 1).unwrap();
            world.set_languages(repo, &[("Ada", 100)]).unwrap();
        }
        vec![ada]
    });
    clock.advance_ms(60_000);
    // Slow enough that the clock can be set while an hour's requests are being used.
    forge.fake.faults().on_requests("*", RequestFault::Slow(Duration::from_millis(30)), None);
    let counted = || forge.fake.requests().iter().filter(|request| request.counted).count();
    // An hour begins with its first request, which costs nothing.
    let limit = http_client().get(format!("{}/rate_limit", forge.fake.url())).header("user-agent", "whole");
    assert_eq!(limit.send().await.unwrap().status(), 200);
    clock.advance_ms((3600 - REST_SECONDS) * 1000);

    let setup = Setup::of(folder.path(), &forge)
        .without("GITHUB_TOKEN")
        .with("GITHUB_CONCURRENCY", "1")
        .with("REPAIR_SHARE", "off")
        .with("TRACK", "ada")
        .with("SHUTDOWN_TIMEOUT", "2s");
    let service = setup.serve().await;
    let reader = service.reader();
    let mut hours = 0;
    loop {
        hours += 1;
        let used_up = hours * HOURLY;
        let is_done = until(WITHIN, "an hour's requests, or the end", async || {
            let is_complete = reader.get("/v1/accounts/ada").await.is_complete();
            if is_complete || counted() >= used_up { Ok(is_complete) } else { Err(counted()) }
        })
        .await;
        if is_done {
            break;
        }
        if hours == 1 {
            assert_first_things_first(&forge, &reader).await;
            // Readers do not make it ask: an unknown login waits, is told so, and costs nothing.
            let unknown = reader.get("/v1/accounts/grace").await;
            unknown.refused(503);
        }
        let in_vain = forge.fake.requests().iter().filter(|request| request.status == Some(403)).count();
        assert!(in_vain <= hours, "asked in vain {in_vain} times in {hours} hours");
        clock.advance_ms((REST_SECONDS + 1) * 1000);
        // The next hour begins with its first request.
        until(WITHIN, "the next hour", async || {
            let counted = counted();
            if counted > used_up { Ok(()) } else { Err(counted) }
        })
        .await;
        clock.advance_ms((3600 - REST_SECONDS) * 1000);
    }
    assert_eq!(hours, 3, "{} requests", counted());
    until_true(&forge, &reader, WITHIN).await;
}

/// After the first hour: all names, some commit counts, nothing else; and nothing that pretends to be more.
async fn assert_first_things_first(forge: &Forge, reader: &Reader) {
    let answer = reader.get("/githubPayload?user=ada").await.ok();
    assert!(!answer.is_complete());
    let payload = answer.json();
    assert_eq!(payload["user"]["githubHandle"], "ada");
    let truth = &forge.truths()[0];
    let repositories = payload["user"]["repositories"].as_array().unwrap();
    assert_eq!(repositories.len(), REPOSITORIES, "all names");
    let mut known = 0;
    for (shown, truth) in repositories.iter().zip(&truth.repositories) {
        assert_eq!(shown["name"], truth.name.as_str());
        assert!(shown["commitCount"].is_null() || shown["commitCount"] == truth.commits, "{shown}");
        known += usize::from(!shown["commitCount"].is_null());
    }
    assert!((REPOSITORIES / 2..REPOSITORIES).contains(&known), "{known} commit counts are known");
    let others = forge.fake.requests();
    let others = others
        .iter()
        .filter(|request| request.path.contains("/pulls") || request.path.ends_with("/languages"));
    assert_eq!(others.count(), 0, "commits come before pull requests and languages");

    let account = reader.get("/v1/accounts/ada").await.ok().json();
    assert_eq!(account["account"]["login"], "ada");
    assert_eq!(account["totals"]["repositories"]["original"], REPOSITORIES);
    assert_eq!(account["freshness"]["complete"], false);
    let missing = account["freshness"]["missing"].as_array().unwrap();
    let has = |field: &str| missing.iter().any(|gap| gap["field"] == field && gap["reason"] == "loading");
    assert!(has("counts.commits") && has("languages") && has("counts.pull_requests"), "{missing:?}");
}
