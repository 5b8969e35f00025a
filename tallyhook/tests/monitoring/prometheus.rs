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

/// What is alarming for so long counts, in [`hasty`] rules: an alert ends so long after its fault, and a scrape or two.
const WINDOW: &str = "20s";
/// An alert fires, or ends, within this on a busy machine.
const WITHIN: std::time::Duration = seconds(120);

/// The shipped rules with times that a test can wait for, and bounds that a test can pass.
pub(crate) fn hasty(rules: &str) -> String {
    let bounds = [
        ("hook_silence:seconds > 86400", "hook_silence:seconds > 10"),
        ("projector_lag:seconds > 60", "projector_lag:seconds > 5"),
        ("delta10m > 1000", "delta10m > 20"),
        // Four lives of a process take longer than the window.
        ("[30m])", "[60s])"),
    ];
    let mut hasty = String::new();
    for line in rules.lines() {
        let is_wait = line.trim_start().starts_with("for: ");
        let line = ["5m]", "10m]", "15m]", "1h]"].iter().fold(line.to_owned(), |line, window| {
            line.replace(&format!("[{window}"), &format!("[{WINDOW}]"))
        });
        let line = bounds.iter().fold(line, |line, (bound, hasty)| line.replace(bound, hasty));
        hasty.push_str(if is_wait { "" } else { &line });
        hasty.push('\n');
    }
    assert!(bounds.iter().all(|(_, bound)| hasty.contains(bound)), "a bound is another one by now: {hasty}");
    hasty
}

/// A running Prometheus; it is killed when this is dropped.
pub(crate) struct Prometheus {
    reader: Reader,
    folder: PathBuf,
    child: Child,
    _log: Lines,
}

/// The shipped configuration, for these processes.
fn config(targets: &[SocketAddr]) -> String {
    let shipped = fs::read_to_string(deploy().join("prometheus/prometheus.yml")).unwrap();
    let usual = r#""127.0.0.1:9464""#;
    assert!(shipped.contains(usual), "{shipped}");
    let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
    shipped.replace(usual, &targets.join(", ")).replace("_interval: 15s", "_interval: 1s")
}

impl Prometheus {
    /// Starts one in this folder that scrapes these. `rules` changes the text of the shipped rules.
    pub(crate) async fn start(folder: &Path, targets: &[SocketAddr], rules: impl Fn(&str) -> String) -> Self {
        fs::create_dir_all(folder.join("rules")).unwrap();
        fs::write(folder.join("prometheus.yml"), config(targets)).unwrap();
        let shipped = fs::read_to_string(deploy().join("prometheus/rules/tallyhook.yml")).unwrap();
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
        Prometheus { reader, folder: folder.to_owned(), child, _log: log }
    }

    /// Scrapes these from now on, and no others.
    pub(crate) async fn watch(&self, targets: &[SocketAddr]) {
        fs::write(self.folder.join("prometheus.yml"), config(targets)).unwrap();
        let id = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-HUP", &id]).status().await.unwrap();
        assert!(status.success(), "kill -HUP {id}");
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

    /// Waits until an alert fires.
    pub(crate) async fn fires(&self, alert: &str) {
        until(WITHIN, &format!("{alert} fires"), async || {
            let firing = self.firing().await;
            if firing.iter().any(|name| name == alert) { Ok(()) } else { Err(firing) }
        })
        .await;
    }

    /// Waits until an alert does not fire any more.
    pub(crate) async fn ends(&self, alert: &str) {
        until(WITHIN, &format!("{alert} ends"), async || {
            let firing = self.firing().await;
            if firing.iter().any(|name| name == alert) { Err(firing) } else { Ok(()) }
        })
        .await;
    }
}

/// Where it listens, from the line that says so.
fn address(line: &str) -> Option<SocketAddr> {
    let said = line.contains(r#"msg="Listening on""#).then_some(line)?;
    said.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}
