//! The window: what readers ask, answered from ready bytes.
//!
//! On a delivery's journey this is its end: the projector wrote a view and hinted that it changed, and a
//! request copies that view from memory to the socket. A request goes through `gate` (limits, token,
//! CORS), a `route` finds which account and view are meant (`reading`), the row comes from
//! memory or the store (`rows`), and `ready` turns it into an answer. What is not known yet is
//! wished for by a command to the log (`tracking`) and waited for by hints (`waiting`).
//!
//! *Architecture invariant*: nothing here asks a forge, writes the store or renders a view. Commands are
//! appended to the log like everything else; a list page joins views that are ready.

mod admin;
mod api_keys;
mod badge;
mod claims;
mod commands;
mod console;
mod deliveries;
mod events;
mod explain;
mod folded;
mod follow;
mod gaps;
mod gate;
mod gist_users;
mod hidden;
mod latest;
mod markup;
mod metrics;
mod neighbours;
mod openapi;
mod page;
mod pages;
mod planner;
mod profiles;
mod protocol;
mod readers;
mod reading;
mod ready;
mod route;
mod rows;
mod settings;
mod tracking;
mod waiting;
mod window;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::Router;
use domain::{Epoch, Millis, RowKey};
use event_log::EventLog;
use view_store::{Hints, StoreError, ViewStore};

pub use crate::{
    markup::escaped,
    metrics::Metrics,
    openapi::{docs_router, openapi},
    planner::{ForgeBudget, LimitStanding, Planner},
    settings::{CorsOrigins, QuerySettings},
};
/// How many requests an address may make in which time.
pub use governor::Quota;

use crate::window::{Shared, Window};

/// Tells the time on our clock.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// What the query API works with.
pub struct QueryDeps {
    /// Where commands go, and where the bodies of dead letters are.
    pub log: Arc<dyn EventLog>,
    /// What it reads.
    pub store: Arc<dyn ViewStore>,
    /// Where it hears that rows changed.
    pub hints: Arc<dyn Hints>,
    /// The time.
    pub clock: Clock,
    /// What can say how much work a backfill would be; `None` where no backfill runs in this process.
    pub planner: Option<Arc<dyn Planner>>,
    /// What people may choose.
    pub settings: QuerySettings,
    /// What it counts.
    pub metrics: Metrics,
}

/// Why the query API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store did not answer; try again, or stop if it says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was not created by this program, or by a newer release of it.
    #[error(
        "the store has no epoch that this release can read: it was not created by tallyhook, or by a newer one"
    )]
    NoEpoch,
}

/// The routers over one cache. Cheap to clone; lives as long as any router made by it.
#[derive(Clone)]
pub struct QueryApi {
    window: Shared,
}

impl QueryApi {
    /// Starts to listen to hints, then serves nothing until a router is asked for.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(deps: QueryDeps) -> Result<Self, StartError> {
        let row = deps.store.get(&RowKey::Epoch).await?.ok_or(StartError::NoEpoch)?;
        let epoch = Epoch::decode(&row.value).map_err(|_| StartError::NoEpoch)?;
        // Before the first row is read, so that no change of it goes unheard.
        let follower = deps.hints.follow();
        let window = Arc::new(Window::new(deps, epoch));
        // After the first hint is listened for, so that no hiding goes unheard.
        window.hidden.load(&*window.store).await?;
        tokio::spawn(follow::follow(follower, Arc::downgrade(&window)));
        tokio::spawn(events::teller(&window));
        Ok(QueryApi { window })
    }

    /// Nothing that was checked before this moment is called complete: this process opens the door now, and the
    /// record that says so may not be folded yet when the first reader comes.
    pub fn door_opens(&self, at: Millis) {
        self.window.door_opened_ms.store(at.0, Ordering::Relaxed);
    }

    /// While this is true, rows of an older generation may be shown, and no answer is called complete. To be said
    /// once, before the first request.
    pub fn may_show_older(&self, may: Arc<AtomicBool>) {
        // A second one would only repeat the first.
        let _ = self.window.shows_older.set(may);
    }

    /// Ends answers that would go on for ever, so that connections can be drained.
    pub fn hang_up(&self) {
        self.window.events.end();
    }

    /// The public routes. It has a fallback (404), so routers merged with it must have none.
    pub fn router(&self) -> Router {
        route::router(&self.window)
    }

    /// Puts these routes, which change something too, behind the admin token where one is set.
    pub fn guarded(&self, routes: Router) -> Router {
        admin::guarded(routes, &self.window)
    }

    /// The routes of the ops port that begin with `/admin`; asks for the admin token where one is set.
    pub fn admin_router(&self) -> Router {
        admin::router(&self.window)
    }
}
