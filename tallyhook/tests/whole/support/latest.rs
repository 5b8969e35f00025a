//! A forge with many public repositories, a service that follows the newest, and what it should show: told by the
//! forge's own answers.

use fake_github::{FakeConfig, RepoId, Visibility, World};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{
    forge::{Forge, TOKEN},
    process::{Service, Setup},
    reader::{Answer, Reader, http_client},
    seconds, until,
};

pub(crate) const WITHIN: std::time::Duration = seconds(60);
/// Often enough that a test need not wait.
pub(crate) const POLL: &str = "100ms";
/// So many are shown.
pub(crate) const SHOWN: usize = 100;

/// More than anybody asks for.
const REQUESTS_AN_HOUR: u64 = 100_000_000;

/// A forge, a folder, and how the service is started on it.
pub(crate) struct Scene {
    pub(crate) forge: Forge,
    pub(crate) setup: Setup,
    _folder: TempDir,
}

impl Scene {
    /// With so many public repositories of four owners.
    pub(crate) async fn new(count: usize) -> Self {
        Self::with(count, REQUESTS_AN_HOUR).await
    }

    /// With another hourly limit.
    pub(crate) async fn with(count: usize, limit: u64) -> Self {
        let config = FakeConfig {
            limit_authorised: limit,
            limit_anonymous: REQUESTS_AN_HOUR,
            ..FakeConfig::default()
        };
        let mut forge = Forge::empty(config).await;
        forge.owners = forge.fake.world(|world| {
            let owners = ["ada", "grace", "joan", "mary"].map(|login| world.create_user(login).unwrap());
            world.accept_token(TOKEN, owners[0]);
            // Not one of the owners, whose budget the service uses.
            let other = world.create_user("oracle").unwrap();
            world.accept_token(ORACLE, other);
            owners.to_vec()
        });
        let folder = TempDir::new().unwrap();
        let setup = Setup::of(folder.path(), &forge).with("LATEST_POLL", POLL);
        let scene = Scene { forge, setup, _folder: folder };
        scene.make(count);
        scene
    }

    /// Makes so many more; returns them by rising id.
    pub(crate) fn make(&self, count: usize) -> Vec<RepoId> {
        let owners = &self.forge.owners;
        self.forge.fake.world(|world| {
            let made = world.create_crowd(owners, count).unwrap();
            // Some numbers that are not zero.
            for (place, id) in made.iter().enumerate().filter(|(place, _)| place % 7 == 0) {
                world.push_commits(*id, "main", place % 5 + 1).unwrap();
                world.open_issue(*id, "Why?", owners[0]).unwrap();
                world.star(*id, owners[1]).unwrap();
            }
            made
        })
    }

    /// Does something to the forge.
    pub(crate) fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.forge.fake.world(act)
    }

    /// The ids that should be shown, newest first.
    pub(crate) fn newest(&self) -> Vec<RepoId> {
        self.world(|world| {
            let all = world.repositories().into_iter().filter_map(|id| world.truth(id));
            let public = all.filter(|truth| truth.visibility == Visibility::Public && !truth.blocked);
            let mut ids: Vec<RepoId> = public.map(|truth| truth.id).collect();
            ids.sort();
            ids.into_iter().rev().take(SHOWN).collect()
        })
    }

    /// What `/repos` should be, by the forge's own answers.
    pub(crate) async fn expected(&self) -> Value {
        let mut repositories = Vec::new();
        for id in self.newest() {
            let path = format!("/repositories/{id}");
            let told = self.ask(&path).await;
            let languages = self.ask(&format!("{path}/languages")).await;
            repositories.push(shown(&told, &languages));
        }
        json!({ "repositories": repositories })
    }

    async fn ask(&self, path: &str) -> Value {
        let request = http_client().get(format!("{}{path}", self.forge.fake.url()));
        let request =
            request.header("user-agent", "oracle").header("authorization", format!("Bearer {ORACLE}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Waits until `/repos` is complete and true; returns it.
    pub(crate) async fn until_true(&self, service: &Service) -> Answer {
        let reader = service.reader();
        until(WITHIN, "the newest repositories", async || {
            let answer = reader.get("/repos").await;
            if answer.status != 200 || !answer.is_complete() {
                return Err(format!("{} {:?}", answer.status, answer.header("tallyhook-complete")));
            }
            let newest: Vec<u64> = self.newest().iter().map(|id| id.0).collect();
            let shown = ids(&answer);
            if shown != newest {
                return Err(format!("{shown:?} instead of {newest:?}"));
            }
            let expected = self.expected().await;
            if answer.json() == expected { Ok(answer) } else { Err(difference(&answer.json(), &expected)) }
        })
        .await
    }

    /// Requests of the service to the forge whose path fits.
    pub(crate) fn asked(&self, fits: impl Fn(&str) -> bool) -> usize {
        self.forge.fake.requests().iter().filter(|request| fits(&request.path)).count()
    }
}

/// The token of whoever compares.
const ORACLE: &str = "oracle-token";

/// The ids of an answer.
pub(crate) fn ids(answer: &Answer) -> Vec<u64> {
    let list = answer.json();
    list["repositories"].as_array().unwrap().iter().map(|repo| repo["id"].as_u64().unwrap()).collect()
}

/// Whether `/repos` shows this one.
pub(crate) async fn is_shown(reader: &Reader, id: RepoId) -> bool {
    ids(&reader.get("/repos").await.ok()).contains(&id.0)
}

/// S4's object, from the forge's.
fn shown(told: &Value, languages: &Value) -> Value {
    let text = |value: &Value| Value::from(value.as_str().unwrap_or_default());
    let bytes = languages.as_object().unwrap().iter();
    let languages: Map<String, Value> =
        bytes.map(|(name, bytes)| (name.clone(), json!({ "bytes": bytes }))).collect();
    let mut object = json!({
        "owner": told["owner"]["login"],
        "repository": told["name"],
        "description": text(&told["description"]),
        "language": text(&told["language"]),
        "languages": languages,
        "license": text(&told["license"]["name"]),
    });
    for field in [
        "id",
        "name",
        "full_name",
        "html_url",
        "languages_url",
        "created_at",
        "updated_at",
        "size",
        "forks_count",
        "open_issues_count",
        "watchers_count",
        "allow_forking",
        "has_issues",
        "has_projects",
        "has_downloads",
        "has_wiki",
        "has_pages",
        "has_discussions",
    ] {
        object[field] = told[field].clone();
    }
    object
}

fn difference(shown: &Value, expected: &Value) -> String {
    let list = |value: &Value| value["repositories"].as_array().unwrap().clone();
    let pairs = list(shown).into_iter().zip(list(expected));
    let first = pairs.into_iter().find(|(shown, expected)| shown != expected);
    first.map_or("another number of them".to_owned(), |(shown, expected)| {
        format!("{shown} instead of {expected}")
    })
}
