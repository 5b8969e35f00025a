//! A query API with everything around it: a log, a store, a projection that folds the one into the other, and
//! a clock that stands still.

mod hints;
mod projection;
mod store;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use bytes::Bytes;
use domain::{
    Asked, Epoch, Event, Millis, Row, RowKey, Second, StreamKey, Version,
    record::{ANSWER, Answer, COMMAND, Command, CursorNote},
};
use event_log::{Appended, EmbeddedLog, EmbeddedLogSettings, EventLog, Partition, Position, Record};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use prometheus::Registry;
use query_api::{Metrics, Planner, QueryApi, QueryDeps, QuerySettings};
use tokio::sync::watch;
use tower::ServiceExt;
use view_store::{EmbeddedStore, EmbeddedStoreSettings, ViewStore};

pub(crate) use self::hints::ObservedHints;
use self::projection::{DELIVERY, POISON, Projection};
pub(crate) use self::store::{Gate, WatchedStore};

/// Far more than any case takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the clock shows at first: 2026-11-21T10:00:00Z.
pub(crate) const START_MS: i64 = 1_795_255_200_000;

pub(crate) struct Bench {
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) store: Arc<WatchedStore>,
    pub(crate) hints: Arc<ObservedHints>,
    pub(crate) registry: Registry,
    pub(crate) api: QueryApi,
    now: Arc<AtomicI64>,
    router: Router,
    admin: Router,
    folded: watch::Receiver<BTreeMap<Partition, u64>>,
    held: watch::Sender<bool>,
    is_mended: Arc<AtomicBool>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Asserts a refusal of this status and kind, and returns its detail.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, name: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("https://tallyhook.dev/errors/{name}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Settings under which nobody gives up: who waits for something waits until it is there, or the case fails.
pub(crate) fn patient() -> QuerySettings {
    let too_long = 100 * PATIENCE;
    QuerySettings { first_read_wait: too_long, command_wait: too_long, ..QuerySettings::default() }
}

/// Settings under which waiting ends soon, for those who wait in vain.
pub(crate) fn impatient() -> QuerySettings {
    QuerySettings { first_read_wait: Duration::from_millis(20), ..patient() }
}

impl Bench {
    /// A bench whose door is open.
    pub(crate) async fn new(settings: QuerySettings) -> Self {
        let bench = Self::behind_a_shut_door(settings, None).await;
        bench.command(StreamKey::Service, vec![Event::DoorOpened]).await;
        bench
    }

    pub(crate) async fn with_planner(settings: QuerySettings, planner: Arc<dyn Planner>) -> Self {
        Self::behind_a_shut_door(settings, Some(planner)).await
    }

    pub(crate) async fn behind_a_shut_door(
        settings: QuerySettings,
        planner: Option<Arc<dyn Planner>>,
    ) -> Self {
        let log = Arc::new(EmbeddedLog::in_memory(EmbeddedLogSettings::default()).unwrap());
        let rows = EmbeddedStore::in_memory(&EmbeddedStoreSettings::default()).unwrap();
        let epoch = Row { key: RowKey::Epoch, version: Version::LEAST, value: Epoch::FIRST.encode().into() };
        rows.write(vec![epoch]).await.unwrap();
        let store = Arc::new(WatchedStore::new(rows.clone()));
        let hints = Arc::new(ObservedHints::new());
        let is_mended = Arc::new(AtomicBool::new(false));
        let (held, holding) = watch::channel(false);
        let (projection, folded) =
            Projection::start(log.clone(), rows, hints.clone(), is_mended.clone(), holding).await;
        tokio::spawn(projection.run());

        let now = Arc::new(AtomicI64::new(START_MS));
        let clock = Arc::clone(&now);
        let registry = Registry::new();
        let api = QueryApi::start(QueryDeps {
            log: log.clone(),
            store: store.clone(),
            hints: hints.clone(),
            clock: Arc::new(move || Millis(clock.load(Ordering::Relaxed))),
            planner,
            settings,
            metrics: Metrics::register(&registry).unwrap(),
        })
        .await
        .unwrap();
        let (router, admin) = (api.router(), api.admin_router());
        Bench { log, store, hints, registry, api, now, router, admin, folded, held, is_mended }
    }

    // ---- The clock

    pub(crate) fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    // ---- The log

    /// Appends a delivery and waits until its rows are heard of.
    pub(crate) async fn deliver(&self, stream: StreamKey, events: Vec<Event<'static>>) {
        self.append(self.record(stream, DELIVERY, Command { events }.encode())).await;
    }

    /// The same for one with an id of its own.
    pub(crate) async fn deliver_as(&self, id: &str, stream: StreamKey, events: Vec<Event<'static>>) {
        let record = self.record(stream, DELIVERY, Command { events }.encode());
        self.append(Record { id: id.to_owned(), ..record }).await;
    }

    /// The same for an answer of the forge, asked for after everything before it.
    pub(crate) async fn answer(&self, stream: StreamKey, mut events: Vec<Event<'static>>) {
        let asked = self.asked(stream).await;
        for event in &mut events {
            if let Event::RepositoriesListed { since } | Event::PullsListed { since, .. } = event {
                *since = asked.asked_at;
            }
        }
        self.append(self.record(stream, ANSWER, Answer { asked, events, cursors: Vec::new() }.encode()))
            .await;
    }

    /// The same for how far a long job got.
    pub(crate) async fn note(&self, stream: StreamKey, kind: &'static str, value: &'static str) {
        let asked = self.asked(stream).await;
        let cursors = vec![CursorNote { kind: kind.into(), value: value.into() }];
        let answer = Answer { asked, events: Vec::new(), cursors };
        self.append(self.record(stream, ANSWER, answer.encode())).await;
    }

    /// The same for a command.
    pub(crate) async fn command(&self, stream: StreamKey, events: Vec<Event<'static>>) {
        self.append(self.record(stream, COMMAND, Command { events }.encode())).await;
    }

    /// The same for a record that cannot be folded until it is [mended](Self::mend).
    pub(crate) async fn poison(&self, stream: StreamKey, events: Vec<Event<'static>>) -> Position {
        self.append(self.record(stream, POISON, Command { events }.encode())).await
    }

    pub(crate) fn mend(&self) {
        self.is_mended.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn asked(&self, stream: StreamKey) -> Asked {
        let partition = self.log.partition_of(stream);
        let bounds = self.log.bounds().await.unwrap();
        let end = bounds.iter().find(|bounds| bounds.partition == partition).unwrap().end;
        let asked_at = end.checked_sub(1).map_or(Version::LEAST, |last| Version::new(Epoch::FIRST, last));
        Asked { asked_at: asked_at.max(Version::LEAST), asked_ms: self.now(), date: self.now().to_second() }
    }

    fn record(&self, stream: StreamKey, kind: &str, body: Vec<u8>) -> Record {
        Record {
            stream,
            id: "a-guid".to_owned(),
            dedupe: None,
            kind: kind.to_owned(),
            received_at: self.now(),
            headers: vec![("x-github-event".to_owned(), "push".to_owned())],
            body: body.into(),
        }
    }

    async fn append(&self, record: Record) -> Position {
        let Appended::New(positions) = self.log.append(vec![record]).await.unwrap() else {
            panic!("nothing here is a duplicate");
        };
        if !*self.held.borrow() {
            self.fold_up_to(positions[0]).await;
        }
        positions[0]
    }

    async fn fold_up_to(&self, position: Position) {
        let mut folded = self.folded.clone();
        let is_folded =
            folded.wait_for(|next| next.get(&position.partition).is_some_and(|next| *next > position.offset));
        tokio::time::timeout(PATIENCE, is_folded).await.expect("the record is folded").unwrap();
        self.settle().await;
    }

    /// From now on nothing is folded until it is released; appends do not wait for it.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Folds again, and waits until all that was appended is.
    pub(crate) async fn release(&self) {
        self.held.send_replace(false);
        for bounds in self.log.bounds().await.unwrap().into_iter().filter(|bounds| bounds.end > 0) {
            self.fold_up_to(Position { partition: bounds.partition, offset: bounds.end - 1 }).await;
        }
    }

    /// Waits until the API has taken in everything that was hinted.
    pub(crate) async fn settle(&self) {
        tokio::time::timeout(PATIENCE, self.hints.settle()).await.expect("the API takes hints in");
    }

    /// Every event of our own commands in a stream, in order.
    pub(crate) async fn commands_of(&self, stream: StreamKey) -> Vec<Event<'static>> {
        self.commands_before(stream, u64::MAX).await
    }

    async fn commands_before(&self, stream: StreamKey, end: u64) -> Vec<Event<'static>> {
        let from = Position { partition: self.log.partition_of(stream), offset: 0 };
        let limit = event_log::Limit { records_max: 10_000, bytes_max: usize::MAX };
        let records = self.log.read(from, limit).await.unwrap();
        let commands = records.into_iter().filter(|(position, record)| {
            position.offset < end && record.stream == stream && record.kind == COMMAND
        });
        let mut events = Vec::new();
        for (_, record) in commands {
            let body: &'static [u8] = Vec::leak(record.body.to_vec());
            events.extend(Command::decode(body).unwrap().events);
        }
        events
    }

    /// Waits until that many events of our own commands in a stream are folded and heard of.
    pub(crate) async fn until_commands(&self, stream: StreamKey, count: usize) {
        let partition = self.log.partition_of(stream);
        let mut folded = self.folded.clone();
        let waiting = async {
            loop {
                let next = folded.borrow_and_update().get(&partition).copied().unwrap_or(0);
                if self.commands_before(stream, next).await.len() >= count {
                    return;
                }
                folded.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the commands arrive");
        self.settle().await;
    }

    // ---- Requests

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(request(path)).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask(with_headers(request(path), headers)).await
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Reply {
        ask(&self.router, request).await
    }

    pub(crate) async fn admin_get(&self, path: &str) -> Reply {
        self.admin_ask(request(path)).await
    }

    pub(crate) async fn admin_post(&self, path: &str, body: serde_json::Value) -> Reply {
        self.admin_ask(post(path, &body)).await
    }

    pub(crate) async fn admin_ask(&self, request: Request<Body>) -> Reply {
        let answer = tokio::time::timeout(PATIENCE, self.admin.clone().oneshot(request)).await;
        read(answer.expect("an answer comes in time").unwrap()).await
    }
}

/// Asks a router.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Reply {
    let answer = tokio::time::timeout(PATIENCE, router.clone().oneshot(request)).await;
    read(answer.expect("an answer comes in time").unwrap()).await
}

pub(crate) fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, body: &serde_json::Value) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn with_headers(mut request: Request<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

async fn read(response: axum::response::Response) -> Reply {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: parts.status, headers: parts.headers, body }
}

/// The second that the clock showed at first.
pub(crate) fn start() -> Second {
    Millis(START_MS).to_second()
}
