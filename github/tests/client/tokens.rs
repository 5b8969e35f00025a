//! Several tokens: each has limits of its own, and one that is not accepted is left alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::Second;
use github::client::{AccountPath, AskError, Client, Settings, Spender, WaitWhy};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method},
};

use crate::server::{DATE, DATE_TEXT, anew, settings};

async fn answers(server: &MockServer, token: &str, status: u16, remaining: u64, reset: Second) {
    let answer = ResponseTemplate::new(status)
        .insert_header("date", DATE_TEXT)
        .insert_header("x-ratelimit-limit", "100")
        .insert_header("x-ratelimit-remaining", remaining.to_string())
        .insert_header("x-ratelimit-reset", reset.0.to_string())
        .insert_header("x-ratelimit-resource", "core")
        .set_body_json(json!({"id": 1, "login": "octocat"}));
    let mock = Mock::given(method("GET")).and(header("authorization", format!("Bearer {token}").as_str()));
    mock.respond_with(answer).mount(server).await;
}

fn client(server: &MockServer) -> Client {
    let tokens = vec!["one".into(), "two".into()];
    Client::new(Settings { tokens, ..settings(&server.uri()) }).unwrap()
}

/// How often each was asked with.
async fn asked(server: &MockServer) -> [usize; 2] {
    let requests = server.received_requests().await.unwrap();
    ["Bearer one", "Bearer two"]
        .map(|bearer| requests.iter().filter(|request| request.headers["authorization"] == bearer).count())
}

#[tokio::test]
async fn when_one_is_used_up_the_other_is_asked_with_and_who_i_am_is_the_first_ones_to_say() {
    let server = MockServer::start().await;
    let reset = Second(DATE.0 + 600);
    answers(&server, "one", 200, 0, reset).await;
    answers(&server, "two", 200, 60, reset).await;
    let client = client(&server);
    for id in 0..20 {
        client.profile(AccountPath::Id(id), &anew()).await.unwrap();
    }
    let [one, two] = asked(&server).await;
    assert_eq!((one, two), (1, 19), "the first said that nothing is left");
    let sums: Vec<_> = client.budgets().iter().map(|sum| (sum.limit, sum.remaining)).collect();
    assert_eq!(sums, [(200, 60)]);
    let Err(AskError::Wait { why, .. }) = client.whoami(&anew()).await else { panic!("a wait") };
    assert_eq!(why, WaitWhy::Primary);
}

#[tokio::test]
async fn what_is_kept_for_repair_is_kept_of_each() {
    let server = MockServer::start().await;
    let reset = Second(DATE.0 + 600);
    answers(&server, "one", 200, 20, reset).await;
    answers(&server, "two", 200, 20, reset).await;
    let client = client(&server);
    let load = client.spending_as(Spender::Load);
    let mut ended = None;
    for id in 0..20 {
        if let Err(error) = load.profile(AccountPath::Id(id), &anew()).await {
            ended = Some(error);
            break;
        }
    }
    assert!(matches!(ended, Some(AskError::Wait { why: WaitWhy::Reserved, .. })), "{ended:?}");
    assert_eq!(asked(&server).await, [1, 1]);
    let repair = client.spending_as(Spender::Repair);
    repair.profile(AccountPath::Id(1), &anew()).await.unwrap();
    let spent: Vec<_> = client.standings().iter().flatten().flat_map(|known| known.spent.clone()).collect();
    assert_eq!(spent.iter().filter(|(by, _)| *by == Spender::Load).count(), 2);
    assert_eq!(spent.iter().filter(|(by, _)| *by == Spender::Repair).count(), 1);
}

#[tokio::test]
async fn one_that_is_not_accepted_is_left_alone_while_there_is_another() {
    let server = MockServer::start().await;
    let reset = Second(DATE.0 + 600);
    answers(&server, "one", 401, 60, reset).await;
    answers(&server, "two", 200, 60, reset).await;
    let client = client(&server);
    let mut failed = 0;
    for id in 0..20 {
        match client.profile(AccountPath::Id(id), &anew()).await {
            Ok(_) => {}
            Err(AskError::Retry(_)) => failed += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((failed, asked(&server).await[0]), (1, 1));
}
