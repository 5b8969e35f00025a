//! Rate limits: how long to wait, that nothing is sent meanwhile, and what is told of budgets.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use domain::Second;
use github::client::{Answer, AskError, Asking, Client, Outcome, Part, RateBudget, WaitWhy};
use serde_json::json;
use wiremock::{Mock, Request, ResponseTemplate, matchers::method};

use crate::server::{DATE, Github, NOW, REPO, anew, error, fresh, json as answer, settings, status};

fn with_budget(answer: ResponseTemplate, remaining: u64, reset: Second) -> ResponseTemplate {
    answer
        .insert_header("x-ratelimit-limit", "5000")
        .insert_header("x-ratelimit-remaining", remaining.to_string())
        .insert_header("x-ratelimit-used", (5000 - remaining).to_string())
        .insert_header("x-ratelimit-reset", reset.0.to_string())
        .insert_header("x-ratelimit-resource", "core")
}

/// The wait that this answer leads to, and that the next question leads to without being sent.
async fn waits(template: ResponseTemplate) -> (Duration, WaitWhy) {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", template).await;
    let first = github.client.repository(REPO, &anew()).await;
    let Err(AskError::Wait { after, why }) = first else { panic!("expected a wait, not {first:?}") };
    let second = github.client.languages(REPO, &anew()).await;
    let Err(AskError::Wait { after: again, why: same }) = second else {
        panic!("expected a wait, not {second:?}")
    };
    assert!(again <= after && again + Duration::from_secs(10) > after, "{again:?} after {after:?}");
    assert_eq!((same, github.requests().await.len()), (why, 1), "nothing was sent while waiting");
    (after, why)
}

#[tokio::test]
async fn a_primary_limit_is_waited_out_until_its_reset() {
    let reset = Second(DATE.0 + 1800);
    for code in [403, 429] {
        let template = with_budget(error(code, "API rate limit exceeded for 203.0.113.7."), 0, reset);
        assert_eq!(waits(template).await, (Duration::from_secs(1801), WaitWhy::Primary));
    }
}

#[tokio::test]
async fn a_secondary_limit_is_waited_out_as_it_says_or_for_a_minute() {
    let reset = Second(DATE.0 + 1800);
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    for code in [403, 429] {
        let template = with_budget(error(code, message), 4000, reset).insert_header("retry-after", "17");
        assert_eq!(waits(template).await, (Duration::from_secs(17), WaitWhy::Secondary));
        let template = with_budget(error(code, message), 4000, reset);
        assert_eq!(waits(template).await, (Duration::from_secs(60), WaitWhy::Secondary));
    }
    assert_eq!(waits(error(429, "Slow down")).await, (Duration::from_secs(60), WaitWhy::Secondary));
}

#[tokio::test]
async fn a_plain_403_is_a_refusal_and_shuts_nothing() {
    let github = Github::start().await;
    let forbidden = error(403, "Resource not accessible by integration");
    github
        .on("/repos/octocat/Hello-World/languages", with_budget(forbidden, 4000, Second(DATE.0 + 60)))
        .await;
    github.on("/repos/octocat/Hello-World", answer(json!({"id": 1}))).await;
    let refused = github.client.languages(REPO, &anew()).await;
    assert!(matches!(refused, Ok(Answer::Refused { status: 403, .. })), "{refused:?}");
    fresh(github.client.repository(REPO, &anew()).await);
}

#[tokio::test]
async fn nothing_is_sent_once_the_last_request_was_used() {
    let github = Github::start().await;
    let reset = Second(DATE.0 + 600);
    github.on("/repos/octocat/Hello-World", with_budget(answer(json!({"id": 1})), 0, reset)).await;
    fresh(github.client.repository(REPO, &anew()).await);
    let waits = github.client.repository(REPO, &anew()).await;
    let Err(AskError::Wait { after, why: WaitWhy::Primary }) = waits else { panic!("{waits:?}") };
    assert!(after > Duration::from_secs(590) && after <= Duration::from_secs(601), "{after:?}");
    assert_eq!(github.requests().await.len(), 1);
}

/// How many questions a process gets answered before it is told to wait for the next hour.
async fn answered(client: &Client, asking: &Asking<'_>) -> usize {
    let mut answered = 0;
    loop {
        match client.repository(REPO, asking).await {
            Ok(_) => answered += 1,
            Err(AskError::Wait { why: WaitWhy::Primary, .. }) => return answered,
            Err(other) => panic!("{other:?}"),
        }
        assert!(answered < 1_000, "nothing is ever used up");
    }
}

/// Two processes ask with one token.
#[tokio::test]
async fn each_process_spends_its_part_of_the_hour() {
    let github = Github::start().await;
    let remaining = AtomicU64::new(60);
    let reset = Second(DATE.0 + 600);
    let respond = move |request: &Request| {
        if request.headers.contains_key("if-none-match") {
            return with_budget(status(304), remaining.load(Ordering::Relaxed), reset);
        }
        let left = remaining.fetch_sub(1, Ordering::Relaxed) - 1;
        with_budget(answer(json!({"id": 1})), left, reset)
    };
    Mock::given(method("GET")).respond_with(respond).mount(&github.server).await;
    let other = Client::new(settings(&github.server.uri())).unwrap();
    github.client.take_part(Part { mine: 1, of: 4 });
    other.take_part(Part { mine: 3, of: 4 });

    // Nothing of it is spent by what has not changed.
    let known = Asking { etag: Some("\"known\""), ..Asking::anew(NOW) };
    for _ in 0..30 {
        assert!(matches!(github.client.repository(REPO, &known).await, Ok(Answer::NotModified { .. })));
    }
    assert_eq!(answered(&github.client, &anew()).await, 15);
    assert_eq!(answered(&other, &anew()).await, 34, "three quarters of the 45 that it found");
    // The other one ended, and its partitions came here.
    github.client.take_part(Part { mine: 4, of: 4 });
    let last = answered(&github.client, &anew()).await;
    assert_eq!(last, 11, "what nobody spent");
}

#[tokio::test]
async fn a_reset_that_has_passed_stops_nothing() {
    let github = Github::start().await;
    // A reset an hour ago on the forge's clock, which is not ours.
    let stale = with_budget(answer(json!({"id": 1})), 0, Second(DATE.0 - 3600));
    github.on("/repos/octocat/Hello-World", stale).await;
    fresh(github.client.repository(REPO, &anew()).await);
    let next = github.client.repository(REPO, &anew()).await;
    match next {
        Ok(_) => {}
        Err(AskError::Wait { after, .. }) => assert!(after <= Duration::from_secs(1), "{after:?}"),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_and_budgets_are_told() {
    let github = Github::start().await;
    let reset = Second(DATE.0 + 600);
    let budget = RateBudget { resource: "core", limit: 5000, remaining: 4321, reset };
    github.on("/repos/octocat/Hello-World", with_budget(answer(json!({"id": 1})), 4321, reset)).await;
    fresh(github.client.repository(REPO, &anew()).await);
    github.client.languages(REPO, &anew()).await.unwrap();
    let outcomes = [("core", Outcome::Status(200)), ("core", Outcome::Status(404))];
    assert_eq!(*github.seen.outcomes.lock().unwrap(), outcomes);
    assert_eq!(*github.seen.budgets.lock().unwrap(), [budget]);
    assert_eq!(github.client.budgets(), [budget]);
    assert_eq!(Outcome::Status(200).to_string(), "200");
}
