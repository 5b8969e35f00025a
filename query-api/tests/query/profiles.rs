//! `GET /health-check`: what is said of profiles that are hidden, failing, too many or overtaken.

use std::time::Duration;

use domain::{
    AccountId, Event, RepoId, StreamKey,
    event::{HiddenWhy, OwnerReading, ProfileReading, TrackedBy},
};
use serde_json::json;

use crate::{
    bench::{Bench, impatient, patient},
    forge::{HUBOT, OCTO, just_now},
};

const OCTOS: &str = "/health-check?url=https://github.com/octo";
const BOTH: &str = "/health-check?url=https://github.com/octo&url=https://github.com/hubot";

#[tokio::test]
async fn a_profile_adds_up_to_what_its_repositories_show() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "one"), (2, "two")]).await;
    HUBOT.settle(&bench, &[(3, "three")]).await;
    let reply = bench.get(BOTH).await;
    assert_eq!(
        reply.json(),
        json!({"error": "OK", "missing": [], "data": {
            "originalRepos": 3, "forkedRepos": 0, "watchers": 12, "followers": 9,
            "langsNum": 2, "langs": ["c", "rust"], "topicsNum": 1, "topics": ["web"],
        }})
    );
    assert_eq!(reply.header("tallyhook-complete"), "true");
    assert_eq!(reply.header("tallyhook-as-of"), just_now().to_string());
    assert_eq!(reply.header("tallyhook-checked-at"), "2026-11-21T10:00:00Z");
    assert_eq!(bench.get(OCTOS).await.json()["data"]["originalRepos"], 2);

    bench.pass(Duration::from_secs(3 * 24 * 60 * 60));
    assert_eq!(bench.get(BOTH).await.header("tallyhook-complete"), "false", "nobody checked it for long");
}

#[tokio::test]
async fn the_position_moves_with_any_part_and_the_tag_with_the_bytes() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    HUBOT.settle(&bench, &[(3, "three")]).await;
    let first = bench.get(BOTH).await;
    let told = |name: &'static str| move |reply: &crate::bench::Reply| reply.header(name).to_owned();
    let (position, etag) = (told("tallyhook-position"), told("etag"));

    // Checked again: the same bytes, of another moment.
    bench.pass(Duration::from_secs(60));
    HUBOT.settle(&bench, &[(3, "three")]).await;
    let second = bench.get(BOTH).await;
    assert_eq!(etag(&second), etag(&first));
    assert_ne!(position(&second), position(&first));

    HUBOT.hide(&bench, 3).await;
    let third = bench.get(BOTH).await;
    assert_eq!(third.json()["data"]["originalRepos"], 1, "hidden at once");
    assert_ne!((etag(&third), position(&third)), (etag(&second), position(&second)));
}

#[tokio::test]
async fn hiding_what_was_not_shown_holds_no_answer_up() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    OCTO.hide(&bench, 9).await;
    assert_eq!(bench.get(OCTOS).await.json()["data"]["originalRepos"], 1, "it was never shown");
    OCTO.hide(&bench, 1).await;
    OCTO.hide(&bench, 1).await;
    assert_eq!(bench.get(OCTOS).await.json()["data"]["originalRepos"], 0, "it was hidden before");
}

#[tokio::test]
async fn who_is_muted_or_gone_is_missing() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    HUBOT.settle(&bench, &[(3, "three")]).await;
    bench.command(HUBOT.stream(), vec![Event::Untracked]).await;
    assert_eq!(bench.get(BOTH).await.json()["missing"], json!(["https://github.com/hubot"]));
    bench.answer(OCTO.stream(), vec![Event::NoSuchAccount]).await;
    let reply = bench.get(BOTH).await;
    assert_eq!(reply.json()["missing"], json!(["https://github.com/octo", "https://github.com/hubot"]));
    assert_eq!(reply.json()["data"]["originalRepos"], 0);
}

#[tokio::test]
async fn a_forge_that_fails_marks_what_is_known_and_is_an_error_where_nothing_is() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    assert_eq!(bench.get(BOTH).await.problem(503, "computing"), {
        "This account is being read from the forge for the first time. Ask again in a moment."
    });
    bench.note(StreamKey::Service, "attempt/github/hubot", "1").await;
    let reply = bench.get(BOTH).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (500, &json!("ERR2")));

    bench.note(OCTO.stream(), "attempt", "1").await;
    let reply = bench.get(OCTOS).await;
    assert_eq!((reply.status.as_u16(), reply.header("tallyhook-complete")), (200, "false"));
    bench.note(OCTO.stream(), "attempt", "").await;
    assert_eq!(bench.get(OCTOS).await.header("tallyhook-complete"), "true");

    bench.note(StreamKey::Service, "attempt/github/hubot", "").await;
    HUBOT.settle(&bench, &[]).await;
    assert_eq!(bench.get(BOTH).await.status, 200);
}

#[tokio::test]
async fn more_new_profiles_than_an_hour_allows_are_told_to_wait() {
    let mut settings = impatient();
    settings.track_on_read_per_hour = Some(1);
    let bench = Bench::new(settings).await;
    let reply = bench.get(BOTH).await;
    reply.problem(429, "too-many-new-accounts");
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
}

#[tokio::test]
async fn each_forge_has_names_of_its_own() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    let account = AccountId::bitbucket(5);
    let owner = OwnerReading { id: account, login: "octo".into(), kind: None, url: None, avatar_url: None };
    let profile = ProfileReading {
        owner,
        name: None,
        email: None,
        followers: None,
        public_gists: None,
        public_repos: None,
        as_of: None,
    };
    let listed = Event::RepositoriesListed { since: domain::Version::LEAST };
    let events = vec![Event::Tracked(TrackedBy::Read), Event::Profile(profile), listed];
    bench.answer(StreamKey::Account(account), events).await;
    let reply = bench.get(&OCTOS.replace("github.com", "bitbucket.org")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["data"]["originalRepos"]), (200, &json!(0)));
    let both = bench.get(&format!("{OCTOS}&url=https://bitbucket.org/OCTO")).await;
    assert_eq!((&both.json()["data"]["originalRepos"], &both.json()["missing"]), (&json!(1), &json!([])));
    // The other forge's account is on no page of GitHub's.
    assert_eq!(bench.get("/v1/accounts/octo").await.json()["account"]["id"], 9);
}

#[tokio::test]
async fn an_account_that_its_forge_lost_is_missing_whatever_its_own_rows_still_say() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "one")]).await;
    HUBOT.settle(&bench, &[(3, "three")]).await;
    let left = Event::InstallationLeft { repos: Some(vec![RepoId::github(3)]) };
    bench.deliver(HUBOT.stream(), vec![left]).await;
    assert_eq!(bench.get(BOTH).await.json()["data"]["originalRepos"], 1);
    let moved = Event::RepositoryHidden {
        repo: RepoId::github(1),
        at: bench.now().to_second(),
        why: HiddenWhy::Moved(HUBOT.id()),
    };
    bench.deliver(OCTO.stream(), vec![moved]).await;
    assert_eq!(bench.get(BOTH).await.json()["data"]["originalRepos"], 0);
}
