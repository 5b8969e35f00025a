//! `POST /graphql`: what it answers, what that costs, and how it goes wrong.

use std::collections::BTreeMap;

use fake_github::{
    Clock, FakeConfig, FakeGithub, NewRepository, RepoId, Second, Visibility, faults::RequestFault,
};
use serde_json::{Value, json};

use crate::client::{Answer, Api};

const QUERY: &str = "query($login: String!, $first: Int!, $after: String) {
  rateLimit { limit cost remaining resetAt nodeCount }
  repositoryOwner(login: $login) {
    login ... on User { databaseId followers { totalCount } } ... on Organization { databaseId }
    repositories(first: $first, after: $after, ownerAffiliations: OWNER, privacy: PUBLIC,
                 orderBy: { field: NAME, direction: ASC }) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes {
        databaseId nameWithOwner url isPrivate isFork stargazerCount forkCount updatedAt pushedAt
        watchers { totalCount }
        defaultBranchRef { name target { oid ... on Commit { history { totalCount } } } }
        pullRequests { totalCount } open: pullRequests(states: OPEN) { totalCount }
        newest: pullRequests(first: 1, orderBy: { field: CREATED_AT, direction: DESC }) { nodes { number state } }
        languages(first: 100) { totalSize edges { size node { name } } }
        repositoryTopics(first: 100) { nodes { topic { name } } }
      }
    }
  }
}";

struct Setup {
    fake: FakeGithub,
    clock: Clock,
    api: Api,
    repos: Vec<RepoId>,
}

impl Setup {
    async fn new(config: FakeConfig) -> Self {
        let clock = Clock::scripted(Second(1_795_000_000));
        let fake = FakeGithub::start(FakeConfig { clock: clock.clone(), ..config }).await.unwrap();
        let repos = fake.world(|world| {
            let ada = world.create_user("Ada").unwrap();
            world.accept_token("secret", ada);
            let secret = NewRepository { visibility: Visibility::Private, ..NewRepository::public("secret") };
            world.create_repository(ada, secret).unwrap();
            ["engine", "Bernoulli", "empty"].map(|name| {
                let repo = world.create_repository(ada, NewRepository::public(name)).unwrap();
                if name != "empty" {
                    world.push_commits(repo, "main", 3).unwrap();
                }
                repo
            })
        });
        let api = Api::new(fake.url()).token("secret");
        Setup { fake, clock, api, repos: repos.into() }
    }

    async fn ask(&self, first: u64, after: Option<&str>) -> Answer {
        let variables = json!({ "login": "ada", "first": first, "after": after });
        self.api.post("/graphql", &json!({ "query": QUERY, "variables": variables }).to_string()).await
    }
}

fn nodes(answer: &Value) -> &Vec<Value> {
    answer.pointer("/data/repositoryOwner/repositories/nodes").and_then(Value::as_array).unwrap()
}

#[tokio::test]
async fn one_query_tells_what_is_true_of_all_public_repositories() {
    let setup = Setup::new(FakeConfig::default()).await;
    let answer = setup.ask(50, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    assert_eq!(json.get("errors"), None, "{json}");
    let names: Vec<&str> = nodes(&json).iter().map(|node| node["nameWithOwner"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ada/Bernoulli", "Ada/empty", "Ada/engine"], "no private one, by name");
    let truths: BTreeMap<u64, _> = setup
        .fake
        .world(|world| setup.repos.iter().map(|repo| (repo.0, world.truth(*repo).unwrap())).collect());
    for node in nodes(&json) {
        let truth = &truths[&node["databaseId"].as_u64().unwrap()];
        let target = &node["defaultBranchRef"]["target"];
        assert_eq!(target["oid"].as_str().map(str::to_owned), truth.head.map(|head| head.to_string()));
        assert_eq!(target["history"]["totalCount"].as_u64().unwrap_or_default(), truth.commits);
        assert_eq!(node["watchers"]["totalCount"], truth.watchers);
        assert_eq!(node["updatedAt"], truth.updated_at.to_string());
    }
    // Pages of 50 with seven connections each: 351 requests.
    assert_eq!(json["data"]["rateLimit"]["cost"], 4);
    assert_eq!(json["data"]["rateLimit"]["remaining"], 4_996);
    assert_eq!(answer.header("x-ratelimit-resource"), "graphql");
    assert_eq!(answer.header("x-ratelimit-remaining"), "4996");
    let asked = setup.fake.requests();
    assert_eq!(asked.iter().map(|request| request.points).sum::<u64>(), 4);
    let rest = setup.api.get("/users/ada").await;
    assert_eq!(rest.header("x-ratelimit-remaining"), "4999", "a limit of its own");
}

#[tokio::test]
async fn pages_lead_through_the_list_whatever_comes_between() {
    let setup = Setup::new(FakeConfig::default()).await;
    let first = setup.ask(2, None).await.json();
    let info = &first["data"]["repositoryOwner"]["repositories"]["pageInfo"];
    assert_eq!((nodes(&first).len(), &info["hasNextPage"]), (2, &json!(true)));
    setup.fake.world(|world| {
        let ada = world.account_id("ada").unwrap();
        world.create_repository(ada, NewRepository::public("analysis")).unwrap();
    });
    let second = setup.ask(2, info["endCursor"].as_str()).await.json();
    assert_eq!(nodes(&second)[0]["nameWithOwner"], "Ada/engine", "nothing shifts");
    assert_eq!(second["data"]["repositoryOwner"]["repositories"]["pageInfo"]["hasNextPage"], false);
}

#[tokio::test]
async fn a_limit_used_up_is_told_in_the_body() {
    let setup = Setup::new(FakeConfig { limit_graphql: 4, ..FakeConfig::default() }).await;
    assert_eq!(setup.ask(50, None).await.json().get("errors"), None);
    let limited = setup.ask(50, None).await;
    assert_eq!(limited.status, 200);
    assert_eq!(limited.json()["errors"][0]["type"], "RATE_LIMITED");
    assert_eq!(limited.header("x-ratelimit-remaining"), "0");
    assert_eq!(setup.api.get("/users/ada").await.status, 200, "REST goes on");
    setup.clock.advance_ms(3_600_000);
    assert_eq!(setup.ask(50, None).await.json().get("errors"), None);
}

#[tokio::test]
async fn it_goes_wrong_as_githubs_does() {
    let setup = Setup::new(FakeConfig::default()).await;
    let anonymous = setup.api.with("authorization", "").post("/graphql", "{}").await;
    assert_eq!(anonymous.status, 401);
    let faults = setup.fake.faults();
    for status in [404, 501] {
        faults.on_requests("/graphql", RequestFault::Refuse(status), Some(1));
        assert_eq!(setup.ask(50, None).await.status, status);
    }
    assert_eq!(setup.fake.requests().iter().map(|request| request.points).sum::<u64>(), 0);

    faults.on_requests("/graphql", RequestFault::TooHeavy { nodes_max: 1_000 }, Some(2));
    let heavy = setup.ask(50, None).await;
    assert_eq!((heavy.status, heavy.header("x-ratelimit-remaining")), (502, "4996"), "its points are taken");
    assert_eq!(setup.ask(2, None).await.status, 200);

    faults.on_requests("/graphql", RequestFault::Partial, Some(1));
    let partial = setup.ask(50, None).await.json();
    let even: Vec<&Value> =
        nodes(&partial).iter().filter(|node| node["databaseId"].as_u64().unwrap() % 2 == 0).collect();
    let failed = partial["errors"].as_array().map_or(0, Vec::len);
    let with_commits = even.iter().filter(|node| !node["defaultBranchRef"].is_null()).count();
    assert_eq!(failed, with_commits, "{partial}");
    assert!(even.iter().all(|node| node["defaultBranchRef"]["target"]["history"].is_null()), "{partial}");
    assert_eq!(nodes(&partial).len(), 3, "the rest is there");

    let unknown =
        setup.api.post("/graphql", r#"{"query":"{ repositoryOwner(login: \"x\") { shoeSize } }"}"#).await;
    assert!(
        unknown.json()["errors"][0]["message"].as_str().unwrap().contains("shoeSize"),
        "checked by its schema"
    );
    let nobody =
        setup.api.post("/graphql", r#"{"query":"{ repositoryOwner(login: \"x\") { login } }"}"#).await;
    assert_eq!(nobody.json()["data"]["repositoryOwner"], Value::Null);
}

#[tokio::test]
async fn a_replica_that_lags_answers_from_the_past() {
    let setup = Setup::new(FakeConfig::default()).await;
    setup.fake.faults().lag(Some(fake_github::Lag::Operations(1)));
    setup.fake.world(|world| world.push_commits(setup.repos[0], "main", 5).unwrap());
    let behind = setup.ask(50, None).await.json();
    let count = |json: &Value| nodes(json)[2]["defaultBranchRef"]["target"]["history"]["totalCount"].clone();
    assert_eq!(count(&behind), 3);
    setup.fake.faults().stop();
    assert_eq!(count(&setup.ask(50, None).await.json()), 8);
}
