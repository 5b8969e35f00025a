//! A GitHub of canned answers, and a client that asks it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::Second;
use github::client::{
    Answer, AskError, Asking, Client, Fresh, Observer, Outcome, RateBudget, RepoPath, Settings, Spender,
    Timing,
};
use serde_json::Value;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

/// Our own second; far from the answers' `Date`, so that a mix-up shows.
pub(crate) const NOW: Second = Second(1_000_000_000);
/// The answers' `Date`.
pub(crate) const DATE: Second = Second(1_795_255_200);
pub(crate) const DATE_TEXT: &str = "Sat, 21 Nov 2026 10:00:00 GMT";

pub(crate) const REPO: RepoPath<'static> = RepoPath::Name { owner: "octocat", name: "Hello-World" };

/// A question to which nothing is known.
pub(crate) fn anew() -> Asking<'static> {
    Asking::anew(NOW)
}

/// Settings for a test: short waits, a token.
pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        tokens: vec!["hush".into()],
        timing: Timing {
            connect_timeout: Duration::from_secs(5),
            whole_timeout: Duration::from_secs(20),
            accepted_pause: Duration::from_millis(1),
        },
        ..Settings::new(url)
    }
}

/// A server and a client of it.
pub(crate) struct Github {
    pub(crate) server: MockServer,
    pub(crate) client: Client,
    pub(crate) seen: Arc<Seen>,
}

/// What the client told its observer.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) outcomes: Mutex<Vec<(&'static str, Outcome)>>,
    pub(crate) budgets: Mutex<Vec<RateBudget>>,
    pub(crate) spent: Mutex<Vec<(&'static str, Spender, u64)>>,
}

impl Observer for Seen {
    fn answered(&self, resource: &'static str, outcome: Outcome) {
        self.outcomes.lock().expect("no holder panics").push((resource, outcome));
    }

    fn budget(&self, budget: RateBudget) {
        self.budgets.lock().expect("no holder panics").push(budget);
    }

    fn spent(&self, resource: &'static str, spender: Spender, count: u64) {
        self.spent.lock().expect("no holder panics").push((resource, spender, count));
    }
}

impl Github {
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let seen = Arc::new(Seen::default());
        let observer = Arc::clone(&seen) as Arc<dyn Observer>;
        let client =
            Client::new(Settings { observer, ..settings(&server.uri()) }).expect("these settings work");
        Github { server, client, seen }
    }

    /// Answers GETs of this path.
    pub(crate) async fn on(&self, at: &str, answer: ResponseTemplate) {
        Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    /// The requests so far, as path and query.
    pub(crate) async fn asked(&self) -> Vec<String> {
        self.requests().await.iter().map(|request| address(&request.url)).collect()
    }

    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.expect("requests are recorded")
    }
}

fn address(url: &url::Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// An answer with a `Date`.
pub(crate) fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("date", DATE_TEXT)
}

/// A 200 with this JSON.
pub(crate) fn json(body: Value) -> ResponseTemplate {
    status(200).set_body_json(body)
}

/// An error as GitHub words it.
pub(crate) fn error(code: u16, message: &str) -> ResponseTemplate {
    status(code).set_body_json(serde_json::json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest"
    }))
}

/// The answer, which must be a fresh one.
pub(crate) fn fresh<T: std::fmt::Debug>(answer: Result<Answer<T>, AskError>) -> Fresh<T> {
    match answer {
        Ok(Answer::Fresh(fresh)) => fresh,
        other => panic!("expected a fresh answer, not {other:?}"),
    }
}
