//! The OpenAPI document against what is really answered.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    bench::{Bench, patient},
    forge::{HUBOT, OCTO},
    gaps, gists, latest, starneighbours,
};

/// A schema of the document, which takes nothing that it does not name.
fn strict(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut components = document["components"].clone();
    for schema in components["schemas"].as_object_mut().unwrap().values_mut() {
        if schema.get("properties").is_some() || schema.get("allOf").is_some() {
            schema["unevaluatedProperties"] = json!(false);
        }
    }
    let mut root = schema.clone();
    root["components"] = components;
    jsonschema::draft202012::new(&root).unwrap()
}

fn assert_fits(validator: &jsonschema::Validator, path: &str, payload: &Value) {
    let complaints: Vec<String> =
        validator.iter_errors(payload).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(complaints.is_empty(), "{path}: {complaints:?}\n{payload:#}");
}

#[tokio::test]
async fn payloads_are_as_documented_and_hold_nothing_else() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    latest::settle(&bench, &[(1, "alpha"), (2, "bravo")]).await;
    gists::settle(&bench, OCTO).await;
    // Numbers that are not known are `null`.
    bench.answer(HUBOT.stream(), HUBOT.listed(domain::event::TrackedBy::Person)).await;
    bench
        .answer(HUBOT.stream(), vec![domain::Event::Repository(Box::new(HUBOT.repository(7, "bare")))])
        .await;

    gists::settle(&bench, HUBOT).await;
    for account in [OCTO, HUBOT] {
        gaps::look(&bench, account, gaps::HOOK, vec![gaps::hour(1, 3, 1, 2, &[1, 7])]).await;
    }
    let key = starneighbours::settle(&bench).await;

    let document = serde_json::to_value(query_api::openapi()).unwrap();
    bench.deliver_as("a-delivery", OCTO.stream(), Vec::new()).await;
    let paths = document["paths"].as_object().unwrap();
    let mut checked = 0;
    for (path, item) in paths {
        let Some(read) = item.get("get").filter(|_| path != "/v1/events") else { continue };
        let answers = &read["responses"];
        for (login, name) in [("octo", "alpha"), ("hubot", "bare")] {
            let mut asked = path.replace("{login}", login).replace("{owner}", login).replace("{name}", name);
            asked = asked.replace("{repo}", name);
            asked = asked
                .replace("{webhook}", "7")
                .replace("{guid}", "a-delivery")
                .replace("{field}", "stars.svg");
            match path.as_str() {
                "/githubPayload" => asked = format!("{asked}?user={login}"),
                "/v1/card/{login}" => asked.push_str(".svg"),
                "/health-check" => asked = format!("{asked}?url=https://github.com/{login}"),
                _ => {}
            }
            let reply = bench.get_with(&asked, &[("x-api-key", &key)]).await;
            assert_eq!(reply.status, 200, "{asked}");
            let content = answers["200"]["content"].as_object().unwrap();
            let Some(json) = content.get("application/json") else {
                let documented = content.keys().next().unwrap();
                assert!(reply.header("content-type").starts_with(documented), "{asked}");
                continue;
            };
            assert_fits(&strict(&document, &json["schema"]), &asked, &reply.json());
            for header in answers["200"]["headers"].as_object().into_iter().flat_map(|headers| headers.keys())
            {
                // A list that fits one page has no links, and what was never checked no time of it.
                if header != "Link" && login == "octo" {
                    assert!(!reply.header(&header.to_lowercase()).is_empty(), "{asked}: {header}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[tokio::test]
async fn refusals_are_as_documented() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[]).await;
    let document = serde_json::to_value(query_api::openapi()).unwrap();
    let problem = "application/problem+json";
    for (path, asked, status, content) in [
        ("/v1/repos/{owner}/{name}", "/v1/repos/octo/nothing", "404", problem),
        ("/v1/accounts/{login}/repos", "/v1/accounts/octo/repos?page=none", "400", problem),
        ("/githubPayload", "/githubPayload", "400", problem),
        ("/health-check", "/health-check?url=octo", "400", "application/json"),
    ] {
        let reply = bench.get(asked).await;
        assert_eq!(reply.status.as_u16().to_string(), status, "{asked}");
        let schema = &document["paths"][path]["get"]["responses"][status]["content"][content]["schema"];
        assert_fits(&strict(&document, schema), asked, &reply.json());
    }
}

#[tokio::test]
async fn the_page_shows_the_document_and_loads_nothing_from_elsewhere() {
    let document = query_api::openapi();
    let router = query_api::docs_router(&document);
    let get = async |path: &str| {
        let reply = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK, "{path}");
        let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (policy, String::from_utf8(body.to_vec()).unwrap())
    };
    let (_, json) = get("/openapi.json").await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), serde_json::to_value(&document).unwrap());
    let (policy, page) = get("/docs").await;
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(page.contains("/v1/repos/{owner}/{name}") && page.contains("commitCount"), "{page}");
    let style = page.split("href=\"").find(|part| part.contains("style.css")).unwrap();
    get(style.split('"').next().unwrap()).await;
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(query_api::openapi()).unwrap();
    let mut names: Vec<&str> = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        names.extend(
            item.as_object().unwrap().values().map(|operation| operation["operationId"].as_str().unwrap()),
        );
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
