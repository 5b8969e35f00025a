//! Webhooks: listed, created with our secret, pinged.

use github::client::{Answer, AskError, HOOK_EVENTS, HookOwner, NewHook, ORGANIZATION_HOOK_EVENTS};
use serde_json::{Value, json};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{method, path},
};

use crate::server::{Github, anew, fresh, json as answer, status};

const REPOSITORY: HookOwner<'static> = HookOwner::Repository { owner: "octocat", name: "Hello-World" };

fn hook() -> Value {
    json!({
        "type": "Repository", "id": 12_345_678, "name": "web", "active": true, "events": ["push", "pull_request"],
        "config": {"content_type": "json", "insecure_ssl": "0", "url": "https://example.com/webhook", "secret": "********"},
        "updated_at": "2019-06-03T00:57:16Z", "created_at": "2019-06-03T00:57:16Z",
        "last_response": {"code": null, "status": "unused", "message": null}
    })
}

async fn on_post(github: &Github, at: &str, answer: ResponseTemplate) {
    Mock::given(method("POST")).and(path(at)).respond_with(answer).mount(&github.server).await;
}

#[tokio::test]
async fn hooks_are_listed_for_repositories_and_organisations() {
    let github = Github::start().await;
    for path in ["/repos/octocat/Hello-World/hooks", "/orgs/octo-org/hooks"] {
        github.on(path, answer(json!([hook()]))).await;
    }
    for owner in [REPOSITORY, HookOwner::Organization("octo-org")] {
        let hooks = fresh(github.client.hooks(owner, &anew()).await).body;
        assert_eq!(hooks.len(), 1);
        assert_eq!((hooks[0].id, hooks[0].url.as_str()), (12_345_678, "https://example.com/webhook"));
        assert_eq!((hooks[0].active, hooks[0].last_status.as_deref()), (true, Some("unused")));
        assert_eq!(hooks[0].events, ["push", "pull_request"]);
    }
}

#[tokio::test]
async fn a_hook_is_created_with_our_secret_and_events_and_pinged() {
    let github = Github::start().await;
    on_post(&github, "/orgs/octo-org/hooks", status(201).set_body_json(hook())).await;
    on_post(&github, "/orgs/octo-org/hooks/12345678/pings", status(204)).await;
    let owner = HookOwner::Organization("octo-org");
    let secret = "a webhook secret".into();
    let new =
        NewHook { url: "https://example.com/webhook", secret: &secret, events: ORGANIZATION_HOOK_EVENTS };
    let created = fresh(github.client.create_hook(owner, &new, &anew()).await).body;
    fresh(github.client.ping_hook(owner, created.id, &anew()).await);

    let sent: Value = github.requests().await[0].body_json().unwrap();
    assert_eq!(
        sent,
        json!({
            "name": "web", "active": true, "events": ORGANIZATION_HOOK_EVENTS,
            "config": {
                "url": "https://example.com/webhook", "content_type": "json", "insecure_ssl": "0",
                "secret": "a webhook secret"
            }
        })
    );
    assert!(!format!("{new:?}").contains("a webhook secret"));
}

#[tokio::test]
async fn what_github_says_against_a_hook_is_passed_on() {
    let github = Github::start().await;
    let refusal = json!({
        "message": "Validation Failed",
        "errors": [{"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}]
    });
    on_post(&github, "/repos/octocat/Hello-World/hooks", status(422).set_body_json(refusal)).await;
    let secret = "x".into();
    let new = NewHook { url: "https://example.com/webhook", secret: &secret, events: HOOK_EVENTS };
    let answer = github.client.create_hook(REPOSITORY, &new, &anew()).await;
    let Ok(Answer::Refused { status: 422, message: Some(message), .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(message, "Validation Failed: Hook already exists on this repository");
}

#[tokio::test]
async fn a_secret_does_not_follow_a_redirect() {
    let github = Github::start().await;
    let moved = status(307).insert_header("location", "/repositories/1/hooks");
    on_post(&github, "/repos/octocat/Hello-World/hooks", moved).await;
    let secret = "x".into();
    let new = NewHook { url: "https://example.com/webhook", secret: &secret, events: HOOK_EVENTS };
    let answer = github.client.create_hook(REPOSITORY, &new, &anew()).await;
    assert!(matches!(answer, Err(AskError::Final(_))), "{answer:?}");
    assert_eq!(github.requests().await.len(), 1);
}

#[test]
fn every_event_that_hooks_send_is_one_that_we_know() {
    for event in HOOK_EVENTS.iter().chain(ORGANIZATION_HOOK_EVENTS) {
        assert!(github::translate::known_event(event).is_some(), "{event}");
    }
}
