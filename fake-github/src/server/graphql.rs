//! `POST /graphql`: the part of GitHub's schema that profiles and repositories need. A library parses, checks and
//! executes; here stand the limits around it (`cost`) and what the fields answer (`schema`).
//!
//! A query runs over one moment of the world, so that what it answers was true at once.

mod answers;
mod cost;
mod lists;
mod moment;
mod schema;

use std::{net::SocketAddr, sync::LazyLock};

use async_graphql::{EmptyMutation, EmptySubscription, Request, Schema};
use serde_json::{Value, json};

use self::{
    cost::Cost,
    moment::Moment,
    schema::{Query, RateLimit},
};
use super::{
    accept::{DEFAULT_VERSION, Shared, faulty},
    caller::Caller,
    limits::{Limited, Resource},
    reply::Reply,
    requests::RequestRecord,
};
use crate::faults::RequestFault;

/// Where it is.
pub(super) const PATH: &str = "/graphql";

type Github = Schema<Query, EmptyMutation, EmptySubscription>;

static SCHEMA: LazyLock<Github> =
    LazyLock::new(|| Schema::build(Query, EmptyMutation, EmptySubscription).finish());

/// What a query runs with.
struct Prepared {
    request: Request,
    cost: Cost,
    who: Limited,
    version: &'static str,
}

/// Answers a query.
pub(super) async fn reply(
    shared: &Shared,
    peer: SocketAddr,
    parts: &http::request::Parts,
    body: &[u8],
    fault: Option<RequestFault>,
) -> (Reply, RequestRecord) {
    let mut record = RequestRecord::of(parts);
    let prepared = match prepare(shared, peer, parts, body, fault, &mut record) {
        Ok(prepared) => prepared,
        Err(reply) => return (*reply, record),
    };
    let Prepared { request, cost, who, version } = prepared;
    let reply = match fault {
        Some(RequestFault::TooHeavy { nodes_max }) if cost.nodes > nodes_max => {
            let message = "Something went wrong while executing your query. This may be the result of a timeout, or \
                           it could be a GitHub bug.";
            Reply::json(json!({ "data": null, "errors": [{ "message": message }] }).to_string())
                .with_status(502)
        }
        _ => {
            let response = SCHEMA.execute(request).await;
            Reply::json(as_githubs(serde_json::to_value(&response).unwrap_or_default()).to_string())
        }
    };
    let now = shared.with_world(|world| world.now());
    let mut limits = shared.limits();
    limits.count(who, Resource::Graphql, cost.points);
    (record.counted, record.points) = (true, cost.points);
    let standing = limits.standing(who, Resource::Graphql, now);
    (reply.dressed(now, version, Some(standing)), record)
}

/// Looks at who asks, whether anything is left, and what the query costs; or says what is answered instead.
fn prepare(
    shared: &Shared,
    peer: SocketAddr,
    parts: &http::request::Parts,
    body: &[u8],
    fault: Option<RequestFault>,
    record: &mut RequestRecord,
) -> Result<Prepared, Box<Reply>> {
    shared.with_world(|world| {
        let now = world.now();
        let caller = Caller::of(&parts.headers, PATH, world.view(), now)
            .map_err(|reply| Box::new(reply.dressed(now, DEFAULT_VERSION, None)))?;
        caller.note(record);
        let who = caller.limited(peer.ip());
        let standing = shared.limits().standing(who, Resource::Graphql, now);
        let dressed = |reply: Reply| Box::new(reply.dressed(now, caller.version, Some(standing)));
        if let Some(reply) = fault.and_then(|fault| faulty(fault, parts, standing, now)) {
            return Err(Box::new(reply));
        }
        if caller.account.is_none() {
            return Err(dressed(Reply::error(401, "This endpoint requires you to be authenticated.")));
        }
        if standing.remaining() == 0 {
            return Err(dressed(refused("RATE_LIMITED", &format!("API rate limit exceeded for {who}"))));
        }
        let mut request: Request =
            serde_json::from_slice(body).map_err(|_| dressed(Reply::error(400, "Problems parsing JSON")))?;
        let variables = request.variables.clone();
        let document =
            request.parsed_query().map_err(|error| dressed(refused("PARSE_ERROR", &error.message)))?;
        let cost = cost::of(document, &variables)
            .map_err(|error| dressed(refused(error.kind(), &error.to_string())))?;
        let view = match fault {
            Some(RequestFault::Lag(lag)) => world.view_behind(lag),
            _ => world.view(),
        };
        let moment = Moment::of(view, caller.account, fault == Some(RequestFault::Partial));
        let rate_limit = RateLimit::after(standing, cost);
        let request = request.data(moment).data(rate_limit);
        Ok(Prepared { request, cost, who, version: caller.version })
    })
}

/// A query that is not executed: 200, as GitHub answers.
fn refused(kind: &str, message: &str) -> Reply {
    Reply::json(json!({ "errors": [{ "type": kind, "message": message }] }).to_string())
}

/// GitHub names the type of an error beside its message.
fn as_githubs(mut response: Value) -> Value {
    for error in response.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(kind) = error.pointer("/extensions/type").cloned()
            && let Some(error) = error.as_object_mut()
        {
            error.remove("extensions");
            error.insert("type".to_owned(), kind);
        }
    }
    response
}
