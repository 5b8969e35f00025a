//! The routes of the ops port, for the command line of this program: JSON in and out, one file each.
//!
//! POST routes take `application/json` only, so that no web page can use a browser on this machine to send one
//! without asking first, and nobody answers that question here.

mod accounts;
mod backfill;
mod dead_letters;
mod drop;
mod forget;
mod input;
mod keys;
mod letters;
mod outbox;
mod plan;
mod retry;
mod track;
mod untrack;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use domain::{AccountId, Forge, Millis};
use event_log::{Position, Record};
use tokio::time::Instant;

use crate::{
    protocol::problem::Problem,
    reading::{is_name, lower_case},
    rows::{Address, ReadError},
    window::{Shared, Window},
};

/// A body holds at most a thousand logins or ids, which takes less.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// So many logins or ids a call: each costs a row or an append.
const ITEMS_MAX: usize = 1000;

pub(crate) fn router(window: &Shared) -> Router {
    let routes = Router::new()
        .route("/admin/track", post(track::post))
        .route("/admin/untrack", post(untrack::post))
        .route("/admin/accounts", get(accounts::get))
        .route("/admin/forget", post(forget::post))
        .route("/admin/backfill", post(backfill::post))
        // Somebody may be called `plan`.
        .route("/admin/backfill/plan", post(plan::post).get(backfill::get_plan))
        .route("/admin/backfill/{login}", get(backfill::get))
        .route("/admin/dead-letters", get(dead_letters::list))
        .route("/admin/dead-letters/retry", post(retry::post))
        .route("/admin/dead-letters/drop", post(drop::post))
        .route("/admin/dead-letters/{id}", get(dead_letters::get))
        .route("/admin/outbox", get(outbox::list))
        .route("/admin/outbox/retry", post(outbox::retry))
        .route("/admin/outbox/drop", post(outbox::drop))
        .route("/admin/keys", get(keys::list).post(keys::make))
        .route("/admin/keys/revoke", post(keys::revoke))
        .with_state(Arc::clone(window));
    guarded(routes, window)
}

/// Routes that ask for the admin token first.
pub(crate) fn guarded(routes: Router, window: &Shared) -> Router {
    routes
        .route_layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route_layer(middleware::from_fn_with_state(Arc::clone(window), guard))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}

async fn guard(State(window): State<Shared>, request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(token) = &window.admin_token {
        token.check(request.headers())?;
    }
    Ok(next.run(request).await)
}

impl Window {
    /// Appends records and waits until their rows are written.
    pub(crate) async fn command(&self, records: Vec<Record>) -> Result<Vec<Position>, Problem> {
        let deadline = Instant::now() + self.settings.command_wait;
        let positions = self.commands.append(records, deadline).await?;
        let versions = self.commands.versions(&positions);
        self.folded.wait(&versions, deadline).await.map_err(|_| Problem::unconfirmed())?;
        Ok(positions)
    }

    /// The account that a login means, if that is known.
    async fn account_of(&self, login: &str) -> Result<Option<AccountId>, ReadError> {
        if !is_name(login) {
            return Ok(None);
        }
        let row = self.rows.get(Address::Alias(Forge::GitHub, &lower_case(login))).await?;
        Ok(row.alias())
    }
}

/// A time on our clock, RFC 3339; `None` for one that never was.
fn time(at: Millis) -> Option<String> {
    (at > Millis(0) && at < Millis(i64::MAX)).then(|| at.to_second().to_string())
}
