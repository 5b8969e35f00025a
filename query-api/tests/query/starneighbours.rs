//! Star neighbours and the API keys that open them.

use std::{num::NonZeroU32, time::Duration};

use domain::{
    AccountId, Event, NeedKey, RepoId, Second, StreamKey,
    event::{Gazer, GazersListed, HiddenWhy, StarredReading, StarredRepository, StarsReading},
};
use query_api::{QuerySettings, Quota};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Reply, impatient, patient},
    forge::{HUBOT, OCTO},
};

const PATH: &str = "/repos/octo/a/starneighbours";

async fn make_key(bench: &Bench, expires_s: Option<u32>) -> (String, String) {
    let wish = json!({"name": "dashboard", "email": "ada@example.org", "expires_s": expires_s});
    let made = bench.admin_post("/admin/keys", wish).await;
    assert_eq!(made.status, 200, "{made:?}");
    let text = |field: &str| made.json()[field].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

async fn ask(bench: &Bench, path: &str, key: &str) -> Reply {
    bench.get_with(path, &[("x-api-key", key)]).await
}

/// Asserts a refusal in S3's words.
#[track_caller]
fn refused(reply: &Reply, status: u16, detail: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "private, no-store");
    assert_eq!(reply.json(), json!({ "detail": detail }));
}

fn stars() -> StarsReading<'static> {
    StarsReading::of(RepoId::github(1))
}

/// What the forge answers about two stargazers: the first shares two repositories, the second one.
async fn answer_stars(bench: &Bench) {
    let gazer = |id: u64| Gazer {
        id: AccountId::github(id),
        login: format!("user-{id}").into(),
        at: Second(1_700_000_000),
    };
    let since = bench.asked(OCTO.stream()).await.asked_at;
    let listed = Some(GazersListed { since, is_whole: true, absent: Vec::new() });
    let reading = StarsReading { gazers: vec![gazer(51), gazer(52)], listed, ..stars() };
    bench.answer(OCTO.stream(), vec![Event::Stars(Box::new(reading))]).await;
    let repository = |id: u64| StarredRepository {
        id: RepoId::github(id),
        owner: HUBOT.id(),
        full_name: format!("hubot/r{id}").into(),
    };
    let starred = |id: u64, repos: &[u64]| StarredReading {
        starrer: AccountId::github(id),
        login: format!("user-{id}").into(),
        repositories: repos.iter().copied().map(repository).collect(),
        is_whole: true,
        older_ms: None,
        pages: Vec::new(),
    };
    let reading = StarsReading { starred: vec![starred(51, &[61, 62]), starred(52, &[62])], ..stars() };
    bench.answer(OCTO.stream(), vec![Event::Stars(Box::new(reading))]).await;
}

fn both() -> Value {
    json!([
        {"repo": "hubot/r62", "stargazers": ["user-51", "user-52"]},
        {"repo": "hubot/r61", "stargazers": ["user-51"]},
    ])
}

/// Makes neighbours of Octo's first repository known, and that Hubot's seventh has none; returns a key.
pub(crate) async fn settle(bench: &Bench) -> String {
    for (account, repo) in [(OCTO, 1), (HUBOT, 7)] {
        let repo = RepoId::github(repo);
        bench.command(account.stream(), vec![Event::NeighboursWanted { repo }]).await;
        let since = bench.asked(account.stream()).await.asked_at;
        let listed = Some(GazersListed { since, is_whole: true, absent: Vec::new() });
        let reading = StarsReading { repo, listed, ..stars() };
        bench.answer(account.stream(), vec![Event::Stars(Box::new(reading))]).await;
    }
    answer_stars(bench).await;
    make_key(bench, None).await.1
}

/// A bench with a key, and neighbours that are known.
async fn ready(settings: QuerySettings) -> (Bench, String) {
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let (_, key) = make_key(&bench, None).await;
    bench.command(OCTO.stream(), vec![Event::NeighboursWanted { repo: RepoId::github(1) }]).await;
    answer_stars(&bench).await;
    (bench, key)
}

#[tokio::test]
async fn the_first_reader_waits_until_the_stargazers_are_known() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let (_, key) = make_key(&bench, None).await;
    let count = bench.commands_of(OCTO.stream()).await.len();
    let answering = async {
        bench.until_commands(OCTO.stream(), count + 1).await;
        let wish = bench.commands_of(OCTO.stream()).await.pop();
        assert_eq!(wish, Some(Event::NeighboursWanted { repo: RepoId::github(1) }));
        answer_stars(&bench).await;
    };
    let (first, ()) = tokio::join!(ask(&bench, PATH, &key), answering);
    // It may be sent as soon as the list is known, before anything that a stargazer starred is.
    assert_eq!(first.status, 200);
    let reply = ask(&bench, PATH, &key).await;
    assert_eq!(reply.json(), both());
    assert_eq!(reply.header("tallyhook-complete"), "true");
    assert_eq!(reply.header("cache-control"), "private, no-store");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("tallyhook-as-of"), "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn while_the_stargazers_are_not_known_it_is_computing() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let (_, key) = make_key(&bench, None).await;
    let reply = ask(&bench, PATH, &key).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "1"));
    assert!(reply.json()["detail"].is_string());
}

#[tokio::test]
async fn limits_narrow_the_answer_and_have_tags_of_their_own() {
    let (bench, key) = ready(patient()).await;
    let all = ask(&bench, PATH, &key).await;
    let one = ask(&bench, &format!("{PATH}?limit=1"), &key).await;
    let two = ask(&bench, &format!("{PATH}?min_shared=2"), &key).await;
    assert_eq!((one.json(), two.json()), (json!([both()[0]]), json!([both()[0]])));
    assert_ne!(one.header("etag"), all.header("etag"));
    assert_eq!(ask(&bench, &format!("{PATH}?limit=0"), &key).await.json(), json!([]));
    for wrong in ["limit=-1", "limit=x", "limit=", "min_shared=1e3", "min_shared=99999999999"] {
        let reply = ask(&bench, &format!("{PATH}?{wrong}"), &key).await;
        assert_eq!(reply.status, 400, "{wrong}");
    }
    let known = [("x-api-key", key.as_str()), ("if-none-match", all.header("etag"))];
    let reply = bench.get_with(PATH, &known).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
}

#[tokio::test]
async fn what_is_hidden_is_left_out_though_another_account_starred_it() {
    let (bench, key) = ready(patient()).await;
    HUBOT.settle(&bench, &[(62, "r62")]).await;
    let before = ask(&bench, PATH, &key).await;
    let hidden = Event::RepositoryHidden {
        repo: RepoId::github(62),
        at: bench.now().to_second(),
        why: HiddenWhy::Private,
    };
    bench.deliver(HUBOT.stream(), vec![hidden]).await;
    let reply = ask(&bench, PATH, &key).await;
    assert_eq!(reply.json(), json!([both()[1]]));
    assert_ne!(reply.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn a_tag_lasts_as_long_as_the_bytes() {
    let (bench, key) = ready(patient()).await;
    HUBOT.settle(&bench, &[(62, "r62"), (77, "elsewhere")]).await;
    let tag = async |path: &str| ask(&bench, path, &key).await.header("etag").to_owned();
    let narrow = format!("{PATH}?limit=1");
    let before = (tag(PATH).await, tag(&narrow).await);
    let hide = async |repo| {
        let (repo, at) = (RepoId::github(repo), bench.now().to_second());
        let why = HiddenWhy::Private;
        bench.deliver(HUBOT.stream(), vec![Event::RepositoryHidden { repo, at, why }]).await;
    };
    hide(77).await;
    assert_eq!((tag(PATH).await, tag(&narrow).await), before, "it is no neighbour");
    let known = [("x-api-key", key.as_str()), ("if-none-match", before.0.as_str())];
    assert_eq!(bench.get_with(PATH, &known).await.status, 304);
    hide(61).await;
    assert_ne!(tag(PATH).await, before.0, "it was shown");
    assert_eq!(tag(&narrow).await, before.1, "it was beyond the limit");
    // Checked again, without news.
    let since = bench.asked(OCTO.stream()).await.asked_at;
    let listed = Some(GazersListed { since, is_whole: true, absent: Vec::new() });
    let after = tag(PATH).await;
    bench.answer(OCTO.stream(), vec![Event::Stars(Box::new(StarsReading { listed, ..stars() }))]).await;
    assert_eq!(tag(PATH).await, after);
}

#[tokio::test]
async fn repositories_that_cannot_be_shown_are_refused_in_the_words_of_s3() {
    let (bench, key) = ready(patient()).await;
    for path in ["/repos/octo/nothing/starneighbours", "/repos/octo/%FF/starneighbours"] {
        refused(&ask(&bench, path, &key).await, 404, "Repository not found");
    }
    let asked = bench.asked(OCTO.stream()).await;
    assert!(asked.date > Second(0));
    bench.answer(OCTO.stream(), vec![Event::RepositoryGone { repo: RepoId::github(1) }]).await;
    bench.answer(OCTO.stream(), vec![Event::RepositoryGone { repo: RepoId::github(1) }]).await;
    refused(&ask(&bench, PATH, &key).await, 404, "Repository not found");
}

#[tokio::test]
async fn a_list_that_github_keeps_from_us_is_403() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let (_, key) = make_key(&bench, None).await;
    bench.command(OCTO.stream(), vec![Event::NeighboursWanted { repo: RepoId::github(1) }]).await;
    let refusal = Event::Refused { about: NeedKey::Stargazers(RepoId::github(1)), status: 403 };
    bench.answer(OCTO.stream(), vec![refusal]).await;
    let reply = ask(&bench, PATH, &key).await;
    refused(&reply, 403, "GitHub keeps the stargazers of this repository from us");
}

#[tokio::test]
async fn only_a_good_key_opens() {
    let (bench, key) = ready(patient()).await;
    let missing = bench.get(PATH).await;
    refused(&missing, 401, "API key is missing");
    assert!(missing.header("www-authenticate").starts_with("Bearer"));
    let swapped = if key.ends_with('0') { "1" } else { "0" };
    let other_secret = format!("{}{swapped}", &key[..key.len() - 1]);
    let other_id = format!("th_{}{}", "0".repeat(16), &key[19..]);
    let (shorter, longer) = (key[..key.len() - 1].to_owned(), format!("{key}0"));
    for wrong in ["x", "th_", &shorter, &longer, &other_secret, &other_id, &key.to_uppercase()] {
        refused(&ask(&bench, PATH, wrong).await, 401, "Invalid API key");
    }
    let bearer = bench.get_with(PATH, &[("authorization", &format!("Bearer {key}"))]).await;
    assert_eq!(bearer.status, 200);
}

#[tokio::test]
async fn a_key_works_when_it_is_made_and_ends_when_it_is_revoked_or_expires() {
    let (bench, _) = ready(patient()).await;
    let (id, key) = make_key(&bench, None).await;
    let (_, short) = make_key(&bench, Some(60)).await;
    assert_eq!(ask(&bench, PATH, &key).await.status, 200);
    assert_eq!(ask(&bench, PATH, &short).await.status, 200);

    bench.pass(Duration::from_secs(60));
    refused(&ask(&bench, PATH, &short).await, 401, "API key has expired");
    assert_eq!(ask(&bench, PATH, &key).await.status, 200);

    let revoked = bench.admin_post("/admin/keys/revoke", json!({"ids": [id, "nobody"]})).await;
    assert_eq!(
        revoked.json(),
        json!({"keys": [{"id": id, "state": "revoked"}, {"id": "nobody", "state": "unknown"}]})
    );
    refused(&ask(&bench, PATH, &key).await, 401, "Invalid API key");

    let list = bench.admin_get("/admin/keys").await.json();
    let states: Vec<&str> =
        list["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    let count = |state: &str| states.iter().filter(|other| **other == state).count();
    assert_eq!((states.len(), count("works"), count("expired"), count("revoked")), (3, 1, 1, 1));
    assert!(!list.to_string().contains(&key[20..]), "a key is shown once");
}

#[tokio::test]
async fn the_log_and_the_store_hold_no_key() {
    let (bench, key) = ready(patient()).await;
    let commands = format!("{:?}", bench.commands_of(StreamKey::Service).await);
    assert!(commands.contains("ApiKeyMade"));
    assert!(!commands.contains(&key[20..]));
}

#[tokio::test]
async fn use_is_told_once_a_day() {
    let (bench, key) = ready(patient()).await;
    let count = bench.commands_of(StreamKey::Service).await.len();
    for _ in 0..3 {
        assert_eq!(ask(&bench, PATH, &key).await.status, 200);
    }
    bench.until_commands(StreamKey::Service, count + 1).await;
    bench.settle().await;
    assert_eq!(bench.commands_of(StreamKey::Service).await.len(), count + 1);
    let list = bench.admin_get("/admin/keys").await.json();
    assert!(list["keys"][0]["used_at"].is_string(), "{list}");
}

#[tokio::test]
async fn each_key_has_a_limit_of_its_own() {
    let quota = Quota::per_hour(NonZeroU32::new(2).unwrap());
    let (bench, key) = ready(QuerySettings { key_limit: Some(quota), ..patient() }).await;
    let (_, other) = make_key(&bench, None).await;
    for left in ["1", "0"] {
        let reply = ask(&bench, PATH, &key).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-ratelimit-remaining")), (200, left));
        assert_eq!(reply.header("x-ratelimit-limit"), "2");
        assert!(reply.header("x-ratelimit-reset").parse::<i64>().unwrap() > bench.now().to_second().0);
    }
    let reply = ask(&bench, PATH, &key).await;
    refused(&reply, 429, "This API key asks too often");
    assert_eq!(reply.header("x-ratelimit-remaining"), "0");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=1_800).contains(&wait), "{wait}");
    assert_eq!(ask(&bench, PATH, &other).await.status, 200);
    // Who has no good key is not counted.
    refused(&bench.get(PATH).await, 401, "API key is missing");
}

#[tokio::test]
async fn keys_are_made_for_somebody() {
    let bench = Bench::new(patient()).await;
    for wrong in [
        json!({"name": "", "email": "a@b"}),
        json!({"name": "x", "email": "nobody"}),
        json!({"name": "x\ny", "email": "a@b"}),
        json!({"name": "x".repeat(300), "email": "a@b"}),
        json!({"name": "x", "email": "a@b", "expires_s": -1}),
        json!({"name": "x"}),
    ] {
        bench.admin_post("/admin/keys", wrong).await.problem(400, "bad-request");
    }
    assert_eq!(bench.admin_get("/admin/keys").await.json(), json!({"keys": []}));
}
