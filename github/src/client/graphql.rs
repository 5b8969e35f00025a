//! One GraphQL query: where it is sent, and what its answer says of the query itself. What it was about is read where
//! it was asked.
//!
//! GraphQL saves requests and is never needed: where it is not to be had the same is asked in REST. So nothing that it
//! answers is an error that an operator must mend.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::Second;
use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::{AskError, Client, Request, WaitWhy, date, gate::Pass, limits::GRAPHQL, transport::Response};

/// Where it was not to be had it is tried again after this: a server may be upgraded.
const CLOSED: Duration = Duration::from_secs(60 * 60);

/// So often in a row it may fail as a server fails …
const FAILURES_MAX: u32 = 3;

/// … before it is left alone for so long: REST may do better, and if not, the forge is down.
const FAILED: Duration = Duration::from_secs(60);

/// A limit that is told without a time is taken to last so long.
const LIMITED: Duration = Duration::from_secs(60);

/// What is known of whether GraphQL is to be had.
#[derive(Debug, Default)]
pub(crate) struct Graphql {
    /// In a row.
    failures: u32,
    closed_until: Option<Instant>,
}

/// What came of a query.
pub(crate) enum Queried<T> {
    /// Take it. `is_whole`: nothing of it failed, so that what is `null` is none; else it may only be missing.
    Data { data: T, is_whole: bool, date: Second },
    /// It took too long: ask for less.
    TooHeavy,
    /// Ask in REST.
    NotOffered,
}

#[derive(Serialize)]
struct Body<'a, V> {
    query: &'a str,
    variables: V,
}

#[derive(Deserialize)]
struct Reply<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Failed>,
}

#[derive(Deserialize)]
struct Failed {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    message: String,
}

impl Client {
    /// Whether it is worth while to ask in GraphQL: it needs a token, and must not have been refused of late.
    pub fn offers_graphql(&self) -> bool {
        let graphql = self.shared.graphql.lock().unwrap_or_else(PoisonError::into_inner);
        let may_ask = match &self.shared.app {
            Some(app) if self.shared.tokens == 0 => app.known().may_ask(),
            _ => self.has_token(),
        };
        may_ask && graphql.closed_until.is_none_or(|until| until <= Instant::now())
    }

    /// Sends a query.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: impl Serialize,
        now: Second,
    ) -> Result<Queried<T>, AskError> {
        if let Some(app) = &self.shared.app {
            // Without an installation nobody would be asking.
            self.know_installations(app, now).await?;
        }
        if !self.offers_graphql() {
            return Ok(Queried::NotOffered);
        }
        let json = serde_json::to_vec(&Body { query, variables }).expect("a query of texts serializes");
        let request = Request {
            method: Method::POST,
            endpoint: "POST /graphql",
            resource: GRAPHQL,
            url: address(&self.shared.api_url),
            etag: None,
            json: Some(Bytes::from(json)),
            accept: None,
            now,
        };
        let response = match self.exchange(&request).await {
            Ok(response) => response,
            Err(AskError::Retry(_)) if self.has_failed_often() => return Ok(Queried::NotOffered),
            Err(error) => return Err(error),
        };
        match response.status.as_u16() {
            502 | 504 => Ok(Queried::TooHeavy),
            200 => self.read(&request, &response),
            _ => Ok(self.close()),
        }
    }

    /// Notes a failure of a server, and whether it was one too many.
    fn has_failed_often(&self) -> bool {
        let mut graphql = self.shared.graphql.lock().unwrap_or_else(PoisonError::into_inner);
        graphql.failures += 1;
        let is_too_often = graphql.failures >= FAILURES_MAX;
        if is_too_often {
            *graphql = Graphql { failures: 0, closed_until: Some(Instant::now() + FAILED) };
        }
        is_too_often
    }

    fn read<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        response: &Response,
    ) -> Result<Queried<T>, AskError> {
        let Ok(reply) = serde_json::from_slice::<Reply<T>>(&response.body) else { return Ok(self.close()) };
        let Reply { data, errors } = reply;
        if let Some(data) = data {
            self.shared.graphql.lock().unwrap_or_else(PoisonError::into_inner).failures = 0;
            let date = date::of(&response.headers, request.now);
            return Ok(Queried::Data { data, is_whole: errors.is_empty(), date });
        }
        if errors.iter().any(|error| error.kind.as_deref() == Some("RATE_LIMITED")) {
            // Its headers said how long, and what they said is noted.
            let Err(limited) = Pass::admit(&self.shared.gate, &self.wanted(request), Instant::now()) else {
                return Err(AskError::Wait { after: LIMITED, why: WaitWhy::Primary });
            };
            return Err(limited);
        }
        if errors.iter().any(Failed::is_heavy) { Ok(Queried::TooHeavy) } else { Ok(self.close()) }
    }

    /// Notes that there is no GraphQL to be had.
    fn close<T>(&self) -> Queried<T> {
        let closed_until = Some(Instant::now() + CLOSED);
        *self.shared.graphql.lock().unwrap_or_else(PoisonError::into_inner) =
            Graphql { failures: 0, closed_until };
        Queried::NotOffered
    }
}

impl Failed {
    fn is_heavy(&self) -> bool {
        matches!(self.kind.as_deref(), Some("RESOURCE_LIMITS_EXCEEDED" | "MAX_NODE_LIMIT_EXCEEDED"))
            || self.message.contains("timeout")
    }
}

/// GitHub's is beside the REST API; that of a GHES, whose REST API is under `/api/v3`, is at `/api/graphql`.
fn address(api_url: &Url) -> Url {
    let base = api_url.path().trim_end_matches('/');
    let path = base.strip_suffix("/v3").filter(|api| api.ends_with("/api")).unwrap_or(base);
    let mut url = api_url.clone();
    url.set_path(&format!("{path}/graphql"));
    url
}

/// What an answer says that it took; at least a point, even where it failed.
pub(crate) fn points(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        rate_limit: Option<Taken>,
    }
    #[derive(Deserialize)]
    struct Taken {
        cost: u64,
    }
    #[derive(Deserialize)]
    struct Told {
        data: Option<Data>,
    }
    let told = serde_json::from_slice::<Told>(body).ok();
    told.and_then(|told| told.data?.rate_limit).map_or(1, |taken| taken.cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_where_each_server_has_it() {
        for (api, graphql) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            ("https://ghe.example/api/v3", "https://ghe.example/api/graphql"),
            ("https://ghe.example/api/v3/", "https://ghe.example/api/graphql"),
            ("http://127.0.0.1:9099/", "http://127.0.0.1:9099/graphql"),
            ("https://like.example/v3", "https://like.example/v3/graphql"),
        ] {
            assert_eq!(address(&Url::parse(api).unwrap()).as_str(), graphql);
        }
    }

    #[test]
    fn points_are_as_told() {
        assert_eq!(points(br#"{"data":{"rateLimit":{"cost":4,"remaining":7},"x":[1]}}"#), 4);
        assert_eq!(points(br#"{"data":null,"errors":[{"message":"timeout"}]}"#), 1);
        assert_eq!(points(b"<html>"), 1);
    }
}
