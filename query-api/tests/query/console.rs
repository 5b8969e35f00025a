//! The console: a page for people.

use domain::{Event, event::TrackedBy};
use query_api::QuerySettings;

use crate::{
    bench::{Bench, Reply, patient},
    forge::{HUBOT, OCTO},
};

#[track_caller]
fn page(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "no-store");
    let policy = reply.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// The text of a cell by its key.
fn cell<'p>(page: &'p str, key: &str) -> &'p str {
    let cell = page.split(&format!("data-key=\"{key}\">")).nth(1).unwrap_or_else(|| panic!("{key}: {page}"));
    cell.split('<').next().unwrap()
}

#[tokio::test]
async fn accounts_are_shown_with_their_numbers_and_what_is_open() {
    let bench = Bench::new(patient()).await;
    assert!(page(&bench.get("/console").await).contains("None is kept yet"));
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    bench.answer(HUBOT.stream(), HUBOT.listed(TrackedBy::Person)).await;
    bench.answer(HUBOT.stream(), vec![Event::Repository(Box::new(HUBOT.repository(7, "bare")))]).await;
    let shown = bench.get("/v1/accounts/octo").await.json();
    let first = page(&bench.get("/console").await);
    assert_eq!(cell(&first, "Octo/Commits"), shown["totals"]["commits"].to_string());
    assert_eq!(cell(&first, "Octo/Repositories"), "2");
    assert_eq!(cell(&first, "hubot/Commits"), "…", "what is not known is no zero");
    assert!(first.contains("2 shown, 1 complete"), "{first}");
    for asset in ["/console/style.css", "/console/live.js"] {
        assert!(first.contains(&format!("=\"{asset}\"")), "{first}");
        assert_eq!(bench.get(asset).await.status, 200, "{asset}");
    }
    let elsewhere = first.split(['"', '\'']).filter(|part| part.contains("://") || part.starts_with("//"));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<&str>::new(), "nothing is loaded from elsewhere");
}

#[tokio::test]
async fn deliveries_are_shown_newest_first_and_as_text() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha")]).await;
    for number in 0..25 {
        bench.pass(std::time::Duration::from_secs(1));
        bench.deliver_as(&format!("guid-{number:02}"), OCTO.stream(), Vec::new()).await;
    }
    bench.pass(std::time::Duration::from_secs(1));
    bench.deliver_as("<b>&'x'", HUBOT.stream(), Vec::new()).await;
    let page = page(&bench.get("/console").await);
    assert!(!page.contains("<b>"), "{page}");
    let shown: Vec<&str> =
        page.split("/v1/deliveries/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!((shown.len(), shown[0], shown[1], shown[19]), (20, "%3Cb%3E%26%27x%27", "guid-24", "guid-06"));
    assert!(page.contains(">3 ms<"), "{page}");
}

#[tokio::test]
async fn the_console_asks_for_the_token_that_the_data_asks_for() {
    let bench = Bench::new(QuerySettings { api_token: Some("hush".to_owned().into()), ..patient() }).await;
    bench.get("/console").await.problem(401, "unauthorized");
    assert_eq!(bench.get_with("/console", &[("authorization", "Bearer hush")]).await.status, 200);
}
