//! Questions as the forge sees them, and what their answers say to the log: asked of a server of canned answers,
//! with rows as the projector writes them.

mod stars;

use std::sync::{Arc, Mutex};

use domain::{
    AccountId, Asked, EntityKey, Epoch, Millis, RepoId, Row, RowKey, Second, Stamp, StreamKey, Told, Version,
    entity::{
        account::{Account, Keeping},
        dated::Dated,
        doubt::Doubt,
        repository::Repository,
        visibility::Visibility,
    },
    event::TrackedBy,
    record::{Answer, etag_cursor},
};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, Position};
use github::client::{Client, Settings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use view_store::{EmbeddedStore, EmbeddedStoreSettings, ViewStore};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use super::whole::Way;
use crate::{
    Metrics,
    ask::{Asker, JobError, now},
    deliveries::Deliveries,
    folded::Folded,
    jobs::GistPolls,
    rows::Etag,
};

const ACCOUNT: u64 = 9;
const REPO: u64 = 1000;
const PATH: &str = "/repos/octo/hello";
/// When the account was asked about last.
const CHECKED: Millis = Millis(1_000);

fn account() -> AccountId {
    AccountId::github(ACCOUNT)
}

fn stream() -> StreamKey {
    StreamKey::Account(account())
}

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

/// A public repository that was asked about when record 3 was folded, and has not changed since record 2.
fn repository() -> Repository {
    let stamp = Stamp { version: version(1), received_at: Millis(0), told: Told::Delivery };
    let mut repo = Repository::new(&stamp);
    repo.visibility = Visibility::Public { at: Second(50), since: version(1) };
    repo.facts.name = Some(Dated { value: "hello".into(), at: Second(50) });
    repo.asked_alone_at = version(3);
    repo.facts_check.asked_at = version(3);
    repo.facts_check.changed_at = version(2);
    repo
}

fn answered() -> Value {
    json!({
        "id": REPO, "name": "hello", "full_name": "octo/hello", "private": false,
        "owner": {"login": "octo", "id": ACCOUNT, "type": "User"}, "default_branch": "main",
        "created_at": "2011-01-26T19:01:12Z", "updated_at": "2011-01-26T19:14:43Z",
        "pushed_at": "2011-01-26T19:06:43Z"
    })
}

/// An asker with a server, a log and a store of its own. Ten records of every partition are folded.
struct Bench {
    server: MockServer,
    asker: Asker,
}

impl Bench {
    async fn new(repo: &Repository) -> Self {
        let server = MockServer::start().await;
        let store = EmbeddedStore::in_memory(&EmbeddedStoreSettings::default()).unwrap();
        let log = EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap();
        let mut kept = Account {
            keeping: Keeping::Kept { by: TrackedBy::Person, since_ms: Millis(0) },
            ..Account::default()
        };
        kept.profile.login = Some("octo".into());
        for check in [&mut kept.profile_check, &mut kept.list_check] {
            check.asked_at = version(10);
            check.checked_ms = CHECKED;
        }
        let etag = Etag { etag: "\"known\"".into(), asked_at: version(3) };
        let row = |key, value: Vec<u8>| Row { key, version: version(3), value: value.into() };
        let cursor = RowKey::Cursor(stream(), etag_cursor("repository", Some(RepoId::github(REPO))));
        let entity = EntityKey::Repository(RepoId::github(REPO));
        store
            .write(vec![
                row(RowKey::Entity(stream(), EntityKey::Account), kept.encode()),
                row(RowKey::Entity(stream(), entity), repo.encode()),
                row(cursor, serde_json::to_vec(&etag).unwrap()),
            ])
            .await
            .unwrap();
        let folded = Folded::default();
        for partition in 0..log.identity().partitions {
            folded.note(partition, version(10));
        }
        let asker = Asker {
            log: Arc::new(log),
            store: Arc::new(store),
            github: Client::new(Settings::new(server.uri())).unwrap(),
            bitbucket: bitbucket::client::Client::new(bitbucket::client::Settings::new(server.uri()))
                .unwrap(),
            folded,
            sweeps: Arc::default(),
            allowance: Arc::default(),
            gists: GistPolls::default(),
            deliveries: Arc::new(Mutex::new(Deliveries::new(None, false, None))),
            metrics: Metrics::new().unwrap(),
            stars: Arc::default(),
            shutdown: CancellationToken::new(),
        };
        Bench { server, asker }
    }

    async fn on(&self, at: &str, answer: impl Respond + 'static) {
        Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    async fn ask(&self) {
        let target = self.asker.target(account(), RepoId::github(REPO)).await.unwrap().unwrap();
        self.asker.ask_repository(&target).await.unwrap();
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    /// A sweep that began then was interrupted.
    fn interrupt_sweep(&self, begun: Millis) {
        self.asker.sweeps.lock().unwrap().insert(account(), begun);
    }

    /// When the answers that were appended to the account's stream were asked.
    async fn asked(&self) -> Vec<Asked> {
        let log = &self.asker.log;
        let from = Position { partition: log.partition_of(stream()), offset: 0 };
        let limit = Limit { records_max: 100, bytes_max: 1 << 20 };
        let records = log.read(from, limit).await.unwrap();
        records.iter().map(|(_, record)| Answer::decode(&record.body).unwrap().asked).collect()
    }
}

fn fresh() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(answered())
}

/// "Not modified" says nothing about what the last answer did not show.
#[tokio::test]
async fn what_is_in_doubt_or_changed_since_is_asked_without_the_etag() {
    let doubted = {
        let mut repo = repository();
        repo.facts.doubt = Some(Doubt { raised_at: version(2), first_ms: Millis(0), last_ms: Millis(0) });
        repo
    };
    let changed = {
        let mut repo = repository();
        repo.facts_check.changed_at = version(4);
        repo
    };
    for (repo, etag, why) in [
        (repository(), Some("\"known\""), "nothing happened since"),
        (doubted, None, "in doubt"),
        (changed, None, "changed since"),
    ] {
        let bench = Bench::new(&repo).await;
        bench.on(PATH, fresh()).await;
        bench.ask().await;
        let sent = bench.requests().await.remove(0);
        let sent = sent.headers.get("if-none-match").map(|etag| etag.to_str().unwrap());
        assert_eq!(sent, etag, "{why}");
    }
}

/// What is folded while the forge answers may be newer than the answer.
#[tokio::test]
async fn an_answer_carries_the_moment_before_its_request() {
    struct FoldsMeanwhile(Folded);

    impl Respond for FoldsMeanwhile {
        fn respond(&self, _: &Request) -> ResponseTemplate {
            for partition in 0..16 {
                self.0.note(partition, version(20));
            }
            fresh()
        }
    }

    let bench = Bench::new(&repository()).await;
    bench.on(PATH, FoldsMeanwhile(bench.asker.folded.clone())).await;
    let before = now();
    bench.ask().await;
    let asked = bench.asked().await.remove(0);
    assert_eq!(asked.asked_at, version(10));
    assert!(asked.asked_ms >= before && asked.asked_ms <= now());
}

/// The forge's read replicas may lag behind what it has just delivered.
#[tokio::test]
async fn a_sweep_asks_nothing_about_a_repository_of_which_was_heard_a_moment_ago() {
    let mut repo = repository();
    repo.told_ms = now();
    let bench = Bench::new(&repo).await;
    bench.interrupt_sweep(CHECKED);
    bench.asker.shutdown.cancel();
    let ended = bench.asker.check(account(), None).await;
    assert!(matches!(ended, Err(JobError::Ending)), "it waits, until the process ends: {ended:?}");
    assert!(bench.requests().await.is_empty());
}

/// Where nothing was folded since, what was asked long ago was asked "at" what is folded now.
#[tokio::test]
async fn a_sweep_asks_for_what_was_asked_before_it_began_and_goes_on_where_it_was_interrupted() {
    let mut repo = repository();
    for check in
        [&mut repo.facts_check, &mut repo.commits_check, &mut repo.pulls_check, &mut repo.languages_check]
    {
        check.asked_at = version(10);
        check.checked_ms = CHECKED;
    }
    let bench = Bench::new(&repo).await;
    bench.interrupt_sweep(CHECKED);
    bench.asker.check(account(), None).await.unwrap();
    assert!(bench.requests().await.is_empty(), "all of it was asked since it began");

    bench.asker.check(account(), None).await.unwrap();
    let asked: Vec<String> =
        bench.requests().await.iter().map(|request| request.url.path().to_owned()).collect();
    for path in ["/user/9", "/users/octo/repos", PATH] {
        assert!(asked.iter().any(|asked| asked == path), "{path}: {asked:?}");
    }
}

#[tokio::test]
async fn a_repository_that_the_list_leaves_out_is_asked_for_by_itself() {
    let bench = Bench::new(&repository()).await;
    bench.on("/users/octo/repos", ResponseTemplate::new(200).set_body_json(json!([]))).await;
    bench.on(PATH, fresh()).await;
    bench.asker.ask_repositories(account(), Way::Rest).await.unwrap();
    let asked: Vec<String> =
        bench.requests().await.iter().map(|request| request.url.path().to_owned()).collect();
    assert_eq!(asked, ["/users/octo/repos", PATH]);
}
