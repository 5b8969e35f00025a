//! Starting again: what is known is served from disk and marked until GitHub confirmed it, whether GitHub is there
//! or not, and what arrives meanwhile counts.

use fake_github::{FakeConfig, NewRepository, faults::RequestFault};
use serde_json::Value;
use testkit::expected;

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        seconds,
        sender::Sender,
        truth::{differing, same_floats, until_true},
        until,
    },
};

const WITHIN: std::time::Duration = seconds(60);

/// A forge that is down is tried again after five seconds at the latest.
const PROBED_WITHIN: std::time::Duration = seconds(60);

#[tokio::test(flavor = "multi_thread")]
async fn known_numbers_outlive_a_restart_and_a_forge_that_is_away() {
    for (round, away) in [RequestFault::ServerError(503), RequestFault::Reset].into_iter().enumerate() {
        let Some(ground) = Ground::new("restarts").await else { return };
        let forge = Forge::with_past(91 + round as u64, 2).await;
        let repo = forge.open_repository(0).id;
        let setup = ground.setup(&forge).await.with("TRACK", &forge.track());
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        let paths = paths(&forge);
        let mut before = Vec::new();
        for path in &paths {
            before.push(service.reader().get(path).await.ok());
        }
        if round == 0 {
            service.terminate().await.done();
        } else {
            service.kill().await;
        }

        forge.fake.faults().on_requests("*", away, None);
        forge.fake.forget_requests();
        let service = setup.serve().await;
        service.ready().await;
        let reader = service.reader();
        for (path, before) in paths.iter().zip(&before) {
            let after = reader.get(path).await.ok();
            assert_eq!(after.text(), before.text(), "{path}: no number is lost");
            assert_eq!(after.header("tallyhook-complete"), Some("false"), "{path}: nobody confirmed it");
            for name in ["etag", "tallyhook-as-of"] {
                assert_eq!(after.header(name), before.header(name), "{path} {name}");
            }
            let etag = before.header("etag").unwrap();
            assert_eq!(reader.get_with(path, &[("if-none-match", etag)]).await.status, 304, "{path}");
        }

        // What arrives meanwhile counts.
        let sender = Sender::new();
        for _ in 0..3 {
            sender.accepted(service.api, &forge.untold_push(repo)).await;
        }
        let truth = forge.truth(repo);
        let path = format!("/v1/repos/{}", truth.full_name);
        until(WITHIN, "the pushes", async || {
            let answer = reader.get(&path).await.ok();
            let is_shown = answer.json()["counts"]["commits"] == truth.commits
                // Several in one of GitHub's seconds leave it open, and nobody can be asked.
                || answer.text().contains(r#"{"field":"counts.commits""#);
            if is_shown && !answer.is_complete() { Ok(()) } else { Err((truth.commits, answer)) }
        })
        .await;
        until(WITHIN, "a question to a forge that is away", async || {
            let requests = forge.fake.requests().len();
            assert!(requests < 200, "{requests} questions to a forge that is away");
            if requests > 0 { Ok(()) } else { Err(()) }
        })
        .await;

        forge.fake.faults().stop();
        until_true(&forge, &reader, PROBED_WITHIN).await;
    }
}

/// Everything that is shown of the owners.
fn paths(forge: &Forge) -> Vec<String> {
    let mut paths = Vec::new();
    for account in forge.truths() {
        paths.push(format!("/githubPayload?user={}", account.login));
        paths.push(format!("/v1/accounts/{}", account.login));
        paths.push(format!("/v1/accounts/{}/repos", account.login));
        paths.extend(account.repositories.iter().map(|truth| format!("/v1/repos/{}", truth.full_name)));
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_nobody_listened_is_found_after_the_start() {
    let Some(ground) = Ground::new("restarts").await else { return };
    let forge = Forge::with_past(93, 2).await;
    let repo = forge.open_repository(0);
    let setup = ground.setup(&forge).await.with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    service.terminate().await.done();

    forge.push(repo.id, 4);
    forge.fake.world(|world| {
        world.set_followers(forge.owners[1], 99).unwrap();
        world.set_languages(repo.id, &[("Ada", 1)]).unwrap();
        let new = world.create_repository(forge.owners[0], NewRepository::public("meanwhile")).unwrap();
        world.push_commits(new, "main", 2).unwrap();
    });
    // One answer at a time: there is a while in which part of it is confirmed.
    forge.fake.faults().on_requests("*", RequestFault::Slow(std::time::Duration::from_millis(20)), None);
    let service = setup.serve().await;
    let reader = service.reader();
    let path = format!("/v1/accounts/{}", forge.logins()[0]);
    let first = reader.get(&path).await.ok();
    assert!(!first.is_complete(), "{first:?}");
    // Nothing happens any more: whatever calls itself complete must be true.
    let truths = truths(&forge);
    until(WITHIN, "every answer to be confirmed", async || {
        let mut open = Vec::new();
        for (path, truth) in &truths {
            let answer = reader.get(path).await;
            if answer.status != 200 || !answer.is_complete() {
                open.push(path);
                continue;
            }
            let mut found = Vec::new();
            differing(path, &expected::without_freshness(answer.json()), &same_floats(truth), &mut found);
            assert!(found.is_empty(), "complete and wrong: {found:#?}");
        }
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
    until_true(&forge, &reader, WITHIN).await;
}

/// What must be shown under each path.
fn truths(forge: &Forge) -> Vec<(String, Value)> {
    let mut truths = Vec::new();
    for account in forge.truths() {
        truths.push((format!("/githubPayload?user={}", account.login), expected::github_payload(&account)));
        truths.push((format!("/v1/accounts/{}", account.login), expected::account(&account)));
        truths.extend(account.repositories.iter().filter_map(|truth| {
            Some((format!("/v1/repos/{}", truth.full_name), expected::repository(truth)?))
        }));
    }
    truths
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_that_was_interrupted_goes_on() {
    const REPOSITORIES: usize = 60;
    let Some(ground) = Ground::new("restarts").await else { return };
    let config = FakeConfig { seed: 94, limit_authorised: 1_000_000, ..FakeConfig::default() };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let many = world.create_user("many").unwrap();
        for number in 0..REPOSITORIES {
            let repo =
                world.create_repository(many, NewRepository::public(format!("part-{number}"))).unwrap();
            world.push_commits(repo, "main", number % 7 + 1).unwrap();
        }
        world.accept_token(TOKEN, many);
        vec![many]
    });
    // In REST, where each repository is a part of its own.
    forge.fake.faults().on_requests("/graphql", RequestFault::Refuse(404), None);
    forge.fake.faults().on_requests("*", RequestFault::Slow(std::time::Duration::from_millis(10)), None);
    let counted = || {
        let requests = forge.fake.requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with("/commits") && request.status == Some(200))
            .count()
    };
    let setup = ground.setup(&forge).await.with("TRACK", "many");
    for interruption in 1..=3 {
        let service = setup.serve().await;
        until(WITHIN, "a part of the load", async || {
            let counted = counted();
            if counted >= interruption * REPOSITORIES / 4 { Ok(()) } else { Err(counted) }
        })
        .await;
        service.kill().await;
    }
    let service = setup.serve().await;
    let reader = service.reader();
    until(WITHIN, "numbers of an account that is half loaded", async || {
        let answer = reader.get("/v1/accounts/many").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    until_true(&forge, &reader, WITHIN).await;
    // What was on its way when it was killed is asked again, and nothing else: a count at a commit is for ever.
    let counted = counted();
    assert!(counted <= REPOSITORIES + 3 * 16, "{counted} counts for {REPOSITORIES} repositories");
}
