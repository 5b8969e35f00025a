//! Users of S2, what is new to them, and an account's gists through our own API.

use domain::{
    Event, Millis, Second, StreamKey,
    event::{GistFacts, GistFile, GistUserFound, GistsReading, GistsWantedBy},
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::join;
use tower::ServiceExt as _;

use crate::{
    bench::{Bench, Reply, impatient, patient, post},
    forge::{Account, HUBOT, OCTO},
};

fn gist(id: &str, files: &[&str]) -> GistFacts {
    let file = |name: &&str| GistFile {
        filename: (*name).to_owned(),
        language: Some("Text".to_owned()),
        size: Some(4),
        raw_url: format!("https://raw.forge.test/{id}/{name}"),
    };
    GistFacts {
        id: id.to_owned(),
        owner: OCTO.login.to_owned(),
        url: format!("https://gist.forge.test/{id}"),
        description: None,
        files: files.iter().map(file).collect(),
        created_at: Some(Second(100)),
        updated_at: Second(200),
    }
}

/// Somebody reads this account's gists.
pub(crate) async fn settle(bench: &Bench, account: Account) {
    bench.command(account.stream(), vec![Event::GistsWanted(GistsWantedBy::Read)]).await;
    poll(bench, account, vec![gist("a", &["x"])]).await;
}

async fn poll(bench: &Bench, account: Account, gists: Vec<GistFacts>) {
    let newest = gists.iter().map(|gist| gist.updated_at).max();
    let reading =
        GistsReading { gists, newest, is_whole: true, next_ms: Millis(i64::MAX), ..GistsReading::default() };
    bench.answer(account.stream(), vec![Event::Gists(Box::new(reading))]).await;
}

/// Backfill found out who a user is.
async fn found(bench: &Bench, account: Account) {
    let wanted = vec![account.profile(), Event::GistsWanted(GistsWantedBy::User)];
    bench.answer(account.stream(), wanted).await;
    let login = account.login.to_lowercase();
    let found = GistUserFound { login, account: Some(account.id()), next_ms: Millis(0) };
    bench.answer(StreamKey::Service, vec![Event::GistUserFound(found)]).await;
}

async fn add(bench: &Bench, path: &str) -> Reply {
    bench.ask(post(path, &json!(null))).await
}

async fn visit(bench: &Bench, login: &str) -> Vec<String> {
    let reply = bench.ask(post(&format!("/latestgists/{login}"), &json!(null))).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/json"));
    let name =
        |file: &Value| format!("{}/{}", file["id"].as_str().unwrap(), file["filename"].as_str().unwrap());
    reply.json().as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn users_are_added_listed_and_kept_apart() {
    let bench = Bench::new(patient()).await;
    let none = bench.get("/users").await;
    assert_eq!(
        (none.status, none.json(), none.header("tallyhook-complete")),
        (StatusCode::OK, json!([]), "true")
    );
    for _ in 0..2 {
        let reply = add(&bench, "/users/Octo/2").await;
        assert_eq!((reply.status, reply.json()), (StatusCode::OK, json!({"login": "Octo", "id": 2})));
    }
    assert_eq!(add(&bench, "/users/octo/2").await.json(), json!({"login": "Octo", "id": 2}));
    assert_eq!(add(&bench, "/users/ada/9007199254740991").await.status, 200);
    for path in [
        "/users/octo/3",
        "/users/joan/2",
        "/users/joan/-1",
        "/users/joan/x",
        "/users/joan/9007199254740992",
        "/users/@me/4",
        "/users/a%20b/4",
        "/users/%2e%2e/4",
    ] {
        add(&bench, path).await.problem(400, "bad-request");
    }
    let all = bench.get("/users").await;
    assert_eq!(
        all.json(),
        json!([{"login": "Octo", "id": 2}, {"login": "ada", "id": 9_007_199_254_740_991_u64}])
    );
    let tag = all.header("etag").to_owned();
    assert_eq!(bench.get_with("/users", &[("if-none-match", &tag)]).await.status, 304);
    let added = bench.commands_of(StreamKey::Service).await;
    let added = added.iter().filter(|event| matches!(event, Event::GistUserAdded { .. })).count();
    assert_eq!(added, 2, "what is refused, or there already, is not in the log");
    add(&bench, "/latestgists/nobody").await.problem(400, "bad-request");
}

#[tokio::test]
async fn of_two_who_want_a_login_at_once_one_has_it() {
    let bench = Bench::new(patient()).await;
    bench.hold();
    let (one, other, ()) = join!(add(&bench, "/users/octo/1"), add(&bench, "/users/octo/2"), async {
        while bench.commands_of(StreamKey::Service).await.len() < 3 {
            tokio::task::yield_now().await;
        }
        bench.release().await;
    });
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn each_visit_shows_what_came_since_the_last() {
    let bench = Bench::new(patient()).await;
    add(&bench, "/users/Octo/1").await;
    add(&bench, "/users/hubot/2").await;
    assert_eq!(visit(&bench, "octo").await, [""; 0], "nothing is known yet");
    found(&bench, OCTO).await;
    assert_eq!(visit(&bench, "octo").await, [""; 0]);
    poll(&bench, OCTO, vec![gist("a", &["x", "y"])]).await;
    let reply = bench.ask(post("/latestgists/OCTO", &json!(null))).await;
    let raw_url = "https://raw.forge.test/a/x";
    assert_eq!(reply.json()[0], json!({"id": "a", "owner": "Octo", "filename": "x", "raw_url": raw_url}));
    assert_eq!(visit(&bench, "octo").await, [""; 0]);
    bench.until_commands(StreamKey::Service, 4).await;
    assert_eq!(visit(&bench, "octo").await, [""; 0], "also once the visit is folded");
    poll(&bench, OCTO, vec![gist("a", &["x", "y", "z"]), gist("b", &["x"])]).await;
    assert_eq!(visit(&bench, "octo").await, ["b/x"]);
    assert_eq!(visit(&bench, "hubot").await, [""; 0], "the other one's are empty");
}

#[tokio::test]
async fn what_was_not_written_is_shown_again_and_what_was_is_not_although_nothing_is_folded() {
    let bench = Bench::new(patient()).await;
    add(&bench, "/users/octo/1").await;
    found(&bench, OCTO).await;
    poll(&bench, OCTO, vec![gist("a", &["x"])]).await;
    let unread = bench.api.router().oneshot(post("/latestgists/octo", &json!(null))).await.unwrap();
    assert_eq!(unread.status(), StatusCode::OK);
    drop(unread);
    bench.hold();
    assert_eq!(visit(&bench, "octo").await, ["a/x"], "nobody read the first answer");
    assert_eq!(visit(&bench, "octo").await, [""; 0], "the visit is not folded, but this process knows of it");
    bench.release().await;
    assert_eq!(visit(&bench, "octo").await, [""; 0]);
}

#[tokio::test]
async fn the_gists_of_an_account_are_asked_for_by_their_first_reader() {
    for is_on in [true, false] {
        let mut settings = patient();
        settings.track_on_read = is_on;
        let bench = Bench::new(settings).await;
        OCTO.settle(&bench, &[]).await;
        let (reply, ()) = join!(bench.get("/v1/accounts/octo/gists"), async {
            bench.until_commands(OCTO.stream(), 1).await;
            let wanted = Event::GistsWanted(GistsWantedBy::Read);
            assert_eq!(bench.commands_of(OCTO.stream()).await, [wanted]);
            poll(&bench, OCTO, vec![gist("a", &["x"])]).await;
        });
        assert_eq!((reply.status, reply.header("tallyhook-complete")), (StatusCode::OK, "true"));
        let shown = reply.json();
        assert_eq!(shown["gists"][0]["files"][0]["filename"], "x");
        assert_eq!(shown["gists"][0]["updated_at"], "1970-01-01T00:03:20Z");
        assert_eq!(
            shown["freshness"],
            json!({"as_of": "1970-01-01T00:03:20Z", "complete": true, "missing": []})
        );
    }
}

#[tokio::test]
async fn gists_of_accounts_that_are_not_kept_are_not_shown() {
    let mut settings = impatient();
    settings.track_on_read = false;
    let bench = Bench::new(settings).await;
    bench.get("/v1/accounts/octo/gists").await.problem(404, "not-tracked");
    add(&bench, "/users/hubot/2").await;
    found(&bench, HUBOT).await;
    poll(&bench, HUBOT, vec![]).await;
    bench.get("/v1/accounts/hubot/gists").await.problem(404, "not-tracked");
    OCTO.settle(&bench, &[]).await;
    bench.get("/v1/accounts/octo/gists").await.problem(503, "computing");
}

#[tokio::test]
async fn somebody_is_there() {
    let bench = Bench::new(patient()).await;
    let reply = bench.get("/health").await;
    assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, b"Alive".as_slice()));
    assert!(reply.header("content-type").starts_with("text/plain"));
}
