//! A Prometheus of a test's own: the configuration that is shipped, pointed at a running process and made to look
//! every second.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::{Child, Command};
use url::form_urlencoded::byte_serialize;

use super::support::{process::Lines, reader::Reader, seconds, until};

/// The shipped files.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A running Prometheus; it is killed when this is dropped.
pub(crate) struct Prometheus {
    reader: Reader,
    _child: Child,
    _log: Lines,
}

impl Prometheus {
    /// Starts one in this folder that scrapes `ops`. `rules` changes the text of the shipped rules.
    pub(crate) async fn start(folder: &Path, ops: SocketAddr, rules: impl Fn(&str) -> String) -> Self {
        let shipped = deploy().join("prometheus");
        let config = fs::read_to_string(shipped.join("prometheus.yml")).unwrap();
        let usual = "127.0.0.1:9464";
        assert!(config.contains(usual), "{config}");
        let config = config.replace(usual, &ops.to_string()).replace("_interval: 15s", "_interval: 1s");
        fs::create_dir_all(folder.join("rules")).unwrap();
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let shipped = fs::read_to_string(shipped.join("rules/tallyhook.yml")).unwrap();
        fs::write(folder.join("rules/tallyhook.yml"), rules(&shipped)).unwrap();
        let mut child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let listening = log.find(seconds(60), |line| address(line).is_some()).await;
        let listening = listening.unwrap_or_else(|| panic!("it ended: {}", log.text()));
        let reader = Reader::new(address(&listening).unwrap());
        until(seconds(60), "Prometheus is ready", async || {
            let answer = reader.get("/-/ready").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
        Prometheus { reader, _child: child, _log: log }
    }

    /// The series that a query gives now.
    pub(crate) async fn query(&self, query: &str) -> Vec<Value> {
        let query: String = byte_serialize(query.as_bytes()).collect();
        let answer = self.reader.get(&format!("/api/v1/query?query={query}")).await;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// All rules with what they found last.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let answer = self.reader.get("/api/v1/rules").await;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let groups = answer["data"]["groups"].as_array().unwrap();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }

    /// The names of the alerts that are firing.
    pub(crate) async fn firing(&self) -> Vec<String> {
        let rules = self.rules().await.into_iter().filter(|rule| rule["state"] == "firing");
        rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Where it listens, from the line that says so.
fn address(line: &str) -> Option<SocketAddr> {
    let said = line.contains(r#"msg="Listening on""#).then_some(line)?;
    said.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}
