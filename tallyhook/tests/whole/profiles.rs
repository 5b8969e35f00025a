//! S1's endpoints through the running process: profiles of GitHub and Bitbucket merged, the form page, hostile
//! addresses, and forges that fail.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Method;
use fake_bitbucket::{FakeBitbucket, Fault, Repository};
use fake_github::{AccountTruth, NewRepository, faults::RequestFault};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded;

use super::support::{
    forge::Forge,
    process::{Service, Setup},
    reader::{Answer, Reader},
    seconds, until,
    wire::{self, Wire},
};

/// A first load takes a second; a busy machine may take many.
const LOADED_WITHIN: Duration = seconds(60);

/// A forge that is asked every two seconds is heard of again within this.
const SWEPT_WITHIN: Duration = seconds(60);

const TEAM: &str = "https://bitbucket.org/team";

/// What `team` adds up to.
fn team() -> Value {
    json!({
        "originalRepos": 2, "forkedRepos": 1, "watchers": 6, "followers": 0,
        "langsNum": 3, "langs": ["c", "javascript", "rust"], "topicsNum": 0, "topics": []
    })
}

/// A Bitbucket with a team whose repositories take more than one page of ten, a private one and a user.
async fn bitbucket() -> FakeBitbucket {
    let bitbucket = FakeBitbucket::start().await.unwrap();
    bitbucket.world(|world| {
        world.create_workspace("team");
        world.create_repository("team", Repository::public("tools", "Rust").watched_by(4));
        world.create_repository("team", Repository::public("site", "JavaScript").watched_by(2));
        world.create_repository("team", Repository::public("copied", "C").forked());
        world.create_repository("team", Repository::public("secret", "Cobol").watched_by(50));
        world.change("team", "secret", |repository| repository.is_private = true);
        world.create_user("ada");
        world.create_repository("ada", Repository::public("engine", "assembly").watched_by(1));
    });
    bitbucket
}

fn with_bitbucket(setup: Setup, bitbucket: &FakeBitbucket) -> Setup {
    setup.with("BITBUCKET_API_URL", &bitbucket.url())
}

fn hub(login: &str) -> String {
    format!("https://github.com/{login}")
}

/// The path that asks for these profiles.
fn path<U: AsRef<str>>(urls: &[U]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for url in urls {
        query.append_pair("url", url.as_ref());
    }
    format!("/health-check?{}", query.finish())
}

/// The answer, once it is complete.
async fn complete<U: AsRef<str>>(reader: &Reader, urls: &[U]) -> Answer {
    until(LOADED_WITHIN, "a complete answer", async || {
        let answer = reader.get(&path(urls)).await;
        if answer.status == 200 && answer.is_complete() { Ok(answer) } else { Err(answer.text()) }
    })
    .await
}

/// The data of an answer, once it is this.
async fn until_data<U: AsRef<str>>(reader: &Reader, urls: &[U], wanted: &Value) -> Answer {
    until(SWEPT_WITHIN, "these numbers", async || {
        let answer = reader.get(&path(urls)).await;
        if answer.status == 200 && answer.json()["data"] == *wanted { Ok(answer) } else { Err(answer.text()) }
    })
    .await
}

/// What a GitHub account adds up to, from what is true there.
fn of_truth(truth: &AccountTruth) -> Value {
    let all = &truth.repositories;
    let langs: BTreeSet<String> =
        all.iter().flat_map(|repo| repo.languages.keys().map(|name| name.to_lowercase())).collect();
    let topics: BTreeSet<&String> = all.iter().flat_map(|repo| &repo.topics).collect();
    json!({
        "originalRepos": all.iter().filter(|repo| !repo.fork).count(),
        "forkedRepos": all.iter().filter(|repo| repo.fork).count(),
        "watchers": all.iter().map(|repo| repo.watchers).sum::<u64>(),
        "followers": all.iter().map(|repo| repo.stars).sum::<u64>(),
        "langsNum": langs.len(), "langs": langs, "topicsNum": topics.len(), "topics": topics,
    })
}

/// The sum of several, by what the contract says.
fn merged(parts: &[Value]) -> Value {
    let sum = |field: &str| parts.iter().map(|part| part[field].as_u64().unwrap()).sum::<u64>();
    let union = |field: &str| -> BTreeSet<String> {
        let names = parts.iter().flat_map(|part| part[field].as_array().unwrap());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let (langs, topics) = (union("langs"), union("topics"));
    json!({
        "originalRepos": sum("originalRepos"), "forkedRepos": sum("forkedRepos"), "watchers": sum("watchers"),
        "followers": sum("followers"), "langsNum": langs.len(), "langs": langs,
        "topicsNum": topics.len(), "topics": topics,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_of_both_forges_are_merged_with_every_header() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(31, 3).await, bitbucket().await);
    let service = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).serve().await;
    service.ready().await;
    let reader = service.reader();
    let truths = forge.truths();
    let [one, two] = [hub(&truths[0].login), hub(&truths[1].login)];

    let alone = complete(&reader, &[&one]).await;
    assert_eq!(alone.json(), json!({"error": "OK", "data": of_truth(&truths[0]), "missing": []}));
    let of_team = complete(&reader, &[TEAM]).await;
    assert_eq!(of_team.json(), json!({"error": "OK", "data": team(), "missing": []}));
    let text = of_team.text();
    assert!(
        text.starts_with(r#"{"error":"OK","data":{"originalRepos":2,"forkedRepos":1,"watchers":6,"#),
        "{text}"
    );

    // In any order of parameters; twice counts twice; who does not exist is named as given, each time.
    let nobody = hub("NoBody-here");
    let urls = [nobody.as_str(), &one, TEAM, "https://bitbucket.org/nobody", &two, TEAM, &nobody];
    let answer = complete(&reader, &urls).await;
    let parts = [of_truth(&truths[0]), team(), of_truth(&truths[1]), team()];
    assert_eq!(answer.json()["data"], merged(&parts));
    assert_eq!(answer.json()["missing"], json!([nobody, "https://bitbucket.org/nobody", nobody]));
    assert_eq!(
        complete(&reader, &["https://bitbucket.org/ada"]).await.json()["data"]["langs"],
        json!(["assembly"])
    );
    let shouted = complete(&reader, &[one.replace(&truths[0].login, &truths[0].login.to_uppercase())]).await;
    assert_eq!(shouted.body, alone.body, "names are the same whatever their case");

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, no-cache"));
    for name in ["tallyhook-as-of", "tallyhook-checked-at", "tallyhook-position", "etag"] {
        assert!(answer.header(name).is_some(), "{name}: {answer:?}");
    }
    let etag = answer.header("etag").unwrap();
    let known = reader.get_with(&path(&urls), &[("if-none-match", etag)]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let head = reader.ask(Method::HEAD, &path(&urls), &[]).await;
    assert_eq!((head.status, head.header("etag"), head.body.len()), (200, Some(etag), 0));
    let zipped = reader.get_with(&path(&urls), &[("accept-encoding", "gzip")]).await;
    let is_large = answer.body.len() >= 1024;
    assert_eq!(zipped.header("content-encoding"), is_large.then_some("gzip"));
    assert_eq!(reader.ask(Method::POST, &path(&urls), &[]).await.status, 405);

    // A part that moves moves the token; a star is heard of by webhook.
    forge.hook(&service);
    let starred = forge.open_repository(0);
    let stars = of_truth(&forge.truths()[0])["followers"].as_u64().unwrap();
    let fan = forge.owners.iter().copied().find(|fan| {
        let stargazers = forge.fake.world(|world| world.stargazers(starred.id));
        *fan != starred.owner && !stargazers.contains_key(fan)
    });
    let fan = fan.unwrap_or_else(|| forge.fake.world(|world| world.create_user("a-fan").unwrap()));
    forge.fake.world(|world| world.star(starred.id, fan)).unwrap();
    let moved = until(SWEPT_WITHIN, "the star", async || {
        let answer = reader.get(&path(&urls)).await.ok();
        let parts = [of_truth(&forge.truths()[0]), team(), of_truth(&forge.truths()[1]), team()];
        if answer.json()["data"] == merged(&parts) { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(of_truth(&forge.truths()[0])["followers"], stars + 1);
    assert_ne!(moved.header("tallyhook-position"), answer.header("tallyhook-position"));
    assert_ne!(moved.header("etag"), answer.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_profiles_and_more_are_one_request() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(32, 1).await, bitbucket().await);
    let mut urls = vec![TEAM.to_owned()];
    forge.fake.world(|world| {
        for number in 0..240 {
            let login = format!("member-{number}");
            let member = world.create_user(&login).unwrap();
            if number % 4 == 0 {
                let repo = world.create_repository(member, NewRepository::public("only")).unwrap();
                world.set_languages(repo, &[("Zig", 10)]).unwrap();
                world.set_subscribers(repo, 2).unwrap();
            }
            urls.push(hub(&login));
        }
    });
    // One of them is told of later than a first reader waits, on however fast a machine.
    forge.fake.faults().on_requests("/users/member-0", RequestFault::Slow(seconds(5)), Some(1));
    let service = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).serve().await;
    service.ready().await;
    let reader = service.reader();
    let first = reader.get(&path(&urls)).await;
    assert_eq!(first.refused(503)["type"], "https://tallyhook.dev/errors/computing");
    assert!(first.header("retry-after").is_some());
    let answer = complete(&reader, &urls).await;
    let data = &answer.json()["data"];
    assert_eq!((&data["originalRepos"], &data["watchers"]), (&json!(62), &json!(126)));
    assert_eq!(data["langs"], json!(["c", "javascript", "rust", "zig"]));

    // From ready rows: no forge is asked. A last question of the load may come to its end meanwhile.
    let asked = || forge.fake.requests().len() + bitbucket.requests().len();
    let before = asked();
    for _ in 0..20 {
        assert_eq!(reader.get(&path(&urls)).await.ok().body, answer.body);
    }
    assert!(asked() < before + 20, "{} requests more", asked() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_profile_is_refused_and_nobody_is_asked() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(33, 1).await, bitbucket().await);
    let stranger = FakeBitbucket::start().await.unwrap();
    let service = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).serve().await;
    service.ready().await;
    let reader = service.reader();
    let asked = (forge.fake.requests().len(), bitbucket.requests().len());

    let host = stranger.url().replace("http://", "");
    let long = hub(&"a".repeat(8 << 10));
    let wrong = [
        stranger.url(),
        format!("https://{host}/team"),
        format!("https://github.com@{host}/team"),
        format!("https://github.com:443@{host}/"),
        format!("https://github.com.{host}/team"),
        format!("{}/https://github.com/team", stranger.url()),
        format!("//{host}/team"),
        "https://github.com".to_owned(),
        "http://github.com/team".to_owned(),
        "https://github.com:8080/team".to_owned(),
        "https://me:hush@bitbucket.org/team".to_owned(),
        "https://GITHUB.com/team".to_owned(),
        "https://gіthub.com/team".to_owned(),
        "https://bitbucket.org.evil.example/team".to_owned(),
        "https://gitlab.com/team".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
        long,
    ];
    for url in &wrong {
        let answer = reader.get(&path(&[TEAM, url.as_str()])).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("ERR3")), "{url}: {answer:?}");
        assert!(answer.json()["message"].is_string());
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for none in ["/health-check", "/health-check?", "/health-check?link=https://github.com/team"] {
        assert_eq!(reader.get(none).await.json()["error"], "ERR3", "{none}");
    }
    // More than may be asked for at once, and more than a request's head holds.
    assert_eq!(reader.get(&path(&vec!["https://github.com/a"; 1_001])).await.status, 400);
    let wire = Wire::connect(service.api).await.unwrap();
    let many = path(&vec!["https://github.com/a"; 10_000]);
    let answer = wire.exchange(format!("GET {many} HTTP/1.1\r\nhost: tallyhook\r\n\r\n").as_bytes()).await;
    assert!(matches!(wire::statuses(&answer)[..], [400..500]), "{answer}");

    // Names that no forge gives: missing, and asked for nowhere.
    for name in
        ["", "a/b", "..", "octоcat", "a%2fb", "a b", "x@evil.example", "a\r\nHost: evil", "\u{0}", "@me"]
    {
        let url = hub(name);
        let answer = reader.get(&path(&[&url])).await.ok();
        assert_eq!(answer.json()["missing"], json!([url]));
        assert_eq!(answer.json()["data"]["watchers"], 0);
    }
    assert_eq!((forge.fake.requests().len(), bitbucket.requests().len()), asked, "neither forge was asked");
    assert_eq!(stranger.requests(), [], "nobody else was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_fails_is_an_error_only_where_nothing_was_ever_known() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(34, 1).await, bitbucket().await);
    let setup = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).with("RECONCILE", "2s");
    let service = setup.serve().await;
    service.ready().await;
    let reader = service.reader();
    let owner = hub(&forge.logins()[0]);
    complete(&reader, &[&owner, TEAM]).await;

    bitbucket.on_requests("/2.0/", Fault::Status(503), None);
    // Known: the last value, which says that it may be old. GitHub goes on beside it.
    until(SWEPT_WITHIN, "a known profile that says it is old", async || {
        let answer = reader.get(&path(&[TEAM])).await.ok();
        assert_eq!(answer.json()["data"], team());
        if answer.is_complete() { Err("still complete") } else { Ok(()) }
    })
    .await;
    complete(&reader, &[&owner]).await;
    let both = reader.get(&path(&[owner.as_str(), TEAM])).await.ok();
    assert!(!both.is_complete());

    // Never known: computing before the first whole attempt failed, an error after it.
    let ada = "https://bitbucket.org/ada";
    let failed = until(seconds(30), "the error", async || {
        let answer = reader.get(&path(&[owner.as_str(), ada])).await;
        match answer.status {
            500 => Ok(answer),
            503 => Err(answer.text()),
            other => panic!("{other}: {}", answer.text()),
        }
    })
    .await;
    assert_eq!(failed.json()["error"], "ERR2");
    assert_eq!(failed.header("content-type"), Some("application/json"));

    // It is tried again by itself.
    bitbucket.stop_faults();
    let found = until(seconds(35), "a forge that is back", async || {
        let answer = reader.get(&path(&[ada, TEAM])).await;
        if answer.status == 200 && answer.is_complete() { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(found.json()["data"]["watchers"], 7);

    // The same at GitHub.
    forge.fake.faults().on_requests("/users/somebody*", RequestFault::ServerError(502), None);
    forge.fake.world(|world| world.create_user("somebody").unwrap());
    until(seconds(30), "GitHub's error", async || {
        let answer = reader.get(&path(&[hub("somebody").as_str(), TEAM])).await;
        if answer.status == 500 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    forge.fake.faults().stop();
    complete(&reader, &[hub("somebody").as_str(), TEAM]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_answers_are_never_followed_elsewhere_and_never_believed() {
    let folder = TempDir::new().unwrap();
    let bitbucket = bitbucket().await;
    let stranger = FakeBitbucket::start().await.unwrap();
    let elsewhere = format!("{}/2.0/repositories/team", stranger.url());
    for (number, (part, fault)) in [
        ("/2.0/", Fault::Body("<html>hello".to_owned())),
        ("/2.0/repositories/", Fault::Body(r#"{"values":[{"uuid":7}]}"#.to_owned())),
        ("/2.0/repositories/", Fault::Redirect(elsewhere.clone())),
        ("/2.0/repositories/", Fault::NextIs(elsewhere.clone())),
        ("/2.0/repositories/", Fault::NextIsThisPage),
        ("/2.0/repositories/", Fault::NextNeverEnds),
    ]
    .into_iter()
    .enumerate()
    {
        bitbucket.on_requests(part, fault.clone(), None);
        let setup = Setup::new(folder.path()).with("BITBUCKET_API_URL", &bitbucket.url());
        let data = folder.path().join(format!("data-{number}"));
        let service = setup.with("DATA_DIR", data.to_str().unwrap()).serve().await;
        service.ready().await;
        let reader = service.reader();
        until(seconds(30), "an error", async || {
            let answer = reader.get(&path(&[TEAM])).await;
            match answer.status {
                500 => Ok(()),
                503 => Err(answer.text()),
                other => panic!("{fault:?}: {other}: {}", answer.text()),
            }
        })
        .await;
        let asked = bitbucket.requests().len();
        assert!(asked < (number + 1) * 60, "{fault:?}: {asked} requests are no bounded work");
        // Once the forge makes sense again, it is heard; a list whose pages led astray begins anew.
        bitbucket.stop_faults();
        let answer = complete(&reader, &[TEAM]).await;
        assert_eq!(answer.json()["data"], team(), "{fault:?}");
        service.kill().await;
    }
    assert_eq!(stranger.requests(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_waited_out_and_slowness_holds_up_no_other_forge() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(35, 1).await, bitbucket().await);
    bitbucket.on_requests("/2.0/workspaces/", Fault::Limit(Some(2)), Some(1));
    bitbucket.on_requests("/2.0/users/", Fault::Slow(seconds(25)), Some(1));
    let service = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).serve().await;
    service.ready().await;
    let reader = service.reader();
    let limited = reader.get(&path(&[TEAM])).await;
    assert!(matches!(limited.status, 200 | 503), "a limit is no failure: {}", limited.text());
    complete(&reader, &[TEAM]).await;

    let slow = reader.get(&path(&["https://bitbucket.org/ada"])).await;
    assert_eq!(slow.status, 503, "a reader waits two seconds, not for a slow forge");
    let owner = hub(&forge.logins()[0]);
    complete(&reader, &[owner.as_str(), TEAM]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tracking_on_read_the_unknown_are_missing() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(36, 1).await, bitbucket().await);
    let setup = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).with("TRACK_ON_READ", "false");
    let service = setup.with("TRACK", &forge.track()).serve().await;
    service.ready().await;
    let reader = service.reader();
    let owner = hub(&forge.logins()[0]);
    let answer = complete(&reader, &[owner.as_str(), TEAM]).await;
    assert_eq!(answer.json()["missing"], json!([TEAM]));
    assert_eq!(answer.json()["data"], of_truth(&forge.truths()[0]));
    assert_eq!(bitbucket.requests(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_private_or_is_deleted_leaves_the_sums() {
    let folder = TempDir::new().unwrap();
    let (forge, bitbucket) = (Forge::with_past(37, 1).await, bitbucket().await);
    let setup = with_bitbucket(Setup::of(folder.path(), &forge), &bitbucket).with("RECONCILE", "2s");
    let service = setup.serve().await;
    service.ready().await;
    let reader = service.reader();
    let owner = hub(&forge.logins()[0]);
    complete(&reader, &[owner.as_str(), TEAM]).await;
    forge.hook(&service);

    let hidden = forge.open_repository(0).id;
    forge.fake.world(|world| world.privatize_repository(hidden)).unwrap();
    until_data(&reader, &[&owner], &of_truth(&forge.truths()[0])).await;

    bitbucket.world(|world| {
        world.change("team", "tools", |repository| repository.is_private = true);
        world.delete_repository("team", "copied");
        world.change("team", "site", |repository| {
            repository.watchers = 9;
            repository.language = "TypeScript".to_owned();
        });
    });
    let left = json!({
        "originalRepos": 1, "forkedRepos": 0, "watchers": 9, "followers": 0,
        "langsNum": 1, "langs": ["typescript"], "topicsNum": 0, "topics": []
    });
    until_data(&reader, &[TEAM], &left).await;

    bitbucket.world(|world| world.delete_workspace("team"));
    until(SWEPT_WITHIN, "the workspace to be missing", async || {
        let answer = reader.get(&path(&[TEAM])).await;
        if answer.json()["missing"] == json!([TEAM]) { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn known_numbers_survive_a_restart_without_the_forge() {
    let folder = TempDir::new().unwrap();
    let bitbucket = bitbucket().await;
    let setup = Setup::new(folder.path()).with("BITBUCKET_API_URL", &bitbucket.url());
    let service: Service = setup.serve().await;
    service.ready().await;
    complete(&service.reader(), &[TEAM]).await;
    service.terminate().await.done();
    drop(bitbucket);

    let service = setup.serve().await;
    service.ready().await;
    let answer = service.reader().get(&path(&[TEAM])).await.ok();
    assert_eq!(answer.json()["data"], team());
    assert!(!answer.is_complete(), "our door was shut, and nobody could be asked since");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_shows_the_answer_and_escapes_everything() {
    let folder = TempDir::new().unwrap();
    let bitbucket = bitbucket().await;
    let setup = Setup::new(folder.path()).with("BITBUCKET_API_URL", &bitbucket.url());
    let service = setup.serve().await;
    service.ready().await;
    let reader = service.reader();
    complete(&reader, &[TEAM]).await;

    let empty = reader.get("/from-git/test").await.ok();
    assert_eq!(empty.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = empty.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
    let text = empty.text();
    assert!(text.contains("<form method=\"get\" action=\"/from-git/test\">"), "{text}");
    assert!(
        text.contains("<textarea") && !text.contains("<script") && !text.contains("id=\"answer\""),
        "{text}"
    );

    let ask = |profiles: &str| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("profiles", profiles).finish();
        format!("/from-git/test?{query}")
    };
    // As a browser sends it: one per line, with a last empty one.
    let shown = reader.get(&ask(&format!("{TEAM}\r\n  {TEAM} \r\n\r\n"))).await.ok().text();
    assert!(shown.contains("Status 200") && shown.contains("&quot;watchers&quot;: 12"), "{shown}");
    assert!(shown.contains(&format!(">\n{TEAM}")), "what was typed stays: {shown}");

    let hostile = "https://github.com/</textarea><script>alert(1)</script>\"'&";
    let shown = reader.get(&ask(hostile)).await.ok().text();
    assert!(!shown.contains("<script") && shown.matches("</textarea>").count() == 1, "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as it was typed: {shown}");
    let refused = reader.get(&ask("https://evil.example/<b>")).await.ok().text();
    assert!(refused.contains("Status 400") && refused.contains("ERR3"), "{refused}");
}
