//! The binary as a child process: settings as variables, its log read line by line, ended by its own id.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use super::{SECRET, forge::Forge, reader::Reader, seconds};

/// A debug build on a busy machine starts within a second; a rebuild of a log takes a few more.
const START_MAX: Duration = seconds(60);
/// A drain may take ten seconds.
const END_MAX: Duration = seconds(30);

/// So many lines of its log are shown when a test fails.
const LINES_SHOWN: usize = 80;

/// How the binary is to be started.
#[derive(Clone)]
pub(crate) struct Setup {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    /// Shell words that come before the binary's own, and run it in their place.
    wrapper: Option<String>,
}

impl Setup {
    /// In a folder of its own, on free ports, knowing no forge.
    pub(crate) fn new(folder: &Path) -> Self {
        let setup = Setup { folder: folder.to_owned(), variables: BTreeMap::new(), wrapper: None };
        setup
            .with("DATA_DIR", folder.join("data").to_str().unwrap())
            .with("LOG_FORMAT", "json")
            .with("WEBHOOK_SECRET", SECRET)
            // Only tests about the newest repositories have them followed: others count requests.
            .with("LATEST_POLL", "off")
            // The same of what webhooks have sent.
            .with("DELIVERIES_POLL", "off")
            // Nobody listens there: a test that forgets to name a forge must not reach the real one.
            .with("GITHUB_API_URL", "http://127.0.0.1:9")
            .with("BITBUCKET_API_URL", "http://127.0.0.1:9")
    }

    /// Asks this forge.
    pub(crate) fn of(folder: &Path, forge: &Forge) -> Self {
        Setup::new(folder).with("GITHUB_API_URL", forge.fake.url()).with("GITHUB_TOKEN", super::forge::TOKEN)
    }

    /// With `TALLYHOOK_` this.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(format!("TALLYHOOK_{name}"), value.to_owned());
        self
    }

    /// With a variable that is not ours.
    #[must_use]
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without `TALLYHOOK_` this.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(&format!("TALLYHOOK_{name}"));
        self
    }

    /// Run by a shell by way of these words, such as `exec nice`: they must become the binary, whose own words
    /// follow as `"$@"`.
    #[must_use]
    pub(crate) fn through(mut self, wrapper: &str) -> Self {
        self.wrapper = Some(wrapper.to_owned());
        self
    }

    /// For calls that talk to a running process.
    #[must_use]
    pub(crate) fn talking_to(&self, service: &Service) -> Self {
        self.clone().with("OPS_URL", &format!("http://{}", service.ops))
    }

    /// Where log and store are.
    pub(crate) fn data(&self) -> PathBuf {
        self.variables["TALLYHOOK_DATA_DIR"].clone().into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_tallyhook");
        let mut command = match &self.wrapper {
            None => Command::new(binary),
            Some(wrapper) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", wrapper, "sh", binary]);
                shell
            }
        };
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            // A `tallyhook.toml` that lies about is not the test's.
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a call to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_within(START_MAX, arguments).await
    }

    /// As [`Self::run`], with other patience.
    pub(crate) async fn run_within(&self, patience: Duration, arguments: &[&str]) -> Ended {
        let output = tokio::time::timeout(patience, self.command(arguments).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} did not end")).unwrap();
        Ended::new(&output)
    }

    /// Starts a call that goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Running { child, stdout, stderr }
    }

    /// Starts `serve`, and returns once it listens.
    pub(crate) async fn serve(&self) -> Service {
        match self.try_serve().await {
            Ok(service) => service,
            Err(ended) => panic!("serve ended before it listened: {ended:?}"),
        }
    }

    /// As [`Self::serve`]; an error when it ended instead.
    pub(crate) async fn try_serve(&self) -> Result<Service, Ended> {
        let running = self.begin_serving();
        let Some(line) = running.stderr.find(START_MAX, is_listening).await else {
            return Err(running.ended().await);
        };
        Ok(Service::new(running, &line))
    }

    /// Starts `serve` and does not wait for it.
    pub(crate) fn begin_serving(&self) -> Running {
        let mut arguments = vec!["serve"];
        if !self.variables.contains_key("TALLYHOOK_LISTEN") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        if !self.variables.contains_key("TALLYHOOK_OPS_LISTEN") {
            arguments.extend(["--ops-listen", "127.0.0.1:0"]);
        }
        self.start(&arguments)
    }
}

/// Whether a log line says that the process listens.
pub(crate) fn is_listening(line: &str) -> bool {
    json(line)["message"] == "listening"
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

/// A call that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn new(output: &Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// That it did what it was asked to; returns what it said.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// That it failed with this code; returns its sentence.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.stderr
    }
}

/// A child that runs; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Running {
    /// Sends a signal, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
        assert!(status.success(), "kill -{name} {id}");
    }

    /// Its number, while it runs.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the child runs")
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> Ended {
        let status: ExitStatus = tokio::time::timeout(END_MAX, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end; its log: {}", self.stderr.text()))
            .unwrap();
        Ended {
            code: status.code(),
            stdout: self.stdout.to_the_end().await,
            stderr: self.stderr.to_the_end().await,
        }
    }
}

/// A test that fails shows what the child wrote last.
impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.stderr.text();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("the child's log ended with:\n{}", last.join("\n"));
        }
    }
}

/// `serve`, listening.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) api: SocketAddr,
    pub(crate) ops: SocketAddr,
}

impl Service {
    /// From the log line that says so.
    pub(crate) fn new(running: Running, line: &str) -> Self {
        let line = json(line);
        let address = |field: &str| line[field].as_str().unwrap().parse().unwrap();
        Service { api: address("api"), ops: address("ops"), running }
    }

    /// Where GitHub sends deliveries.
    pub(crate) fn hook_url(&self) -> String {
        format!("http://{}/webhooks/github", self.api)
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.api)
    }

    pub(crate) fn ops_reader(&self) -> Reader {
        Reader::new(self.ops)
    }

    /// Returns once `/readyz` says so.
    pub(crate) async fn ready(&self) {
        let ops = self.ops_reader();
        super::until(START_MAX, "/readyz", async || {
            let answer = ops.get("/readyz").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }

    /// As [`Self::ready`]; an error when it ended by itself before it was.
    pub(crate) async fn ready_or_ended(mut self) -> Result<Self, Ended> {
        let ops = self.ops_reader();
        let is_ready = super::until(START_MAX, "/readyz", async || {
            match ops.try_ask(Method::GET, "/readyz", &[]).await {
                Ok(answer) if answer.status == 200 => Ok(true),
                Ok(answer) => Err(answer.text()),
                Err(error) => match self.running.child.try_wait().unwrap() {
                    Some(_) => Ok(false),
                    None => Err(error.to_string()),
                },
            }
        })
        .await;
        if is_ready { Ok(self) } else { Err(self.running.ended().await) }
    }

    pub(crate) async fn kill(mut self) {
        self.running.kill().await;
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn terminate(self) -> Ended {
        self.running.signal("TERM").await;
        self.running.ended().await
    }
}

/// What a child wrote so far, line by line.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    /// How many there are, and whether there will be more.
    state: watch::Receiver<(usize, bool)>,
}

impl Lines {
    /// Reads them from a child's pipe.
    pub(crate) fn of(from: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (tell, state) = watch::channel((0, true));
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut from = BufReader::new(from).lines();
            while let Ok(Some(line)) = from.next_line().await {
                kept.lock().unwrap().push(line);
                tell.send_modify(|(count, _)| *count += 1);
            }
            tell.send_modify(|(_, more)| *more = false);
        });
        Lines { lines, state }
    }

    /// The first line that fits; waits for it. `None` when the child ended without one.
    pub(crate) async fn find(&self, within: Duration, fits: impl Fn(&str) -> bool) -> Option<String> {
        let mut state = self.state.clone();
        let search = async {
            loop {
                let (_, more) = *state.borrow_and_update();
                let found = self.lines.lock().unwrap().iter().find(|line| fits(line)).cloned();
                if found.is_some() || !more {
                    return found;
                }
                if state.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(within, search)
            .await
            .unwrap_or_else(|_| panic!("no such line came; the child wrote:\n{}", self.text()))
    }

    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    async fn to_the_end(&self) -> String {
        let _ = self.state.clone().wait_for(|(_, more)| !more).await;
        self.text()
    }
}
