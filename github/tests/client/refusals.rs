//! Statuses that concern one question alone, and those that an operator must see.

use github::client::{Answer, AskError, Settings};
use serde_json::json;

use crate::server::{DATE, Github, REPO, anew, error, fresh, json as answer, settings, status};

#[tokio::test]
async fn what_is_not_to_be_had_is_refused_and_other_questions_go_on() {
    for code in [402, 403, 404, 405, 406, 410, 418, 422, 451, 501] {
        let github = Github::start().await;
        github.on("/repos/octocat/Hello-World/languages", error(code, "Not for you")).await;
        github.on("/repos/octocat/Hello-World", answer(json!({"id": 1}))).await;
        let refused = Answer::Refused { status: code, date: DATE, message: Some("Not for you".into()) };
        assert_eq!(github.client.languages(REPO, &anew()).await, Ok(refused), "{code}");
        fresh(github.client.repository(REPO, &anew()).await);
    }
}

#[tokio::test]
async fn a_refusal_may_say_nothing_or_too_much() {
    let github = Github::start().await;
    github
        .on("/repos/octocat/Hello-World/languages", status(404).set_body_string("<html>not found</html>"))
        .await;
    github.on("/repos/octocat/Hello-World", error(451, &"so sorry\n".repeat(100))).await;
    let silent = Answer::Refused { status: 404, date: DATE, message: None };
    assert_eq!(github.client.languages(REPO, &anew()).await, Ok(silent));
    let Ok(Answer::Refused { message: Some(message), .. }) = github.client.repository(REPO, &anew()).await
    else {
        panic!("a refusal with its reason");
    };
    assert!(message.len() == 200 && !message.contains('\n'), "{message}");
}

#[tokio::test]
async fn an_empty_repository_is_no_refusal() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World/languages", error(409, "Git Repository is empty.")).await;
    assert_eq!(github.client.languages(REPO, &anew()).await, Ok(Answer::Empty { date: DATE }));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_told_and_never_shown() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", error(401, "Bad credentials")).await;
    let with = github.client.repository(REPO, &anew()).await.unwrap_err();
    let anonymous =
        github::client::Client::new(Settings { tokens: Vec::new(), ..settings(&github.server.uri()) })
            .unwrap();
    let without = anonymous.repository(REPO, &anew()).await.unwrap_err();
    assert_eq!(
        with,
        AskError::Final(
            "GET /repos/{owner}/{name}: the token is not accepted (401); give a valid one".into()
        )
    );
    assert_eq!(without, AskError::Final("GET /repos/{owner}/{name}: a token is needed (401)".into()));
    assert!(!format!("{with:?} {:?}", github.client).contains("hush"));
}

#[tokio::test]
async fn a_request_that_is_not_understood_is_told() {
    let github = Github::start().await;
    github.on("/repos/octocat/Hello-World", error(400, "Unsupported version")).await;
    let error = github.client.repository(REPO, &anew()).await.unwrap_err();
    assert!(matches!(&error, AskError::Final(what) if what.ends_with("Unsupported version")), "{error:?}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let client = |change: fn(&mut Settings)| {
        let mut settings = settings("http://127.0.0.1:1");
        change(&mut settings);
        github::client::Client::new(settings).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(client(|_| {}), Ok(()));
    assert!(client(|settings| settings.api_url = "github".into()).unwrap_err().contains("API address"));
    assert!(client(|settings| settings.tokens = vec!["two\nlines".into()]).unwrap_err().contains("token"));
    assert!(client(|settings| settings.concurrency = 0).unwrap_err().contains("at least one"));
}
