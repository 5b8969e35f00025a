//! S4's ten filters and its sums, through the running process.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::support::{latest::Scene, reader::Reader, seed};

const FLAGS: [(&str, &str); 7] = [
    ("allow_forking", "allow_forking"),
    ("has_open_issues", "open_issues_count"),
    ("has_projects", "has_projects"),
    ("has_downloads", "has_downloads"),
    ("has_wiki", "has_wiki"),
    ("has_pages", "has_pages"),
    ("has_discussions", "has_discussions"),
];

/// What people type; `Ж` is in no name.
const TEXTS: [(&str, &[&str]); 3] = [
    ("name", &["", "OTTER", "e", "-1", "quiet", "%D0%96", "a", "ADA"]),
    ("language", &["", "RUST", "c", "c%2B%2B", "script", "objective", "jupyter%20note", "nothing"]),
    ("license", &["", "MIT", "license", "gnu", "apache license 2.0", "%22new%22"]),
];

fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("={text}").as_bytes()).next().unwrap().1.into_owned()
}

/// A wish, and what it means.
#[derive(Debug, Default)]
struct Wish {
    query: Vec<String>,
    texts: Vec<(&'static str, String)>,
    flags: Vec<(&'static str, bool)>,
}

impl Wish {
    fn random(rng: &mut StdRng) -> Self {
        let mut wish = Wish::default();
        for (name, texts) in TEXTS {
            if rng.random_bool(0.4) {
                let text = texts[rng.random_range(0..texts.len())];
                wish.query.push(format!("{name}={}", text.replace(' ', "+")));
                let decoded = decoded(text).to_lowercase();
                wish.texts.push((name, decoded));
            }
        }
        for (name, field) in FLAGS {
            if rng.random_bool(0.15) {
                let spellings = [
                    "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False", "maybe",
                    "",
                ];
                let place = rng.random_range(0..spellings.len());
                wish.query.push(format!("{name}={}", spellings[place]));
                if place < 12 {
                    wish.flags.push((field, place < 6));
                }
            }
        }
        if rng.random_bool(0.2) {
            wish.query.push("page=7&%00=%00".to_owned());
        }
        wish
    }

    fn path(&self, page: &str) -> String {
        format!("{page}?{}", self.query.join("&"))
    }

    fn matches(&self, repo: &Value) -> bool {
        let lower = |value: &Value| value.as_str().unwrap().to_lowercase();
        let texts = self.texts.iter().all(|(name, text)| match *name {
            "language" => {
                let all = repo["languages"].as_object().unwrap().keys();
                lower(&repo["language"]).contains(text)
                    || all.into_iter().any(|name| name.to_lowercase().contains(text))
            }
            name => lower(&repo[name]).contains(text),
        });
        let flags = self.flags.iter().all(|(field, wanted)| match &repo[*field] {
            Value::Number(count) => (count.as_u64().unwrap() > 0) == *wanted,
            flag => flag.as_bool().unwrap() == *wanted,
        });
        texts && flags
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_select_and_sums_are_over_what_is_selected() {
    let scene = Scene::new(120).await;
    let service = scene.setup.serve().await;
    let all = scene.until_true(&service).await.json();
    let reader = service.reader();
    let mut rng = StdRng::seed_from_u64(seed(31));
    let mut sizes = BTreeMap::new();
    for _ in 0..300 {
        let wish = Wish::random(&mut rng);
        let list = all["repositories"].as_array().unwrap().iter();
        let expected: Vec<Value> = list.filter(|repo| wish.matches(repo)).cloned().collect();
        *sizes.entry(expected.len()).or_insert(0) += 1;
        let path = wish.path("/repos");
        assert_eq!(reader.get(&path).await.ok().json(), json!({ "repositories": expected }), "{path}");
        let path = wish.path("/stats");
        assert_eq!(reader.get(&path).await.ok().json(), stats(&expected), "{path}");
    }
    assert!(sizes.len() > 20, "wishes select this and that: {sizes:?}");
    same_wishes_are_the_same(&reader).await;
    service.terminate().await.done();
}

async fn same_wishes_are_the_same(reader: &Reader) {
    let etag = async |query: &str| {
        let answer = reader.get(&format!("/repos?{query}")).await.ok();
        answer.header("etag").unwrap().to_owned()
    };
    assert_eq!(etag("has_wiki=1&name=E").await, etag("name=e&has_wiki=True&has_wiki=false&unknown=1").await);
    assert_eq!(etag("").await, etag("name=&license=&has_pages=perhaps").await);
    assert_ne!(etag("has_wiki=1").await, etag("has_wiki=0").await);
}

/// The averages, worked out the long way.
fn stats(repositories: &[Value]) -> Value {
    let mut payload = json!({});
    for (by, field) in [("language", "language"), ("license", "license")] {
        let mut groups: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for repo in repositories {
            groups.entry(repo[field].as_str().unwrap()).or_default().push(repo);
        }
        for (name, number) in [
            ("avg_num_forks_per_repo_by_", "forks_count"),
            ("avg_num_open_issues_by_", "open_issues_count"),
            ("avg_size_by_", "size"),
        ] {
            let averages = groups.iter().map(|(key, group)| {
                let sum: u64 = group.iter().map(|repo| repo[number].as_u64().unwrap()).sum();
                let count = group.len() as u64;
                let average = if sum.is_multiple_of(count) {
                    json!(sum / count)
                } else {
                    json!(sum as f64 / count as f64)
                };
                ((*key).to_owned(), average)
            });
            payload[format!("{name}{by}")] = Value::Object(averages.collect());
        }
        let counts = groups.iter().map(|(key, group)| ((*key).to_owned(), json!(group.len())));
        payload[format!("num_repos_by_{by}")] = Value::Object(counts.collect());
    }
    // As a reader reads it, who may be off in the last digit.
    serde_json::from_str(&payload.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_filters_are_refused_or_select_nothing() {
    let scene = Scene::new(20).await;
    let service = scene.setup.serve().await;
    scene.until_true(&service).await;
    let reader = service.reader();
    let long = "x".repeat(8_000);
    for page in ["/repos", "/stats"] {
        for (query, status) in [
            ("name=%00".to_owned(), 400),
            ("language=a%0d%0aSet-Cookie:%20b".to_owned(), 400),
            ("license=%1b%5b2J".to_owned(), 400),
            (format!("name={long}"), 400),
            ("name=%ff%fe".to_owned(), 200),
            ("name=%E2%80%AEevil".to_owned(), 200),
            ("name=%".to_owned(), 200),
            ("&&&=&name".to_owned(), 200),
            ("has_wiki=%00".to_owned(), 200),
            (format!("unknown={long}"), 200),
            (format!("has_pages={long}"), 200),
        ] {
            let answer = reader.get(&format!("{page}?{query}")).await;
            assert_eq!(answer.status, status, "{page}?{query}: {}", answer.text());
            if status == 400 {
                assert!(answer.refused(400)["detail"].as_str().unwrap().is_ascii());
            }
        }
    }
    // Names that nobody has are cheap, however many: one answer, and every request is served.
    for number in 0..3_000 {
        let answer = reader.get(&format!("/repos?name=nobody-{number}")).await.ok();
        assert_eq!(answer.body, br#"{"repositories":[]}"#);
    }
    scene.until_true(&service).await;
    service.terminate().await.done();
}
