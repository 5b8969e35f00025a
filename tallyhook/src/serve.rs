//! The wiring of all roles in one process, on one screen: log and store, projector, backfill, door, window.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, extract::Request, middleware};
use backfill::{Backfill, BackfillSettings};
use boot::{
    health,
    http::{self, Limits, PeerAddress},
    http_metrics::HttpMetrics,
    metrics::Collectors,
    process_metrics,
    shutdown::drain,
};
use domain::{
    Event, Forge, Millis, StreamKey,
    event::TrackedBy,
    record::{COMMAND, Command},
};
use event_log::{EventLog, Record};
use github::client::Client;
use ingest::{Ingest, IngestDeps, IngestLimits, IngestMetrics, SharedSecrets};
use projector::{Progress, ProgressReader, Projector, ProjectorSettings};
use prometheus::Registry;
use query_api::{ClientAddress, Planner, QueryApi, QueryDeps, QuerySettings};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;
use view_store::{Hints, InProcessHints, ViewStore};

use crate::{
    admin,
    embedded::Embedded,
    failure::{Failure, failed},
    ready,
    settings::Settings,
    webhook_secret,
};

/// Routes by which requests are counted, beside the door's.
const ROUTES: &[&str] = &[
    "/githubPayload",
    "/ping",
    "/repos",
    "/stats",
    "/v1/accounts/{login}",
    "/v1/accounts/{login}/repos",
    "/v1/repos/{owner}/{name}",
    "/version",
];

/// Every metric that a process with all roles has, for the reference page.
pub(crate) fn collectors() -> prometheus::Result<Collectors> {
    let mut all = process_metrics::collectors(env!("CARGO_PKG_VERSION"))?;
    all.extend(HttpMetrics::new(ROUTES)?.collectors());
    all.extend(IngestMetrics::new()?.collectors());
    all.extend(projector::Metrics::new()?.collectors());
    all.extend(backfill::Metrics::new()?.collectors());
    all.extend(query_api::Metrics::new()?.collectors());
    Ok(all)
}

/// All roles, running.
pub(crate) struct Running {
    /// Where webhooks and the API are.
    pub(crate) api: SocketAddr,
    /// Where metrics and the admin routes are.
    pub(crate) ops: SocketAddr,
    /// Replaced on SIGHUP.
    pub(crate) secrets: SharedSecrets,
    servers: JoinSet<()>,
    ingest: Ingest,
    work: JoinSet<Result<(), String>>,
    stop_serving: CancellationToken,
    stop_working: CancellationToken,
    shutdown_timeout: Duration,
}

/// Starts everything. The door opens as soon as the log is there; the rest catches up behind it.
pub(crate) async fn start(settings: &Settings) -> Result<Running, Failure> {
    let api_listener = bind(&settings.listen, "--listen, TALLYHOOK_LISTEN")?;
    let ops_listener = bind(&settings.ops_listen, "--ops-listen, TALLYHOOK_OPS_LISTEN")?;
    let (api, ops) = (local(&api_listener)?, local(&ops_listener)?);

    let registry = Registry::new();
    process_metrics::register(&registry, env!("CARGO_PKG_VERSION")).map_err(failed)?;
    let Embedded { log, store, state, log_broken, store_broken } = Embedded::open(&settings.data_dir).await?;
    // Before anything is appended: what a log that is not ours took in would be lost when the right one comes back.
    projector::recognise(&*log, &*store).await.map_err(failed)?;
    let hints: Arc<dyn Hints> = Arc::new(InProcessHints::new());
    let secrets = SharedSecrets::new(webhook_secret::verifying(settings)?);
    let (stop_serving, stop_working) = (CancellationToken::new(), CancellationToken::new());
    let mut work = JoinSet::new();

    // Listeners before tellers: nothing that is folded goes unheard.
    let backfill_metrics = backfill::Metrics::register(&registry).map_err(failed)?;
    let github = github_client(settings, backfill_metrics.clone())?;
    let backfill = Backfill {
        log: Arc::clone(&log),
        store: Arc::clone(&store),
        hints: Arc::clone(&hints),
        github: github.clone(),
        metrics: backfill_metrics,
        settings: BackfillSettings {
            concurrency: settings.github_concurrency,
            reconcile: settings.reconcile,
            latest_poll: latest_poll(settings),
            ..BackfillSettings::default()
        },
    }
    .listen();
    let query = QueryApi::start(QueryDeps {
        log: Arc::clone(&log),
        store: Arc::clone(&store),
        hints: Arc::clone(&hints),
        clock: Arc::new(now),
        planner: Some(Arc::new(BackfillPlanner { store: Arc::clone(&store), github })),
        settings: query_settings(settings),
        metrics: query_api::Metrics::register(&registry).map_err(failed)?,
    })
    .await
    .map_err(failed)?;

    let (progress, reader) = Progress::new();
    let projector = Projector {
        log: Arc::clone(&log),
        store: Arc::clone(&store),
        hints,
        progress,
        metrics: projector::Metrics::register(&registry).map_err(failed)?,
        settings: ProjectorSettings::default(),
    };
    let projecting = stop_working.clone();
    work.spawn(async move { projector.run(projecting).await.map_err(|stopped| stopped.to_string()) });
    let asking = stop_working.clone();
    let mut caught_up = reader.clone();
    work.spawn(async move {
        // Effects wait: a rebuild asks nobody.
        if caught_up.wait_caught_up().await {
            Embedded::retire_older_generations(state).await;
            backfill.run(asking).await.map_err(|stopped| stopped.to_string())?;
        }
        Ok(())
    });
    for mut broken in [log_broken, store_broken] {
        work.spawn(async move {
            let sentence = broken.wait_for(Option::is_some).await.ok().and_then(|sentence| sentence.clone());
            match sentence {
                Some(sentence) => Err(sentence),
                None => std::future::pending().await,
            }
        });
    }

    let ingest = Ingest::new(IngestDeps {
        log: Arc::clone(&log),
        secrets: secrets.clone(),
        limits: IngestLimits::default(),
        metrics: IngestMetrics::register(&registry).map_err(failed)?,
    });
    query.door_opens(now());
    let servers = serve_http(
        settings,
        (api_listener, ops_listener),
        (&ingest, &query),
        (&log, &store, reader),
        registry,
        &stop_serving,
    )?;
    announce(&*log, &settings.track).await?;
    info!(%api, %ops, data_dir = %settings.data_dir.display(), "listening");
    let shutdown_timeout = settings.shutdown_timeout;
    Ok(Running { api, ops, secrets, servers, ingest, work, stop_serving, stop_working, shutdown_timeout })
}

impl Running {
    /// Runs until `shutdown` or until a part fails, then drains: no new requests, those in flight end, what
    /// was acknowledged is folded as far as time allows, everything is flushed.
    pub(crate) async fn until(mut self, shutdown: CancellationToken) -> Result<(), Failure> {
        let failure = loop {
            tokio::select! {
                () = shutdown.cancelled() => break None,
                Some(ended) = self.work.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(sentence)) => break Some(sentence),
                    Err(error) => break Some(format!("a part of the service panicked: {error}")),
                },
            }
        };
        let timeout = self.shutdown_timeout;
        drain(timeout, "everything", self.end()).await;
        match failure {
            Some(sentence) => Err(Failure::Failed(sentence)),
            None => Ok(()),
        }
    }

    async fn end(&mut self) {
        self.stop_serving.cancel();
        while self.servers.join_next().await.is_some() {}
        self.ingest.drained().await;
        self.stop_working.cancel();
        // The two that only watch for broken storage never end by themselves.
        let working = 2;
        while self.work.len() > working {
            if let Some(Ok(Err(sentence))) = self.work.join_next().await {
                tracing::error!(sentence, "a part of the service did not end in order");
            }
        }
        info!("ended in order");
    }
}

type Rooms<'a> = (&'a Arc<dyn EventLog>, &'a Arc<dyn ViewStore>, ProgressReader);

fn serve_http(
    settings: &Settings,
    (api_listener, ops_listener): (TcpListener, TcpListener),
    (ingest, query): (&Ingest, &QueryApi),
    (log, store, progress): Rooms<'_>,
    registry: Registry,
    shutdown: &CancellationToken,
) -> Result<JoinSet<()>, Failure> {
    let routes: Vec<&'static str> = ROUTES.iter().chain(&ingest::ROUTES).copied().collect();
    let metrics = HttpMetrics::register(&registry, &routes).map_err(failed)?;
    let api =
        ingest.router().merge(query.router()).layer(metrics).layer(middleware::map_request(with_address));
    let checks = ready::checks(Arc::clone(log), Arc::clone(store), progress);
    let is_guarded = local(&ops_listener)?.ip().is_loopback() || settings.admin_token.is_some();
    let admin = if is_guarded { query.admin_router() } else { admin::shut() };
    let ops = health::ops_router(checks, registry).merge(admin);
    let limits = Limits { drain_timeout: settings.shutdown_timeout, ..Limits::default() };
    let mut servers = JoinSet::new();
    for (listener, router) in [(api_listener, api), (ops_listener, ops)] {
        servers.spawn(serve_one(listener, router, limits.clone(), shutdown.clone()));
    }
    Ok(servers)
}

async fn serve_one(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    http::serve(listener, router, limits, shutdown).await;
}

/// The window limits by address, and knows nothing of sockets.
async fn with_address(mut request: Request) -> Request {
    if let Some(PeerAddress(address)) = request.extensions().get::<PeerAddress>().copied() {
        request.extensions_mut().insert(ClientAddress(address.ip()));
    }
    request
}

fn query_settings(settings: &Settings) -> QuerySettings {
    QuerySettings {
        track: settings.track.clone(),
        track_on_read: settings.track_on_read,
        track_on_read_per_hour: Some(settings.track_on_read_per_hour),
        reconcile: settings.reconcile,
        latest_poll: latest_poll(settings),
        cache_bytes: settings.cache_bytes,
        api_token: settings.api_token.clone(),
        admin_token: settings.admin_token.clone(),
        read_limit: settings.read_limit,
        write_limit: settings.write_limit,
        trusted_proxies: settings.trusted_proxies.clone(),
        cors_origins: match settings.cors_origins.as_slice() {
            [any] if any == "*" => query_api::CorsOrigins::Any,
            origins => query_api::CorsOrigins::Only(origins.to_vec()),
        },
        ..QuerySettings::default()
    }
}

/// Without a token a forge allows sixty requests an hour, and the newest repositories may take half of them.
const LATEST_POLL_WITHOUT_TOKEN: Duration = Duration::from_secs(30 * 60);

/// How often the newest public repositories are asked for.
fn latest_poll(settings: &Settings) -> Option<Duration> {
    let least = if settings.github_token.is_some() { Duration::ZERO } else { LATEST_POLL_WITHOUT_TOKEN };
    settings.latest_poll.map(|every| every.max(least))
}

/// A client of GitHub after the settings.
pub(crate) fn github_client(settings: &Settings, observer: backfill::Metrics) -> Result<Client, Failure> {
    let github = github::client::Settings {
        token: settings.github_token.clone(),
        concurrency: settings.github_concurrency,
        observer: Arc::new(observer),
        ..github::client::Settings::new(settings.github_api_url.clone())
    };
    Client::new(github).map_err(|error| {
        Failure::Usage(format!("--github-api-url (TALLYHOOK_GITHUB_API_URL) or its token: {error}"))
    })
}

/// Tells the log that the door is open, and whom the settings want kept.
async fn announce(log: &dyn EventLog, track: &[String]) -> Result<(), Failure> {
    let wanted = track.iter().map(|login| Event::LoginWanted {
        forge: Forge::GitHub,
        login: login.as_str().into(),
        by: TrackedBy::Settings,
    });
    let events: Vec<Event<'_>> = std::iter::once(Event::DoorOpened).chain(wanted).collect();
    let record = Record {
        stream: StreamKey::Service,
        id: uuid::Uuid::new_v4().to_string(),
        dedupe: None,
        kind: COMMAND.to_owned(),
        received_at: now(),
        headers: Vec::new(),
        body: Command { events }.encode().into(),
    };
    log.append(vec![record]).await.map(|_| ()).map_err(failed)
}

/// What the window asks of backfill.
struct BackfillPlanner {
    store: Arc<dyn ViewStore>,
    github: Client,
}

#[async_trait]
impl Planner for BackfillPlanner {
    async fn plan(&self, login: &str) -> Result<serde_json::Value, String> {
        let plan =
            backfill::plan(login, &*self.store, &self.github).await.map_err(|error| error.to_string())?;
        serde_json::to_value(plan).map_err(|error| error.to_string())
    }
}

fn now() -> Millis {
    Millis(boot::clock::now_ms())
}

fn bind(addresses: &[SocketAddr], setting: &str) -> Result<TcpListener, Failure> {
    let mut last = None;
    for address in addresses {
        match http::bind(*address, setting) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(Failure::Failed(last.unwrap_or_else(|| format!("{setting} names no address"))))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(failed)
}
