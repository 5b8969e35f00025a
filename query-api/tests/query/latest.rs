//! `GET /repos` and `/stats`: what is composed from the newest public repositories, and what is left out.

use domain::{
    Event, RepoId, Second, StreamKey,
    event::{LatestFacts, LatestFeatures, LatestLanguages, LatestList, LatestReading, LatestTold},
};
use serde_json::json;

use crate::{
    bench::{Bench, patient},
    forge::{OCTO, just_now},
};

/// These of an account's repositories are the newest ones.
pub(crate) async fn settle(bench: &Bench, repositories: &[(u64, &'static str)]) {
    let facts = |(number, name): (u64, &str)| LatestFacts {
        id: RepoId::github(number),
        owner_id: Some(OCTO.id()),
        owner: OCTO.login.to_owned(),
        name: name.to_owned(),
        html_url: format!("https://forge.test/{}/{name}", OCTO.login),
        languages_url: format!("https://api.forge.test/repos/{}/{name}/languages", OCTO.login),
        description: None,
        created_at: Some(Second(1)),
        updated_at: Some(just_now()),
        pushed_at: Some(just_now()),
        size: Some(3),
        language: Some("Rust".to_owned()),
        license: None,
        forks: Some(number),
        open_issues: None,
        watchers: Some(5),
        features: LatestFeatures::default(),
    };
    let languages = |(number, _): (u64, &str)| LatestLanguages {
        repo: RepoId::github(number),
        bytes: Some(vec![("Rust".to_owned(), 120)]),
    };
    let named = |(number, name): (u64, &str)| (RepoId::github(number), format!("{}/{name}", OCTO.login));
    let all = repositories.iter().copied();
    let list = LatestList {
        after: 0,
        through: all.clone().map(|(number, _)| number).max().unwrap_or_default(),
        is_to_the_end: true,
        repositories: all.clone().map(named).collect(),
    };
    let told = |repository| LatestTold { facts: facts(repository), etag: None };
    for reading in [
        LatestReading { list: Some(list), ..LatestReading::default() },
        LatestReading { told: all.clone().map(told).collect(), ..LatestReading::default() },
        LatestReading { languages: all.map(languages).collect(), ..LatestReading::default() },
    ] {
        bench.answer(StreamKey::Service, vec![Event::Latest(Box::new(reading))]).await;
    }
}

async fn names(bench: &Bench) -> Vec<String> {
    let repositories = bench.get("/repos").await.json()["repositories"].clone();
    let name = |repository: &serde_json::Value| repository["name"].as_str().unwrap().to_owned();
    repositories.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn what_an_account_hides_is_left_out_and_comes_back_with_it() {
    for is_cluster in [false, true] {
        let bench = Bench::new(patient()).await;
        if is_cluster {
            bench.hints.leave_values_out();
        }
        OCTO.settle(&bench, &[(1, "one"), (2, "two")]).await;
        settle(&bench, &[(1, "one"), (2, "two")]).await;
        assert_eq!(names(&bench).await, ["two", "one"], "cluster: {is_cluster}");
        let counts = async || bench.get("/stats").await.json()["num_repos_by_language"].clone();
        assert_eq!(counts().await, json!({"Rust": 2}));

        OCTO.hide(&bench, 2).await;
        assert_eq!(names(&bench).await, ["one"], "cluster: {is_cluster}");
        assert_eq!(counts().await, json!({"Rust": 1}));

        OCTO.publicize(&bench, 2).await;
        bench.hints.settle().await;
        assert_eq!(names(&bench).await, ["two", "one"], "cluster: {is_cluster}");
    }
}
