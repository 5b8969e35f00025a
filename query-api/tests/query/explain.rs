//! `GET /v1/repos/{owner}/{name}/explain`.

use domain::{
    CommitId, Epoch, Event, RepoId, Row, RowKey, Second, Version,
    event::{PullReading, PullState, Push},
    trail::{Field, Marks, Step, Teller},
};
use serde_json::{Value, json};
use view_store::ViewStore;

use crate::{
    bench::{Bench, impatient, patient, start},
    forge::{Account, HUBOT, OCTO, commits_of, just_now},
};

const PATH: &str = "/v1/repos/octo/tool/explain";

fn sha(number: u64) -> CommitId {
    format!("{:040x}", number + 1).parse().unwrap()
}

/// A push of one commit, so many seconds after the bench began; the account's first repository has ten.
fn push(before: u64, after: u64, seconds: i64) -> Event<'static> {
    Event::Push(Push {
        repo: RepoId::github(1),
        branch: Some("main".into()),
        default_branch: Some("main".into()),
        before: Some(sha(before)),
        after: Some(sha(after)),
        added: Some(1),
        pushed_at: Some(Second(start().0 + seconds)),
    })
}

/// Fails unless base and steps make a chain that ends in the number.
#[track_caller]
fn assert_adds_up(field: &Value) {
    let mut value = &field["base"]["value"];
    for step in field["steps"].as_array().unwrap() {
        assert_eq!(&step["before"], value, "{field:#}");
        value = &step["after"];
    }
    assert_eq!(value, &field["value"], "{field:#}");
}

#[tokio::test]
async fn a_number_is_told_by_its_deliveries_and_questions() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "tool")]).await;
    bench.deliver_as("guid-one", OCTO.stream(), vec![push(10, 11, 1)]).await;
    bench.deliver_as("guid-two", OCTO.stream(), vec![push(20, 21, 2)]).await;
    bench.answer(OCTO.stream(), vec![commits_of(1, 21)]).await;

    let reply = bench.get(&format!("{PATH}?field=counts.commits")).await;
    assert_eq!(reply.status, 200);
    let told = reply.json();
    assert_eq!(told["repository"], "Octo/tool");
    assert_eq!(told["freshness"], bench.get("/v1/repos/octo/tool").await.json()["freshness"]);
    let field = &told["fields"][0];
    assert_eq!(told["fields"].as_array().unwrap().len(), 1);
    assert_adds_up(field);
    assert_eq!((&field["field"], &field["value"]), (&"counts.commits".into(), &21.into()));
    assert_eq!(field["base"]["reason"], "unknown");
    let steps = field["steps"].as_array().unwrap();
    let brief = |step: &Value| {
        json!([
            step["by"],
            step["delivery"],
            step["event"],
            step["request"],
            step["before"],
            step["after"],
            step["doubt"]
        ])
    };
    assert_eq!(
        steps.iter().map(brief).collect::<Vec<_>>(),
        [
            json!(["request", null, null, "commits", null, 10, null]),
            json!(["delivery", "guid-one", "push", null, 10, 11, null]),
            json!(["delivery", "guid-two", "push", null, 11, 11, "raised"]),
            json!(["request", null, null, "commits", 11, 21, "settled"]),
        ]
    );
    assert_eq!(steps[1]["forge_time"], Second(start().0 + 1).to_string());
    assert_eq!(steps[1]["received_at"], bench.now().to_string());
    let traced = bench.get("/v1/deliveries/guid-one").await.json();
    assert_eq!(traced["delivery"]["positions"], json!([steps[1]["position"]]));
    assert_eq!(field["base"]["before"], steps[0]["position"]);
}

#[tokio::test]
async fn headers_names_and_refusals_are_those_of_the_repository() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "tool"), (2, "secret")]).await;
    let repository = bench.get("/v1/repos/octo/tool").await;
    let reply = bench.get(PATH).await;
    for name in
        ["tallyhook-as-of", "tallyhook-checked-at", "tallyhook-complete", "cache-control", "content-type"]
    {
        assert_eq!(reply.header(name), repository.header(name), "{name}");
    }
    assert_eq!(reply.header("tallyhook-position"), repository.header("tallyhook-position"));
    let known = bench.get_with(PATH, &[("if-none-match", reply.header("etag"))]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    bench.deliver(OCTO.stream(), vec![push(10, 11, 1)]).await;
    let changed = bench.get_with(PATH, &[("if-none-match", reply.header("etag"))]).await;
    assert_eq!(changed.status, 200);

    let detail = bench.get(&format!("{PATH}?field=commits")).await.problem(400, "bad-request");
    assert!(detail.contains("counts.commits, counts.pull_requests.total"), "{detail}");
    bench.get(&format!("{PATH}?field=")).await.problem(400, "bad-request");

    bench.get("/v1/repos/octo/secret/explain").await.json();
    OCTO.hide(&bench, 2).await;
    let hidden = bench.get("/v1/repos/octo/secret/explain").await;
    let never = bench.get("/v1/repos/octo/never-was/explain").await;
    hidden.problem(404, "not-found");
    assert_eq!((&hidden.body, &hidden.headers), (&never.body, &never.headers));
    bench.get("/v1/repos/nobody-here/tool/explain").await.problem(503, "computing");

    let renamed = Account { number: OCTO.number, login: "Octa" };
    bench.answer(OCTO.stream(), vec![renamed.profile()]).await;
    let moved = bench.get(&format!("{PATH}?field=counts.stars")).await;
    let location = "/v1/repos/Octa/tool/explain?field=counts.stars";
    assert_eq!((moved.status.as_u16(), moved.header("location")), (301, location));
    let to = HUBOT.id();
    let gone = Event::RepositoryMoved { repo: RepoId::github(1), to, at: just_now() };
    bench.deliver(OCTO.stream(), vec![gone]).await;
    bench.get("/v1/repos/octa/tool/explain").await.problem(404, "not-found");
}

#[tokio::test]
async fn many_changes_are_told_from_a_base_on() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "tool")]).await;
    for (head, second) in (10..).zip(1..=40) {
        bench.deliver_as(&format!("guid-{second}"), OCTO.stream(), vec![push(head, head + 1, second)]).await;
    }
    let pull = |number, updated_at| {
        let pull = PullReading { repo: RepoId::github(1), number, state: PullState::Open, updated_at };
        vec![Event::Pull(pull)]
    };
    for number in 3..50 {
        bench.deliver(OCTO.stream(), pull(number, start())).await;
        bench.deliver(OCTO.stream(), pull(number, Second(start().0 + 1))).await;
    }
    let told = bench.get(PATH).await.json();
    let fields = told["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 10);
    for field in fields {
        assert_adds_up(field);
        assert!(field["steps"].as_array().unwrap().len() <= 4, "{field:#}");
        assert_ne!(field["base"]["reason"], "unrecorded", "{field:#}");
    }
    let alone = async |field: &str| {
        let told = bench.get(&format!("{PATH}?field={field}")).await.json();
        assert_adds_up(&told["fields"][0]);
        told["fields"][0].clone()
    };
    let commits = alone("counts.commits").await;
    assert_eq!((&commits["value"], &commits["base"]["value"]), (&50.into(), &34.into()));
    assert_eq!(commits["base"]["reason"], "older");
    assert_eq!(commits["steps"].as_array().unwrap().len(), 16);
    assert_eq!(commits["steps"][0]["delivery"], "guid-25");
    // Of each pull request two deliveries tell, and one changes the number.
    let pulls = alone("counts.pull_requests.open").await;
    assert_eq!((&pulls["value"], &pulls["base"]["value"]), (&48.into(), &32.into()));
    assert_eq!(pulls["steps"].as_array().unwrap().len(), 16);
    assert_eq!(
        bench.get(&format!("{PATH}?field=counts.pull_requests")).await.json()["fields"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

/// A crash in the middle of a write may leave a step unwritten: then others do not end in the number.
#[tokio::test]
async fn steps_that_do_not_fit_are_not_told() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "tool")]).await;
    bench.deliver(OCTO.stream(), vec![push(10, 11, 1)]).await;
    let position = bench.get("/v1/repos/octo/tool").await.header("tallyhook-position").to_owned();
    let offset = position.split_once(':').unwrap().1.parse().unwrap();
    let step = Step {
        marks: Marks::default(),
        teller: Teller::Delivery,
        at: Second(1),
        received_ms: bench.now(),
        before: vec![Some(1)],
        after: vec![Some(77)],
        what: "star".into(),
        id: "of-another-time".into(),
    };
    let key = RowKey::Trail(OCTO.id(), RepoId::github(1), Field::Stars, 0);
    let row = Row { key, version: Version::new(Epoch::FIRST, offset), value: step.encode().into() };
    bench.store.write(vec![row]).await.unwrap();

    let told = bench.get(&format!("{PATH}?field=counts.stars")).await.json();
    let field = &told["fields"][0];
    assert_adds_up(field);
    assert_eq!((&field["value"], &field["base"]["reason"]), (&3.into(), &"unrecorded".into()));
    assert_eq!((&field["steps"], &field["base"]["before"]), (&json!([]), &Value::Null));
    let commits = bench.get(&format!("{PATH}?field=counts.commits")).await.json();
    assert_eq!(commits["fields"][0]["steps"].as_array().unwrap().len(), 2, "others are told all the same");
}

#[tokio::test]
async fn people_read_it_on_pages_that_lead_from_the_console() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "tool"), (2, "secret")]).await;
    bench.deliver_as("<guid>", OCTO.stream(), vec![push(10, 11, 1)]).await;
    let page = async |path: &str| {
        let reply = bench.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(reply.header("cache-control"), "no-store");
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    assert!(page("/console").await.contains("href=\"/console/why/Octo\""));
    let list = page("/console/why/octo").await;
    assert!(list.contains("href=\"/console/why/Octo/tool\"") && list.contains("secret"), "{list}");
    let why = page("/console/why/octo/tool").await;
    for part in
        ["counts.commits <small>11</small>", "10 → 11", "a question (commits)", "Nothing was known before."]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(why.contains("&lt;guid&gt;") && !why.contains("<guid>"), "{why}");

    OCTO.hide(&bench, 2).await;
    assert!(!page("/console/why/octo").await.contains("secret"));
    bench.get("/console/why/octo/secret").await.problem(404, "not-found");
    let renamed = Account { number: OCTO.number, login: "Octa" };
    bench.answer(OCTO.stream(), vec![renamed.profile()]).await;
    for (old, new) in [
        ("/console/why/octo?page=1", "/console/why/Octa?page=1"),
        ("/console/why/octo/tool", "/console/why/Octa/tool"),
    ] {
        let moved = bench.get(old).await;
        assert_eq!((moved.status.as_u16(), moved.header("location")), (301, new));
    }
}
