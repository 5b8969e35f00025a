//! Numbers as images.

use domain::Event;

use crate::{
    bench::{Bench, Reply, impatient, patient, start},
    forge::{HUBOT, OCTO},
};

const STARS: &str = "/v1/badge/octo/alpha/stars.svg";

/// Asserts an image that a browser shows and a screen reader tells; returns what it tells.
#[track_caller]
fn image(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), "image/svg+xml; charset=utf-8");
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    let svg = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.contains("role=\"img\""),
        "{svg}"
    );
    assert!(!svg.contains("<script") && svg.matches("http").count() == 1, "nothing is loaded: {svg}");
    let title = svg.split("<title").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    title.unwrap().to_owned()
}

#[tokio::test]
async fn a_badge_follows_its_number_and_is_the_same_until_it_changes() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let shown = bench.get("/v1/repos/octo/alpha").await.json();
    let first = bench.get(STARS).await;
    assert_eq!(image(&first, 200), format!("stars: {}", shown["counts"]["stars"]));
    assert_eq!(first.header("cache-control"), "public, max-age=5, must-revalidate");
    for (field, title) in [
        ("commits", format!("commits: {}", shown["counts"]["commits"])),
        ("open_pull_requests", format!("open pull requests: {}", shown["counts"]["pull_requests"]["open"])),
        ("forks", format!("forks: {}", shown["counts"]["forks"])),
        ("open_issues", format!("open issues: {}", shown["counts"]["open_issues"])),
    ] {
        assert_eq!(image(&bench.get(&format!("/v1/badge/octo/alpha/{field}.svg")).await, 200), title);
    }
    let etag = first.header("etag").to_owned();
    let known = bench.get_with(STARS, &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len(), known.header("etag")), (304, 0, etag.as_str()));

    // What the badge does not show changes nothing of it, so that proxies keep it.
    let mut other = OCTO.repository(1, "alpha");
    other.open_issues = Some(77);
    other.updated_at = Some(domain::Second(start().0 + 10));
    bench.deliver(OCTO.stream(), vec![Event::Repository(Box::new(other))]).await;
    assert_eq!(bench.get_with(STARS, &[("if-none-match", &etag)]).await.status, 304);
    let issues = bench.get("/v1/badge/octo/alpha/open_issues.svg").await;
    assert_eq!(image(&issues, 200), "open issues: 77");

    let mut starred = OCTO.repository(1, "alpha");
    starred.stars = Some(12_345);
    starred.updated_at = Some(domain::Second(start().0 + 20));
    bench.deliver(OCTO.stream(), vec![Event::Repository(Box::new(starred))]).await;
    let changed = bench.get_with(STARS, &[("if-none-match", &etag)]).await;
    assert_eq!(image(&changed, 200), "stars: 12,345");
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_badge_that_says_so() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    for (path, told) in [
        ("/v1/badge/octo/nothing/stars.svg", "stars: not found"),
        ("/v1/badge/octo/alpha/secrets.svg", "badge: not found"),
        ("/v1/badge/octo/alpha/stars", "badge: not found"),
        ("/v1/card/octo", "account: not found"),
    ] {
        let reply = bench.get(path).await;
        assert_eq!(image(&reply, 404), told, "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "it may exist in a moment");
    }
    let unknown = bench.get("/v1/badge/nobody-yet/x/stars.svg").await;
    assert_eq!(image(&unknown, 503), "stars: counting");
    assert_eq!(unknown.header("retry-after"), "1");

    OCTO.hide(&bench, 1).await;
    assert_eq!(image(&bench.get(STARS).await, 404), "stars: not found", "what was drawn before is not shown");
    // A number that is not known yet is no zero.
    bench.answer(HUBOT.stream(), HUBOT.listed(domain::event::TrackedBy::Person)).await;
    bench.answer(HUBOT.stream(), vec![Event::Repository(Box::new(HUBOT.repository(7, "bare")))]).await;
    assert_eq!(image(&bench.get("/v1/badge/hubot/bare/commits.svg").await, 200), "commits: counting");
}

#[tokio::test]
async fn a_card_shows_an_account_and_texts_of_others_are_no_markup() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    let shown = bench.get("/v1/accounts/octo").await.json();
    let card = bench.get("/v1/card/OCTO.svg").await;
    let told = image(&card, 200);
    assert!(told.ends_with(" on GitHub"), "{told}");
    let svg = String::from_utf8(card.body.to_vec()).unwrap();
    let commits = shown["totals"]["commits"].as_u64().unwrap();
    assert!(svg.contains(&format!("Commits: {commits}, ")) && svg.contains(">@Octo<"), "{svg}");
    assert!(svg.contains("prefers-color-scheme:dark"));
}

#[tokio::test]
async fn images_behind_a_token_are_kept_by_nobody() {
    let settings = query_api::QuerySettings { api_token: Some("hush".to_owned().into()), ..patient() };
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    assert_eq!(bench.get(STARS).await.status, 401);
    let reply = bench.get_with(STARS, &[("authorization", "Bearer hush")]).await;
    assert_eq!(reply.header("cache-control"), "private, no-store");
}
