//! Loads in GraphQL: how little they cost, that they show what REST shows, and that nothing is missing where GraphQL
//! fails or is not to be had. A plan is kept to.

use std::time::Duration;

use fake_github::{Clock, FakeConfig, LICENSES, NewCommits, NewRepository, RepoId, faults::RequestFault};
use tempfile::TempDir;

use super::support::{
    forge::{Forge, TOKEN},
    process::{Service, Setup},
    seconds,
    truth::until_true,
    until,
};

const WITHIN: Duration = seconds(120);

/// An account with so many repositories: some with pull requests, one of them with more than a page of them, one
/// empty, one that was archived, one that is a fork's parent.
async fn forge_of(config: FakeConfig, count: usize) -> Forge {
    let clock = Clock::scripted(Clock::Real.now());
    let config = FakeConfig { clock: clock.clone(), limit_authorised: 1_000_000, ..config };
    let mut forge = Forge::empty(config).await;
    forge.owners = forge.fake.world(|world| {
        let ada = world.create_user("ada").unwrap();
        world.accept_token(TOKEN, ada);
        world.set_followers(ada, 42).unwrap();
        for number in 0..count {
            let repo =
                world.create_repository(ada, NewRepository::public(format!("part-{number:03}"))).unwrap();
            if number == 1 {
                continue;
            }
            world.push_commits(repo, "main", 1 + number % 4).unwrap();
            world.set_languages(repo, &[("Ada", 100 + number as u64), ("SPARK", 3)]).unwrap();
            match number % 20 {
                2 => world.archive_repository(repo, true).unwrap(),
                3 => world.set_license(repo, Some(LICENSES[number % LICENSES.len()])).unwrap(),
                4 => world.set_topics(repo, &["zeta", "alpha"]).unwrap(),
                5 => world.describe_repository(repo, Some("\"quoted\" and ü")).unwrap(),
                6 => pulls(world, repo, ada, if number == 6 { 130 } else { 3 }),
                7 => world.set_subscribers(repo, 7).unwrap(),
                _ => {}
            }
        }
        vec![ada]
    });
    // What changed within the last seconds is listed again, because replicas lag.
    clock.advance_ms(60_000);
    forge
}

/// Pull requests one after the other, the last of which stays open.
fn pulls(world: &mut fake_github::World, repo: RepoId, by: fake_github::AccountId, count: usize) {
    world.create_branch(repo, "topic", "main", by).unwrap();
    world.push(repo, "topic", NewCommits { back: 0, count: 1 }, by).unwrap();
    for number in 1..=count {
        let pull = world.open_pull(repo, (repo, "topic"), "main", "more", by).unwrap();
        if number < count {
            world.close_pull(repo, pull, by).unwrap();
        }
    }
}

fn points(forge: &Forge) -> u64 {
    forge.fake.requests().iter().map(|request| request.points).sum()
}

/// Requests in REST.
fn rest(forge: &Forge) -> Vec<String> {
    let requests = forge.fake.requests().into_iter().filter(|request| request.path != "/graphql");
    requests.map(|request| format!("{} {}?{}", request.method, request.path, request.query)).collect()
}

async fn serve(folder: &TempDir, forge: &Forge) -> (Setup, Service) {
    let setup = Setup::of(folder.path(), forge).with("TRACK", "ada").with("RECONCILE", "off");
    let service = setup.serve().await;
    (setup, service)
}

/// The number that stands behind a word in what a plan prints.
fn told(plan: &str, word: &str, place: usize) -> usize {
    let line =
        plan.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("{word}: {plan}"));
    let number = line.split_whitespace().nth(place).unwrap();
    number.parse().unwrap_or_else(|_| panic!("{number}: {plan}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_repositories_cost_forty_points_and_a_plan_is_kept_to() {
    let folder = TempDir::new().unwrap();
    let forge = forge_of(FakeConfig { seed: 201, ..FakeConfig::default() }, 300).await;
    let (setup, service) = serve(&folder, &forge).await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let (points, asked) = (points(&forge), rest(&forge));
    assert!(points <= 40, "{points} points");
    // Who it is, by login and by id; the two pages of the long list; and what GraphQL does not tell of the empty one.
    let lists = asked.iter().filter(|request| request.contains("/pulls?")).count();
    assert_eq!(lists, 2, "{asked:#?}");
    assert!(asked.len() - lists <= 6, "{asked:#?}");

    let calls = setup.talking_to(&service);
    forge.fake.forget_requests();
    let plan = calls.run(&["backfill", "ada", "--plan"]).await.done();
    assert!(forge.fake.requests().is_empty(), "a plan sends nothing");
    assert_eq!(told(&plan, "repositories", 0), 300);
    calls.run(&["backfill", "ada"]).await.done();
    let sent = [rest(&forge).len(), self::points(&forge).try_into().unwrap()];
    let planned = [told(&plan, "requests", 0), told(&plan, "GraphQL", 2)];
    for (sent, planned) in sent.into_iter().zip(planned) {
        assert!(sent.abs_diff(planned) * 10 <= planned, "{sent} instead of {planned}: {:#?}", rest(&forge));
    }
    until_true(&forge, &service.reader(), WITHIN).await;

    let status = service.reader().get("/v1/status").await.ok().json();
    let limits = status["forges"][0]["limits"].as_array().unwrap();
    let graphql = limits.iter().find(|limit| limit["resource"] == "graphql").unwrap();
    assert_eq!(graphql["remaining"], 5_000 - points - self::points(&forge));
    assert_eq!(graphql["reserved"], 1_000);
    assert_eq!(graphql["spent"]["load"], points);
    assert_eq!(graphql["spent"]["backfill"], self::points(&forge));
    let metrics = service.ops_reader().get("/metrics").await.text();
    let spent = format!("tallyhook_github_spent_total{{resource=\"graphql\",spender=\"load\"}} {points}\n");
    assert!(metrics.contains(&spent), "{spent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_rest_a_plan_is_kept_to_as_well() {
    let folder = TempDir::new().unwrap();
    let forge = forge_of(FakeConfig { seed: 202, ..FakeConfig::default() }, 25).await;
    forge.fake.faults().on_requests("/graphql", RequestFault::Refuse(404), None);
    let (setup, service) = serve(&folder, &forge).await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let calls = setup.talking_to(&service);
    forge.fake.forget_requests();
    let plan = calls.run(&["backfill", "ada", "--plan"]).await.done();
    assert!(!plan.contains("GraphQL"), "{plan}");
    calls.run(&["backfill", "ada"]).await.done();
    let (sent, planned) = (rest(&forge).len(), told(&plan, "requests", 0));
    assert!(sent.abs_diff(planned) * 10 <= planned, "{sent} instead of {planned}: {:#?}", rest(&forge));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_graphql_told_and_what_rest_told_is_shown_in_the_same_bytes() {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let forge = forge_of(FakeConfig { seed: 203, ..FakeConfig::default() }, 30).await;
    let (_, one) = serve(&folders[0], &forge).await;
    until_true(&forge, &one.reader(), WITHIN).await;
    assert!(points(&forge) > 0);
    forge.fake.forget_requests();
    forge.fake.faults().on_requests("/graphql", RequestFault::Refuse(501), None);
    let (_, other) = serve(&folders[1], &forge).await;
    until_true(&forge, &other.reader(), WITHIN).await;
    assert_eq!(points(&forge), 0);
    let mut paths = vec![
        "/githubPayload?user=ada".to_owned(),
        "/health-check?url=https://github.com/ada".to_owned(),
        "/v1/accounts/ada".to_owned(),
        "/v1/accounts/ada/repos?per_page=100".to_owned(),
    ];
    paths.extend(forge.repositories().iter().map(|repo| format!("/v1/repos/{}", repo.full_name)));
    for path in paths {
        let [one, other] = [one.reader().get(&path).await.ok(), other.reader().get(&path).await.ok()];
        assert_eq!(one.text(), other.text(), "{path}");
        assert_eq!(one.header("etag"), other.header("etag"), "{path}");
        assert_eq!(one.header("tallyhook-as-of"), other.header("tallyhook-as-of"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_interrupted_goes_on_where_it_was() {
    let folder = TempDir::new().unwrap();
    let forge = forge_of(FakeConfig { seed: 212, ..FakeConfig::default() }, 300).await;
    forge.fake.faults().on_requests("/graphql", RequestFault::Slow(Duration::from_millis(400)), None);
    let queries = || forge.fake.requests().iter().filter(|request| request.points > 0).count();
    for interruption in 1..=2 {
        let (_, service) = serve(&folder, &forge).await;
        until(WITHIN, "some pages", async || {
            let queries = queries();
            if queries >= 3 * interruption { Ok(()) } else { Err(queries) }
        })
        .await;
        service.kill().await;
    }
    let (_, service) = serve(&folder, &forge).await;
    until_true(&forge, &service.reader(), WITHIN).await;
    // Six pages, and what was on its way when it was killed: answered or asked, and not yet in the log.
    assert!(queries() <= 6 + 2 * 2, "{} queries", queries());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_graphql_the_numbers_are_true() {
    // Each with how often, and whether GraphQL answers all the same.
    for (seed, fault, times, is_answered) in [
        (204, RequestFault::TooHeavy { nodes_max: 3_000 }, None, true),
        (205, RequestFault::TooHeavy { nodes_max: 0 }, None, false),
        (206, RequestFault::Partial, None, true),
        (207, RequestFault::Refuse(403), None, false),
        (208, RequestFault::Nonsense, Some(1), false),
        (209, RequestFault::Reset, Some(1), true),
        (210, RequestFault::PrimaryLimit { reset_seconds: 3_000 }, None, false),
        (211, RequestFault::Truncate, Some(1), true),
    ] {
        let folder = TempDir::new().unwrap();
        let forge = forge_of(FakeConfig { seed, ..FakeConfig::default() }, 60).await;
        let blocked = forge.repositories()[9].id;
        forge.fake.world(|world| world.block_repository(blocked, true)).unwrap();
        forge.fake.faults().on_requests("/graphql", fault, times);
        let (_, service) = serve(&folder, &forge).await;
        until_true(&forge, &service.reader(), WITHIN).await;
        let mut queries = forge.fake.requests().into_iter().filter(|request| request.points > 0);
        assert_eq!(queries.any(|query| query.status == Some(200)), is_answered, "{fault:?}");
        let lists = rest(&forge).iter().filter(|request| request.contains("/users/ada/repos")).count();
        assert!(lists > 0, "a page that leaves one out is no whole list: {fault:?}");
    }
}
