//! What all routes share, and how a found view becomes an answer.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use axum::response::Response;
use domain::{EntityKey, Epoch, Millis, RowKey, StreamKey};
use event_log::EventLog;
use http::{HeaderMap, HeaderValue, header};
use view_store::ViewStore;

use crate::{
    Clock, Planner, QueryDeps, QuerySettings,
    api_keys::ApiKeys,
    badge::Images,
    commands::Commands,
    deliveries::Deliveries,
    events::Events,
    folded::FoldedPositions,
    gist_users::Visits,
    hidden::HiddenIds,
    latest::{self, LatestAnswers},
    neighbours::Neighbours,
    pages::Pages,
    protocol::{cors::Cors, names, problem::Problem, quota::Limit, token::Token},
    readers::Readers,
    ready::{Circumstances, Damaged, Ready},
    rows::{Address, ReadError, Rows},
    tracking::Tracking,
    waiting::WaitingRoom,
};

pub(crate) type Shared = Arc<Window>;

/// The part of the cache's bytes that joined list pages get; the rest is for rows.
const PAGES_SHARE: usize = 8;

/// The same for filtered answers about the newest public repositories.
const LATEST_SHARE: usize = 16;

/// A check is out of date after this many sweep intervals (design §6).
pub(crate) const SWEEPS_TO_STALE: i64 = 2;

/// What all routes share.
pub(crate) struct Window {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) store: Arc<dyn ViewStore>,
    pub(crate) rows: Rows,
    pub(crate) pages: Pages,
    pub(crate) images: Images,
    pub(crate) hidden: HiddenIds,
    pub(crate) latest: LatestAnswers,
    pub(crate) latest_key: RowKey,
    pub(crate) waiting: WaitingRoom,
    pub(crate) folded: FoldedPositions,
    pub(crate) deliveries: Deliveries,
    pub(crate) events: Events,
    pub(crate) commands: Commands,
    pub(crate) tracking: Tracking,
    pub(crate) readers: Readers,
    pub(crate) visits: Visits,
    pub(crate) neighbours: Neighbours,
    pub(crate) api_keys: ApiKeys,
    pub(crate) clock: Clock,
    pub(crate) planner: Option<Arc<dyn Planner>>,
    pub(crate) cors: Cors,
    /// Headers of every answer with data.
    shared_headers: HeaderMap,
    pub(crate) read_limit: Option<Limit>,
    pub(crate) write_limit: Option<Limit>,
    pub(crate) api_token: Option<Token>,
    pub(crate) admin_token: Option<Token>,
    pub(crate) settings: QuerySettings,
    door: RowKey,
    /// When this process opened the door itself, in milliseconds; its row tells that a moment later.
    pub(crate) door_opened_ms: AtomicI64,
    /// Whether rows of an older generation may be shown; never where nobody said so.
    pub(crate) shows_older: OnceLock<Arc<AtomicBool>>,
}

impl Window {
    pub(crate) fn new(deps: QueryDeps, epoch: Epoch) -> Self {
        let QueryDeps { log, store, hints: _, clock, planner, settings, metrics } = deps;
        let pages_bytes = settings.cache_bytes / PAGES_SHARE;
        let latest_bytes = settings.cache_bytes / LATEST_SHARE;
        let rows_bytes = settings.cache_bytes - pages_bytes - latest_bytes;
        let cors = Cors::new(&settings.cors_origins);
        let mut shared_headers = cors.shared();
        shared_headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        shared_headers.insert(header::CACHE_CONTROL, names::cache_control(settings.api_token.is_some()));
        let commands = Commands::new(Arc::clone(&log), Arc::clone(&clock), epoch);
        Window {
            rows: Rows::new(
                Arc::clone(&store),
                Arc::clone(&log),
                rows_bytes,
                settings.cache_age_max,
                metrics.clone(),
            ),
            pages: Pages::new(pages_bytes),
            images: Images::new(),
            hidden: HiddenIds::default(),
            latest: LatestAnswers::new(latest_bytes),
            latest_key: latest::key(),
            waiting: WaitingRoom::new(metrics.waiting.clone()),
            folded: FoldedPositions::default(),
            deliveries: Deliveries::new(),
            events: Events::new(),
            tracking: Tracking::new(commands.clone(), &settings, metrics.tracked_on_read),
            readers: Readers::new(commands.clone()),
            visits: Visits::default(),
            neighbours: Neighbours::default(),
            api_keys: ApiKeys::new(settings.key_limit, commands.clone()),
            commands,
            cors,
            shared_headers,
            read_limit: settings.read_limit.map(Limit::new),
            write_limit: settings.write_limit.map(Limit::new),
            api_token: settings.api_token.as_ref().map(Token::new),
            admin_token: settings.admin_token.as_ref().map(Token::new),
            door: RowKey::Entity(StreamKey::Service, EntityKey::Door),
            door_opened_ms: AtomicI64::new(i64::MIN),
            shows_older: OnceLock::new(),
            log,
            store,
            clock,
            planner,
            settings,
        }
    }

    /// Headers of every answer with data.
    pub(crate) fn shared_headers(&self) -> &HeaderMap {
        &self.shared_headers
    }

    /// The time on our clock.
    pub(crate) fn now(&self) -> Millis {
        (self.clock)()
    }

    /// Whether an answer may be made of rows of an older generation.
    pub(crate) fn shows_older(&self) -> bool {
        self.shows_older.get().is_some_and(|shows| shows.load(Ordering::Relaxed))
    }

    /// Sends a payload to somebody who asked with these headers.
    pub(crate) async fn answer(&self, request: &HeaderMap, ready: &Ready) -> Result<Response, Problem> {
        let now = Circumstances {
            is_complete: ready.meta.complete && self.is_fresh(ready.checked()).await,
            shared: &self.shared_headers,
        };
        Ok(ready.answer(request, &now)?)
    }

    /// Whether what was checked then can have missed nothing that matters: our door was open since, and the
    /// sweep has not left it out. While it is not known when the door opened, nothing is fresh.
    pub(crate) async fn is_fresh(&self, checked: Option<Millis>) -> bool {
        let Some(checked) = checked else { return false };
        let door = self.rows.get(Address::Row(&self.door)).await;
        let Some(opened) = door.ok().and_then(|door| door.door()) else { return false };
        let is_swept = self.settings.reconcile.is_none_or(|interval| {
            let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
            checked.plus(interval_ms.saturating_mul(SWEEPS_TO_STALE)) >= self.now()
        });
        let opened = opened.max(Millis(self.door_opened_ms.load(Ordering::Relaxed)));
        checked >= opened && is_swept
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable => Problem::unavailable(),
            ReadError::Unreadable => Problem::unreadable(),
        }
    }
}

impl From<Damaged> for Problem {
    fn from(Damaged: Damaged) -> Self {
        tracing::error!("a stored payload is damaged");
        Problem::unreadable()
    }
}
