//! The client against a Bitbucket on loopback: what it sends, what it makes of every kind of answer, and that
//! it never asks anybody else.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use bitbucket::{
    client::{AccountPath, Answer, AskError, Client, PagePath, Settings, WaitWhy},
    translate::Page,
};
use domain::{AccountId, Second};
use fake_bitbucket::{FakeBitbucket, Fault, Repository};

/// Our own second; far from the answers' `Date`, so that a mix-up shows.
const NOW: Second = Second(1_000_000_000);

async fn start() -> (FakeBitbucket, Client) {
    let fake = FakeBitbucket::start().await.unwrap();
    fake.world(|world| {
        world.create_workspace("team");
        world.create_repository("team", Repository::public("tools", "Rust").watched_by(4));
    });
    let client = client(&fake);
    (fake, client)
}

fn client(fake: &FakeBitbucket) -> Client {
    let settings =
        Settings { token: Some("hush".into()), timeout: Duration::from_secs(5), ..Settings::new(fake.url()) };
    Client::new(settings).unwrap()
}

#[track_caller]
fn fresh<T: std::fmt::Debug>(answer: Result<Answer<T>, AskError>) -> T {
    match answer {
        Ok(Answer::Fresh { body, date }) => {
            assert!(date > NOW, "the answer's own second counts");
            body
        }
        other => panic!("expected a fresh answer, not {other:?}"),
    }
}

/// The uuid by which an account and its only repository are asked for.
async fn uuids(client: &Client) -> (u128, u128) {
    let account = fresh(client.profile(AccountPath::Name("team"), NOW).await).owner.id;
    let account = account.as_bitbucket().unwrap();
    let page = fresh(client.repositories(PagePath::First(account), NOW).await);
    (account, page.repositories[0].reading.id.as_bitbucket().unwrap())
}

#[tokio::test]
async fn an_account_is_found_by_its_name_then_asked_for_by_its_uuid() {
    let (fake, client) = start().await;
    fake.world(|world| world.create_user("ada"));
    let (account, repo) = uuids(&client).await;
    assert_eq!(fresh(client.profile(AccountPath::Uuid(account), NOW).await).owner.login.as_str(), "team");
    assert_eq!(fresh(client.watchers(account, repo, NOW).await), Some(4));
    let listed = fresh(client.repository(account, repo, NOW).await);
    assert_eq!((listed.reading.name.as_deref(), listed.language.as_deref()), (Some("tools"), Some("Rust")));
    assert_eq!(listed.reading.owner.unwrap().id, AccountId::bitbucket(account));
    let user = fresh(client.profile(AccountPath::Name("ada"), NOW).await);
    assert_eq!((user.owner.login.as_str(), user.owner.kind.as_deref()), ("ada", Some("User")));
    assert!(fake.requests().iter().all(|request| request.authorization.as_deref() == Some("Bearer hush")));
}

#[tokio::test]
async fn pages_are_followed_as_given_to_the_end() {
    let (fake, client) = start().await;
    fake.world(|world| {
        for number in 0..250 {
            world.create_repository("team", Repository::public(format!("part-{number:03}"), ""));
        }
    });
    let (account, _) = uuids(&client).await;
    let mut page: Page = fresh(client.repositories(PagePath::First(account), NOW).await);
    let mut sizes = vec![page.repositories.len()];
    while let Some(next) = page.next {
        page = fresh(client.repositories(PagePath::Next(&next), NOW).await);
        sizes.push(page.repositories.len());
    }
    assert_eq!(sizes, [100, 100, 51]);
}

#[tokio::test]
async fn no_other_server_is_asked_whatever_the_answers_say() {
    let (fake, client) = start().await;
    let stranger = FakeBitbucket::start().await.unwrap();
    let (account, _) = uuids(&client).await;
    let asked = fake.requests().len();
    let ours = fake.url();
    let elsewhere = [
        format!("{}/2.0/repositories/team", stranger.url()),
        ours.replace("http://", "http://me:hush@"),
        ours.replace("127.0.0.1", "localhost"),
        ours.replace("http:", "https:"),
        "//evil.example/2.0".to_owned(),
        "http://[".to_owned(),
    ];
    for next in &elsewhere {
        let answer = client.repositories(PagePath::Next(next), NOW).await;
        assert!(matches!(answer, Err(AskError::Final(_))), "{next}: {answer:?}");
    }
    assert_eq!(fake.requests().len(), asked);
    for location in &elsewhere[..5] {
        fake.on_requests("/2.0/", Fault::Redirect(location.clone()), Some(1));
        let answer = client.repositories(PagePath::First(account), NOW).await;
        assert!(matches!(answer, Err(AskError::Final(_))), "{location}: {answer:?}");
    }
    assert_eq!(stranger.requests(), []);
}

#[tokio::test]
async fn a_redirect_on_the_same_server_is_followed_and_a_circle_ends() {
    let (fake, client) = start().await;
    fake.on_requests("/2.0/workspaces/old", Fault::Redirect("/2.0/workspaces/team".into()), None);
    let profile = fresh(client.profile(AccountPath::Name("old"), NOW).await);
    assert_eq!(profile.owner.login.as_str(), "team");
    fake.on_requests("/2.0/workspaces/round", Fault::Redirect("/2.0/workspaces/round".into()), None);
    let before = fake.requests().len();
    let answer = client.profile(AccountPath::Name("round"), NOW).await;
    assert!(matches!(&answer, Err(AskError::Retry(what)) if what.contains("circle")), "{answer:?}");
    assert_eq!(fake.requests().len() - before, 6);
}

#[tokio::test]
async fn what_is_refused_broken_or_limited_is_told_apart() {
    let (fake, client) = start().await;
    let (account, repo) = uuids(&client).await;
    for status in [403, 404, 410, 451, 501] {
        fake.on_requests("/watchers", Fault::Status(status), Some(1));
        let answer = client.watchers(account, repo, NOW).await;
        assert!(matches!(answer, Ok(Answer::Refused { status: told, .. }) if told == status), "{answer:?}");
    }
    for body in ["", "{", "[]", "<html>", r#"{"size":"4"}"#] {
        fake.on_requests("/watchers", Fault::Body(body.into()), Some(1));
        let answer = client.watchers(account, repo, NOW).await;
        assert!(matches!(answer, Err(AskError::Retry(_))), "{body}: {answer:?}");
    }
    fake.on_requests("/watchers", Fault::Status(401), Some(1));
    assert!(matches!(client.watchers(account, repo, NOW).await, Err(AskError::Final(_))));
    fake.on_requests("/watchers", Fault::Status(502), Some(1));
    assert!(matches!(client.watchers(account, repo, NOW).await, Err(AskError::Retry(_))));
    assert_eq!(fresh(client.watchers(account, repo, NOW).await), Some(4), "one failure shuts nothing");

    fake.on_requests("/watchers", Fault::Limit(Some(77)), Some(1));
    let limited = Err(AskError::Wait { after: Duration::from_secs(77), why: WaitWhy::Limited });
    assert_eq!(client.watchers(account, repo, NOW).await, limited);
    let asked = fake.requests().len();
    let again = client.watchers(account, repo, NOW).await;
    assert!(matches!(again, Err(AskError::Wait { why: WaitWhy::Limited, .. })), "{again:?}");
    assert_eq!(fake.requests().len(), asked, "nothing is sent while it is limited");
}

#[tokio::test]
async fn a_slow_bitbucket_is_not_waited_for_without_end() {
    let (fake, _) = start().await;
    let settings = Settings { timeout: Duration::from_millis(200), ..Settings::new(fake.url()) };
    let client = Client::new(settings).unwrap();
    fake.on_requests("/2.0/", Fault::Slow(Duration::from_secs(20)), None);
    let answer = client.profile(AccountPath::Name("team"), NOW).await;
    assert!(matches!(&answer, Err(AskError::Retry(what)) if what.contains("in time")), "{answer:?}");
}

#[tokio::test]
async fn names_that_would_name_something_else_are_not_sent() {
    let (fake, client) = start().await;
    for name in ["", ".", ".."] {
        let answer = client.profile(AccountPath::Name(name), NOW).await;
        assert!(matches!(answer, Ok(Answer::Refused { status: 404, .. })), "{name}: {answer:?}");
    }
    assert_eq!(fake.requests(), []);
    let answer = client.profile(AccountPath::Name("a/../team?x#y"), NOW).await;
    assert!(matches!(answer, Ok(Answer::Refused { status: 404, .. })), "{answer:?}");
    assert!(fake.requests().iter().all(|request| request.path.ends_with("/a/../team?x#y")));
}
