//! Every query of every board and rule finds data, with the labels that it speaks of, in a healthy process that
//! has some work to do; and no alert fires then.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    program::is_there,
    prometheus::{Prometheus, deploy},
    support::{forge::Forge, process::Setup, seconds, sender::Sender, truth::until_true, until},
};

/// A scrape a second, and rates over a minute of them, on a busy machine.
const WITHIN: std::time::Duration = seconds(120);

/// One query and the labels that its series must have.
#[derive(Debug)]
struct Query {
    from: String,
    text: String,
    labels: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_every_board_and_rule_finds_data() {
    if !is_there("prometheus", "prometheus") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(131, 1).await;
    let repo = forge.open_repository(0).id;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    let reader = service.reader();
    until_true(&forge, &reader, WITHIN).await;
    let prometheus = Prometheus::start(folder.path(), &[service.ops], str::to_owned).await;
    let sender = Sender::new();
    let login = forge.track();
    let work = async || {
        sender.accepted(service.api, &forge.untold_push(repo)).await;
        reader.get(&format!("/v1/accounts/{login}")).await;
        reader.get(&format!("/githubPayload?user={login}")).await;
    };

    let mut queries = of_boards();
    let rules = until(WITHIN, "the rules were looked at", async || {
        work().await;
        let rules = prometheus.rules().await;
        let is_seen = !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok");
        if is_seen { Ok(rules.clone()) } else { Err(rules) }
    })
    .await;
    queries.extend(rules.iter().map(of_rule));
    assert!(queries.len() > 50, "{} queries are not all", queries.len());
    for query in &queries {
        until(WITHIN, &format!("{}: data for {}", query.from, query.text), async || {
            let series = prometheus.query(&query.text).await;
            if is_data(&series) {
                let lacks = |series: &Value| {
                    let label = query.labels.iter().find(|label| series["metric"].get(label).is_none());
                    label.cloned()
                };
                assert_eq!(series.iter().find_map(lacks), None, "labels of {query:?}: {series:?}");
                return Ok(());
            }
            work().await;
            Err(series)
        })
        .await;
    }
    assert_eq!(prometheus.firing().await, Vec::<String>::new(), "nothing is wrong");
}

/// Whether there is a number among the series' values.
fn is_data(series: &[Value]) -> bool {
    let number = |series: &Value| series["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    series.iter().any(|series| number(series).is_finite())
}

/// What the boards ask, with their variables as Grafana fills them in.
fn of_boards() -> Vec<Query> {
    let mut queries = Vec::new();
    for entry in fs::read_dir(deploy().join("grafana/boards")).unwrap() {
        let path = entry.unwrap().path();
        let board: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let text = target["expr"].as_str().unwrap();
                let text = text.replace("$__rate_interval", "1m").replace("$instance", ".*");
                assert!(!text.contains('$'), "a variable that this test does not know: {text}");
                let legend = target["legendFormat"].as_str().unwrap();
                let labels = legend.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0);
                queries.push(Query {
                    from: format!("{}: {}", board["title"], panel["title"]),
                    text,
                    labels: labels.map(str::to_owned).collect(),
                });
            }
        }
    }
    queries
}

/// What a rule looks at: a recorded value by its name, an alert's without the comparison that makes it fire.
fn of_rule(rule: &Value) -> Query {
    let (name, text) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
    let text = match rule["type"].as_str().unwrap() {
        "recording" => name,
        _ => match text.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) => inner,
            None => {
                let compared = [" > ", " < ", " == "].iter().find_map(|sign| text.rsplit_once(sign));
                compared.unwrap_or_else(|| panic!("{name} compares nothing: {text}")).0
            }
        },
    };
    Query { from: name.to_owned(), text: text.to_owned(), labels: BTreeSet::new() }
}
