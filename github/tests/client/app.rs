//! Asking as a GitHub App: each account with its installation's token, which is made when it is needed, by one question,
//! and renewed; a JWT for what concerns the App itself.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{AccountId, Second};
use github::client::{
    AccountPath, Answer, AppKey, AppSettings, AskError, Asking, Client, DeliveriesPage, HookOwner, RepoPath,
    Settings,
};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

use crate::server::{DATE, NOW, anew, error, fresh, json as answer, settings, status};

const KEY: &str = include_str!("../keys/app.pem");

fn client(server: &MockServer, tokens: &[&str]) -> Client {
    let app = AppSettings { id: "77".to_owned(), key: AppKey::parse(&KEY.into()).unwrap() };
    let tokens = tokens.iter().map(|token| (*token).into()).collect();
    Client::new(Settings { app: Some(app), tokens, ..settings(&server.uri()) }).unwrap()
}

fn installation(id: u64, account: u64, login: &str) -> Value {
    json!({ "id": id, "account": { "id": account, "login": login }, "suspended_at": null,
        "repository_selection": "all", "permissions": { "metadata": "read" }, "events": ["push"] })
}

/// One installation, on `ada`.
async fn installed(server: &MockServer) {
    let list = json!([installation(5, 1, "ada")]);
    let listed = Mock::given(method("GET")).and(path("/app/installations"));
    listed.respond_with(answer(list)).mount(server).await;
}

/// Tokens `t1`, `t2` and so on, each for so long.
async fn tokens(server: &MockServer, life_s: i64) -> Arc<AtomicUsize> {
    let made = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&made);
    let make = move |_: &Request| {
        let number = counting.fetch_add(1, Ordering::SeqCst) + 1;
        let ends = Second(DATE.0 + life_s).to_string();
        status(201).set_body_json(json!({ "token": format!("t{number}"), "expires_at": ends }))
    };
    let asked = Mock::given(method("POST")).and(path("/app/installations/5/access_tokens"));
    asked.respond_with(make).mount(server).await;
    made
}

/// A profile, for whoever is accepted.
async fn profiles(server: &MockServer, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) {
    let tell = move |request: &Request| {
        let bearer = request.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let bearer = bearer.unwrap_or_else(|| "nobody".to_owned());
        if accepts(bearer.strip_prefix("Bearer ").unwrap_or(&bearer)) {
            let login = request.url.path().rsplit('/').next().unwrap().to_owned();
            status(200).set_body_json(json!({ "id": 1, "login": login, "followers": 1 }))
        } else {
            error(401, "Bad credentials")
        }
    };
    let asked = Mock::given(method("GET")).and(wiremock::matchers::path_regex("^/users/.*"));
    asked.respond_with(tell).mount(server).await;
}

async fn profile(client: &Client, login: &str) -> Result<(), AskError> {
    client.profile(AccountPath::Login(login), &anew()).await.map(drop)
}

/// Who asked for what, in order: JWTs as `app`.
async fn asked(server: &MockServer) -> Vec<(String, String)> {
    let requests = server.received_requests().await.unwrap();
    let told = requests.iter().map(|request| {
        let bearer = request.headers.get("authorization").map(|value| value.to_str().unwrap());
        let who = match bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")) {
            Some(jwt) if jwt.matches('.').count() == 2 => "app",
            Some(token) => token,
            None => "nobody",
        };
        (who.to_owned(), request.url.path().to_owned())
    });
    told.collect()
}

fn pairs(asked: &[(String, String)]) -> Vec<(&str, &str)> {
    asked.iter().map(|(who, what)| (who.as_str(), what.as_str())).collect()
}

#[tokio::test]
async fn an_account_is_asked_about_with_its_installations_token_and_others_with_ours() {
    let server = MockServer::start().await;
    installed(&server).await;
    tokens(&server, 3600).await;
    profiles(&server, |bearer| matches!(bearer, "t1" | "ours")).await;
    let client = client(&server, &["ours"]);
    profile(&client, "Ada").await.unwrap();
    profile(&client, "grace").await.unwrap();
    profile(&client, "ada").await.unwrap();
    // An address that names nobody belongs to whom the question is about.
    let by_id = client.asking_about(Some(AccountId::github(1)));
    by_id.languages(RepoPath::Id(9), &anew()).await.unwrap();
    assert_eq!(
        pairs(&asked(&server).await),
        [
            ("app", "/app/installations"),
            ("app", "/app/installations/5/access_tokens"),
            ("t1", "/users/Ada"),
            ("ours", "/users/grace"),
            ("t1", "/users/ada"),
            ("t1", "/repositories/9/languages"),
        ]
    );
}

#[tokio::test]
async fn without_a_token_of_ours_any_installation_reads_what_is_public() {
    let server = MockServer::start().await;
    installed(&server).await;
    tokens(&server, 3600).await;
    profiles(&server, |bearer| bearer == "t1").await;
    let client = client(&server, &[]);
    assert!(client.has_token() && client.offers_graphql());
    profile(&client, "grace").await.unwrap();
    // Who "I" am no installation can say.
    assert!(matches!(client.whoami(&anew()).await.unwrap(), Answer::Refused { status: 404, .. }));
    assert_eq!(pairs(&asked(&server).await)[2..], [("t1", "/users/grace"), ("nobody", "/user")]);
}

#[tokio::test]
async fn many_questions_at_once_have_one_token_made() {
    let server = MockServer::start().await;
    installed(&server).await;
    let made = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&made);
    let slow = move |_: &Request| {
        counting.fetch_add(1, Ordering::SeqCst);
        status(201)
            .set_body_json(json!({ "token": "t", "expires_at": Second(DATE.0 + 3600).to_string() }))
            .set_delay(Duration::from_millis(100))
    };
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    profiles(&server, |bearer| bearer == "t").await;
    // Fewer at once than there are questions: a token must not need a place of its own.
    let client = client(&server, &[]);
    let questions = (0..32).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { profile(&client, "ada").await })
    });
    for question in questions.collect::<Vec<_>>() {
        question.await.unwrap().unwrap();
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    let lists = asked(&server).await.iter().filter(|(_, what)| what == "/app/installations").count();
    assert_eq!(lists, 1);
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_and_no_question_is_lost() {
    let server = MockServer::start().await;
    installed(&server).await;
    let made = tokens(&server, 3600).await;
    let now_good = Arc::new(AtomicUsize::new(1));
    let good = Arc::clone(&now_good);
    profiles(&server, move |bearer| bearer == format!("t{}", good.load(Ordering::SeqCst))).await;
    let asking = client(&server, &[]);
    profile(&asking, "ada").await.unwrap();
    now_good.store(2, Ordering::SeqCst);
    profile(&asking, "ada").await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 2);

    // One that ends within the second is renewed each time, before it is refused.
    let server = MockServer::start().await;
    installed(&server).await;
    let made = tokens(&server, 0).await;
    profiles(&server, |_| true).await;
    assert!(matches!(profile(&client(&server, &[]), "ada").await, Err(AskError::Retry(_))));
    assert!(made.load(Ordering::SeqCst) > 1, "what lasts no time is no token");
}

#[tokio::test]
async fn a_suspended_installation_is_left_alone_without_a_word() {
    let server = MockServer::start().await;
    installed(&server).await;
    let suspended = error(403, "This installation has been suspended");
    let asked_for = Mock::given(method("POST")).and(path("/app/installations/5/access_tokens"));
    asked_for.respond_with(suspended).mount(&server).await;
    profiles(&server, |bearer| bearer == "ours").await;
    let client = client(&server, &["ours"]);
    profile(&client, "ada").await.unwrap();
    profile(&client, "ada").await.unwrap();
    assert_eq!(
        pairs(&asked(&server).await)[1..],
        [("app", "/app/installations/5/access_tokens"), ("ours", "/users/ada"), ("ours", "/users/ada")]
    );
}

#[tokio::test]
async fn one_that_is_suspended_or_removed_while_its_token_is_good_too() {
    for gone in [error(403, "This installation has been suspended"), error(401, "Bad credentials")] {
        let server = MockServer::start().await;
        installed(&server).await;
        let first = tokens(&server, 3600).await;
        let refuse = move |request: &Request| match request.headers.get("authorization") {
            Some(bearer) if bearer == "Bearer t1" && first.load(Ordering::SeqCst) == 1 => gone.clone(),
            _ => answer(json!({ "id": 1, "login": "ada" })),
        };
        Mock::given(path("/users/ada")).respond_with(refuse).mount(&server).await;
        profile(&client(&server, &["ours"]), "ada").await.unwrap();
    }
}

#[tokio::test]
async fn the_wrong_key_is_for_an_operator_to_mend() {
    let server = MockServer::start().await;
    let refused = error(401, "A JSON web token could not be decoded");
    Mock::given(path("/app/installations")).respond_with(refused).mount(&server).await;
    // Our clock is right.
    let asking = Asking::anew(DATE);
    let told = client(&server, &[]).profile(AccountPath::Login("ada"), &asking).await;
    let Err(AskError::Final(sentence)) = told else { panic!("{told:?}") };
    assert!(sentence.contains("the App is not accepted (401: A JSON web token"), "{sentence}");
    assert!(!sentence.contains("eyJ"), "{sentence}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_corrected_by_the_forges() {
    let server = MockServer::start().await;
    tokens(&server, 3600).await;
    profiles(&server, |bearer| bearer == "t1").await;
    let list = |request: &Request| {
        let bearer = request.headers.get("authorization").unwrap().to_str().unwrap();
        let claims = bearer.split('.').nth(1).unwrap();
        // The claims as they would be made at the forge's second.
        let right = AppKey::parse(&KEY.into()).map(|_| DATE).unwrap();
        let begins = format!("{{\"iat\":{}", right.0 - 60);
        let begun = data(&begins);
        if claims.starts_with(&begun[..begun.len() - 2]) {
            answer(json!([installation(5, 1, "ada")]))
        } else {
            error(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
        }
    };
    Mock::given(path("/app/installations")).respond_with(list).mount(&server).await;
    assert_ne!(NOW, DATE);
    profile(&client(&server, &[]), "ada").await.unwrap();
    let all = asked(&server).await;
    assert_eq!(pairs(&all)[..3].iter().filter(|(_, what)| *what == "/app/installations").count(), 2);
}

/// Base64 as JWTs have it.
fn data(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    text.as_bytes()
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |place| char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]))
        })
        .collect()
}

#[tokio::test]
async fn what_the_app_was_sent_is_asked_for_as_the_app() {
    let server = MockServer::start().await;
    let listed = json!([{ "id": 9, "guid": "g", "delivered_at": "2026-11-21T09:00:00Z", "redelivery": false,
        "status": "OK", "status_code": 200, "event": "installation" }]);
    Mock::given(path("/app/hook/deliveries")).respond_with(answer(listed)).mount(&server).await;
    Mock::given(path("/app/hook/deliveries/9/attempts")).respond_with(status(202)).mount(&server).await;
    let config = json!({ "url": "https://a/webhooks/github", "content_type": "json", "insecure_ssl": "0" });
    Mock::given(path("/app/hook/config")).respond_with(answer(config)).mount(&server).await;
    let client = client(&server, &["ours"]);
    assert_eq!(fresh(client.app_hook(&anew()).await).body.url, "https://a/webhooks/github");
    let page = client.deliveries(HookOwner::App, 0, DeliveriesPage::First, &anew()).await;
    assert_eq!(fresh(page).body[0].id, 9);
    client.redeliver(HookOwner::App, 0, 9, &anew()).await.unwrap();
    assert!(asked(&server).await.iter().all(|(who, _)| who == "app"));
}

#[tokio::test]
async fn an_app_is_made_of_a_manifest_and_nothing_of_it_is_shown() {
    let server = MockServer::start().await;
    let made = json!({ "id": 7, "slug": "t", "html_url": "https://g/apps/t", "pem": KEY,
        "webhook_secret": "hush", "client_secret": "hush" });
    let converted = Mock::given(method("POST")).and(path("/app-manifests/c0de/conversions"));
    converted.respond_with(ResponseTemplate::new(201).set_body_json(made)).mount(&server).await;
    let client = Client::new(Settings { tokens: Vec::new(), ..settings(&server.uri()) }).unwrap();
    let made = fresh(client.make_app("c0de", &anew()).await).body;
    assert!(made.key().is_ok() && made.id == 7);
    let shown = format!("{made:?}");
    assert!(!shown.contains("hush") && !shown.contains("PRIVATE"), "{shown}");
    assert!(matches!(client.make_app("other", &anew()).await.unwrap(), Answer::Refused { status: 404, .. }));
}
