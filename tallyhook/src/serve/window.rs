//! The query API as settings want it, and what it asks of backfill.

use std::sync::Arc;

use async_trait::async_trait;
use github::client::{Client, Spender};
use prometheus::Registry;
use query_api::{ForgeBudget, LimitStanding, Planner, QueryApi, QueryDeps, QuerySettings};
use view_store::ViewStore;

use super::{latest_poll, now};
use crate::{
    failure::{Failure, failed},
    ports::{Ports, RowPorts},
    settings::Settings,
};

/// Starts the query API. `github`: of the backfill in this process, if there is one.
pub(super) async fn start(
    settings: &Settings,
    ports: &Ports,
    rows: &RowPorts,
    github: Option<Client>,
    registry: &Registry,
) -> Result<QueryApi, Failure> {
    let (store, hints) = match &rows.served {
        Some(served) => (served.store(), served.hints()),
        None => (Arc::clone(&rows.store), Arc::clone(&rows.far)),
    };
    let planner = github.map(|github| {
        let planner: Arc<dyn Planner> = Arc::new(BackfillPlanner {
            store: Arc::clone(&store),
            github,
            has_bitbucket_token: settings.bitbucket_token.is_some(),
        });
        planner
    });
    let query = QueryApi::start(QueryDeps {
        log: Arc::clone(&ports.log),
        store,
        hints,
        clock: Arc::new(now),
        planner,
        settings: QuerySettings { cache_age_max: rows.cache_age_max, ..query_settings(settings) },
        metrics: query_api::Metrics::register(registry).map_err(failed)?,
    })
    .await
    .map_err(failed)?;
    if let Some(served) = &rows.served {
        query.may_show_older(served.shows_older());
    }
    Ok(query)
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
        key_limit: settings.key_limit,
        trusted_proxies: settings.trusted_proxies.clone(),
        cors_origins: match settings.cors_origins.as_slice() {
            [any] if any == "*" => query_api::CorsOrigins::Any,
            origins => query_api::CorsOrigins::Only(origins.to_vec()),
        },
        ..QuerySettings::default()
    }
}

/// What the window asks of backfill.
struct BackfillPlanner {
    store: Arc<dyn ViewStore>,
    github: Client,
    has_bitbucket_token: bool,
}

#[async_trait]
impl Planner for BackfillPlanner {
    async fn plan(&self, login: &str) -> Result<serde_json::Value, String> {
        let plan =
            backfill::plan(login, &*self.store, &self.github).await.map_err(|error| error.to_string())?;
        serde_json::to_value(plan).map_err(|error| error.to_string())
    }

    fn budgets(&self) -> Vec<ForgeBudget> {
        let first = usize::from(self.github.tokens() > 0);
        // Whoever has no token of the settings has an entry for what was asked as nobody.
        let mut tokens = self.github.standings();
        tokens.extend(self.github.installation_standings().into_iter().map(|(_, standings)| standings));
        let limits = tokens.iter().enumerate().flat_map(|(place, standings)| {
            standings.iter().map(move |standing| {
                let budget = standing.budget;
                let spent = Spender::ALL.into_iter().map(|spender| {
                    let count =
                        standing.spent.iter().find(|(by, _)| *by == spender).map_or(0, |(_, count)| *count);
                    (spender.as_str(), count)
                });
                LimitStanding {
                    token: first + place,
                    resource: budget.resource,
                    limit: budget.limit,
                    remaining: budget.remaining,
                    reserved: self.github.kept_of(budget.limit).min(budget.remaining),
                    reset: budget.reset.to_string(),
                    spent: spent.collect(),
                }
            })
        });
        let github = ForgeBudget {
            forge: "github",
            tokens: self.github.tokens(),
            repair_share: f64::from(self.github.reserve().as_percent()) / 100.0,
            limits: limits.collect(),
        };
        // It tells of no limits in its answers.
        let bitbucket = ForgeBudget {
            forge: "bitbucket",
            tokens: usize::from(self.has_bitbucket_token),
            repair_share: 0.0,
            limits: Vec::new(),
        };
        vec![github, bitbucket]
    }
}
