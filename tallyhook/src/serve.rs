//! The wiring of a process: ports, then the parts that its roles name, then its addresses.

mod announce;
mod gist_sink;
pub(crate) mod http;
mod retention;
mod window;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use backfill::{Backfill, BackfillSettings, Listening};
use boot::{http_metrics::HttpMetrics, metrics::Collectors, process_metrics, shutdown::drain};
use domain::Millis;
use github::client::Client;
use ingest::{Ingest, IngestDeps, IngestLimits, IngestMetrics, SharedSecrets};
use projector::{Progress, ProgressReader, Projector, ProjectorSettings};
use prometheus::Registry;
use query_api::QueryApi;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::http::Listeners;
use crate::{
    failure::{Failure, failed},
    ports::{self, Ports, RowPorts},
    ready::{self, Parts},
    roles::Roles,
    settings::Settings,
    webhook_secret,
};

/// Every metric that a process with all roles has, for the reference page.
pub(crate) fn collectors() -> prometheus::Result<Collectors> {
    let mut all = process_metrics::collectors(env!("CARGO_PKG_VERSION"))?;
    all.extend(HttpMetrics::new(http::ROUTES)?.collectors());
    all.extend(IngestMetrics::new()?.collectors());
    all.extend(projector::Metrics::new()?.collectors());
    all.extend(backfill::Metrics::new()?.collectors());
    all.extend(backfill::RetentionMetrics::new()?.collectors());
    all.extend(sinks::Metrics::new()?.collectors());
    all.extend(query_api::Metrics::new()?.collectors());
    all.extend(ports::collectors()?);
    Ok(all)
}

/// The parts of a process, running.
pub(crate) struct Running {
    /// Where webhooks and the API are.
    pub(crate) api: Option<SocketAddr>,
    /// Where metrics and the admin routes are.
    pub(crate) ops: SocketAddr,
    /// Replaced on SIGHUP; `None` where no deliveries are taken in.
    pub(crate) secrets: Option<SharedSecrets>,
    ports: Ports,
    servers: JoinSet<()>,
    ingest: Option<Ingest>,
    query: Option<QueryApi>,
    work: JoinSet<Result<(), String>>,
    /// Each ends with a sentence when storage is broken, and never otherwise.
    watches: JoinSet<String>,
    stop_serving: CancellationToken,
    stop_working: CancellationToken,
    shutdown_timeout: Duration,
}

/// Starts what the roles name. The door opens as soon as the log is there; the rest catches up behind it.
pub(crate) async fn start(settings: &Settings, roles: Roles) -> Result<Running, Failure> {
    refuse_what_cannot_be(settings, roles)?;
    let listeners = Listeners::bind(settings, roles)?;
    let (api, ops) = (listeners.api()?, listeners.ops()?);
    let registry = Registry::new();
    process_metrics::register(&registry, env!("CARGO_PKG_VERSION")).map_err(failed)?;
    let mut ports = Ports::open(settings, roles, &registry).await?;
    let projecting = projector_settings(&ports);
    if let (true, true, Some(rows)) = (roles.ingest, roles.projector, &ports.rows) {
        // Before anything is appended: what a log that is not ours took in would be lost when the right one
        // comes back.
        projector::recognise(&*ports.log, &*rows.store, &projecting).await.map_err(failed)?;
    }
    let secrets = match roles.ingest {
        true => Some(SharedSecrets::new(webhook_secret::verifying(settings)?)),
        false => None,
    };
    let (stop_serving, stop_working) = (CancellationToken::new(), CancellationToken::new());
    let mut work = JoinSet::new();

    // Listeners before tellers: nothing that is folded goes unheard.
    let (progress, reader) = Progress::new();
    let mut github = None;
    let mut backfill = None;
    let mut query = None;
    let mut sending = None;
    if let Some(rows) = &ports.rows {
        if roles.projector {
            let metrics = backfill::Metrics::register(&registry).map_err(failed)?;
            let client = github_client(settings, metrics.clone())?;
            github = Some(client.clone());
            backfill = Some(listen(settings, &ports, rows, client, metrics, &reader)?);
            sending = gist_sink::listen(settings, &ports, rows, &reader, &registry)?;
        }
        if roles.query_api {
            query = Some(window::start(settings, &ports, rows, github.take(), &registry).await?);
        }
    }
    if let (Some(rows), Some(backfill)) = (&mut ports.rows, backfill) {
        let projector = Projector {
            log: Arc::clone(&ports.log),
            store: Arc::clone(&rows.store),
            hints: Arc::clone(&rows.told),
            progress,
            metrics: projector::Metrics::register(&registry).map_err(failed)?,
            settings: projecting,
        };
        let stopping = stop_working.clone();
        work.spawn(async move { projector.run(stopping).await.map_err(|stopped| stopped.to_string()) });
        let stopping = stop_working.clone();
        work.spawn(async move { backfill.run(stopping).await.map_err(|stopped| stopped.to_string()) });
        if let Some(retention) = retention::of(settings, &ports.log, rows, &reader, &registry)? {
            let stopping = stop_working.clone();
            work.spawn(async move { retention.run(stopping).await.map_err(|stopped| stopped.to_string()) });
        }
        if let Some(sending) = sending {
            let stopping = stop_working.clone();
            work.spawn(async move { sending.run(stopping).await.map_err(|stopped| stopped.to_string()) });
        }
        if let Some(eraser) = ports.eraser.clone() {
            let (reader, stopping) = (reader.clone(), stop_working.clone());
            work.spawn(async move {
                eraser.run(reader, stopping).await;
                Ok(())
            });
        }
        if let Some(older) = rows.older.take() {
            let mut caught_up = reader.clone();
            let served = rows.served.clone();
            let stopping = stop_working.clone();
            work.spawn(async move {
                let unneeded = async {
                    if let Some(served) = served {
                        served.changed_over().await;
                    }
                    older.retire().await;
                };
                if caught_up.wait_caught_up().await {
                    stopping.run_until_cancelled(unneeded).await;
                }
                Ok(())
            });
        }
    }
    if let Some(served) = ports.rows.as_ref().and_then(|rows| rows.served.clone()) {
        let stopping = stop_working.clone();
        work.spawn(async move {
            stopping.run_until_cancelled(served.change_over()).await;
            Ok(())
        });
    }
    let watches = watch_storage(std::mem::take(&mut ports.broken));
    let ingest = secrets.as_ref().map(|secrets| door(&ports, secrets, &registry)).transpose()?;
    if let (Some(query), true) = (&query, roles.ingest) {
        query.door_opens(now());
    }
    let checks = ready::checks(Parts { roles, ports: &ports, progress: reader });
    let servers = listeners.serve(
        settings,
        (ingest.as_ref(), secrets.clone(), query.as_ref()),
        (ports.backup.take(), ports.eraser.take()),
        checks,
        registry,
        &stop_serving,
    )?;
    announce::announce(&*ports.log, settings, roles).await?;
    let shown_api = api.map(|api| api.to_string());
    info!(role = roles.name(), api = shown_api, %ops, data_dir = %settings.data_dir.display(), "listening");
    let shutdown_timeout = settings.shutdown_timeout;
    Ok(Running {
        api,
        ops,
        secrets,
        ports,
        servers,
        ingest,
        query,
        work,
        watches,
        stop_serving,
        stop_working,
        shutdown_timeout,
    })
}

fn refuse_what_cannot_be(settings: &Settings, roles: Roles) -> Result<(), Failure> {
    if !settings.places.is_cluster() && !roles.are_all() {
        return Err(Failure::Usage(format!(
            "`tallyhook {}` is one role of a cluster, and only one process can open a data folder: name Kafka and \
             ScyllaDB (TALLYHOOK_LOG, TALLYHOOK_STORE), or run all roles with `tallyhook serve`",
            roles.name()
        )));
    }
    let asks_as_somebody = !settings.github_tokens.is_empty() || settings.github_app.is_some();
    if roles.projector && settings.pull && (!asks_as_somebody || settings.deliveries_poll.is_none()) {
        return Err(Failure::Usage(
            "deliveries can be pulled (--pull, TALLYHOOK_PULL) only with a token that administers their webhooks \
             (--github-token, TALLYHOOK_GITHUB_TOKEN) or a GitHub App (--github-app-id, TALLYHOOK_GITHUB_APP_ID), and a poll (--deliveries-poll, TALLYHOOK_DELIVERIES_POLL)"
                .to_owned(),
        ));
    }
    if roles.ingest { webhook_secret::refuse_none(settings) } else { Ok(()) }
}

fn projector_settings(ports: &Ports) -> ProjectorSettings {
    let usual = ProjectorSettings::default();
    ProjectorSettings { remedy: ports.remedy.unwrap_or(usual.remedy), ..usual }
}

fn listen(
    settings: &Settings,
    ports: &Ports,
    rows: &RowPorts,
    github: Client,
    metrics: backfill::Metrics,
    progress: &ProgressReader,
) -> Result<Listening, Failure> {
    let bitbucket = bitbucket_client(settings, metrics.clone())?;
    let backfill = Backfill {
        log: Arc::clone(&ports.log),
        store: Arc::clone(&rows.store),
        hints: Arc::clone(&rows.near),
        github,
        bitbucket,
        metrics,
        settings: BackfillSettings {
            concurrency: settings.github_concurrency,
            bitbucket_concurrency: settings.bitbucket_concurrency,
            recount: settings.recount,
            reconcile: settings.reconcile,
            latest_poll: latest_poll(settings),
            deliveries_poll: settings.deliveries_poll,
            pull: settings.pull,
            hook_url: settings.hook_url.clone(),
            gist_poll: settings.gist_poll,
            gists_since: settings.gists_since,
            ..BackfillSettings::default()
        },
        partitions: progress.current(),
    };
    Ok(backfill.listen())
}

fn door(ports: &Ports, secrets: &SharedSecrets, registry: &Registry) -> Result<Ingest, Failure> {
    Ok(Ingest::new(IngestDeps {
        log: Arc::clone(&ports.log),
        secrets: secrets.clone(),
        limits: IngestLimits::default(),
        metrics: IngestMetrics::register(registry).map_err(failed)?,
    }))
}

fn watch_storage(broken: Vec<watch::Receiver<Option<String>>>) -> JoinSet<String> {
    let mut watches = JoinSet::new();
    for mut broken in broken {
        watches.spawn(async move {
            let sentence = broken.wait_for(Option::is_some).await.ok().and_then(|sentence| sentence.clone());
            match sentence {
                Some(sentence) => sentence,
                None => std::future::pending().await,
            }
        });
    }
    watches
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
                Some(broken) = self.watches.join_next() => break Some(broken.map_err(failed)?),
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
        if let Some(query) = &self.query {
            query.hang_up();
        }
        while self.servers.join_next().await.is_some() {}
        if let Some(ingest) = &self.ingest {
            ingest.drained().await;
        }
        self.stop_working.cancel();
        while let Some(ended) = self.work.join_next().await {
            if let Ok(Err(sentence)) = ended {
                tracing::error!(sentence, "a part of the service did not end in order");
            }
        }
        self.ports.close().await;
        info!("ended in order");
    }
}

/// Without a token a forge allows sixty requests an hour, and the newest repositories may take half of them.
const LATEST_POLL_WITHOUT_TOKEN: Duration = Duration::from_secs(30 * 60);

/// How often the newest public repositories are asked for.
fn latest_poll(settings: &Settings) -> Option<Duration> {
    let is_nobody = settings.github_tokens.is_empty() && settings.github_app.is_none();
    let least = if is_nobody { LATEST_POLL_WITHOUT_TOKEN } else { Duration::ZERO };
    settings.latest_poll.map(|every| every.max(least))
}

/// A client of GitHub after the settings.
pub(crate) fn github_client(settings: &Settings, observer: backfill::Metrics) -> Result<Client, Failure> {
    let github = github::client::Settings {
        tokens: settings.github_tokens.clone(),
        app: settings.github_app.clone(),
        reserve: settings.repair_share,
        concurrency: settings.github_concurrency,
        observer: Arc::new(observer),
        ..github::client::Settings::new(settings.github_api_url.clone())
    };
    Client::new(github).map_err(|error| {
        Failure::Usage(format!("--github-api-url (TALLYHOOK_GITHUB_API_URL) or its token: {error}"))
    })
}

/// A client of Bitbucket after the settings.
fn bitbucket_client(
    settings: &Settings,
    observer: backfill::Metrics,
) -> Result<bitbucket::client::Client, Failure> {
    let bitbucket = bitbucket::client::Settings {
        token: settings.bitbucket_token.clone(),
        concurrency: settings.bitbucket_concurrency,
        observer: Arc::new(observer),
        ..bitbucket::client::Settings::new(settings.bitbucket_api_url.clone())
    };
    bitbucket::client::Client::new(bitbucket).map_err(|error| {
        Failure::Usage(format!("--bitbucket-api-url (TALLYHOOK_BITBUCKET_API_URL) or its token: {error}"))
    })
}

fn now() -> Millis {
    Millis(boot::clock::now_ms())
}
