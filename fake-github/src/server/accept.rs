//! Connections, and the way of a request through the server.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Limited as LimitedBody};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "graphql")]
use super::graphql;
use super::{
    caller::Caller,
    endpoint,
    limits::{Limited, Limits, Resource, Standing},
    reply::Reply,
    requests::{RequestRecord, Requests},
    route::{self, Question},
};
use crate::{
    faults::{Faults, RequestFault},
    hooks::Dispatcher,
    model::World,
};

/// Bodies are the settings of a webhook at most.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// The API version that an answer names when the request's could not be read.
pub(super) const DEFAULT_VERSION: &str = "2022-11-28";

/// What the server, the deliveries and the handle share.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Faults,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) limits: Mutex<Limits>,
    pub(crate) requests: Mutex<Requests>,
    pub(crate) rows_max: Option<usize>,
    pub(crate) stargazers_max: usize,
}

impl Shared {
    /// Does something to the world, and sends what follows from it before anybody else can do something.
    pub(crate) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.keep_moments(self.faults.needs_moments());
        let result = act(&mut world);
        for event in world.take_events() {
            self.dispatcher.send(&event);
        }
        result
    }

    pub(super) fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until it is stopped; then every connection is closed.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A connection that failed before it began is the other side's affair.
        let Ok((stream, peer)) = accepted else { continue };
        let (shared, stop) = (shared.clone(), stop.clone());
        tasks.spawn(async move {
            let service = service_fn(|request| {
                let shared = shared.clone();
                async move { answer(&shared, peer, request).await }
            });
            let connection = http1::Builder::new()
                // Idle connections stay open: a client that reuses one must not meet a closing one.
                .header_read_timeout(None)
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // An error here is a connection that was closed: by the other side, or by a fault.
                _ = connection => {}
            }
        });
    }
}

async fn answer(
    shared: &Shared,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> io::Result<Response<Answer>> {
    let (parts, body) = request.into_parts();
    let body = LimitedBody::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let fault = shared.faults.of_request(&path);
    if let Some(RequestFault::Slow(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    #[cfg(feature = "graphql")]
    let (reply, mut record) = if parts.method == Method::POST && path == graphql::PATH {
        graphql::reply(shared, peer, &parts, &body, fault).await
    } else {
        reply(shared, peer, &parts, &body, fault)
    };
    #[cfg(not(feature = "graphql"))]
    let (reply, mut record) = reply(shared, peer, &parts, &body, fault);
    record.faulty = fault.is_some();
    let closes = fault == Some(RequestFault::Reset);
    record.status = (!closes).then_some(reply.status.as_u16());
    shared.requests().add(record);
    if closes {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let mut response = Response::new(Answer::new(
        &reply,
        parts.method == Method::HEAD,
        fault == Some(RequestFault::Truncate),
    ));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if parts.method == Method::HEAD {
        response.headers_mut().insert(header::CONTENT_LENGTH, reply.body.len().into());
    }
    Ok(response)
}

fn reply(
    shared: &Shared,
    peer: SocketAddr,
    parts: &http::request::Parts,
    body: &[u8],
    fault: Option<RequestFault>,
) -> (Reply, RequestRecord) {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let path = parts.uri.path();
    let mut record = RequestRecord::of(parts);
    let reply = shared.with_world(|world| {
        let now = world.now();
        let caller = match Caller::of(&parts.headers, path, world.view(), now) {
            Ok(caller) => caller,
            Err(reply) => return reply.dressed(now, DEFAULT_VERSION, None),
        };
        caller.note(&mut record);
        let who = caller.limited(peer.ip());
        let mut limits = shared.limits();
        let standing = limits.standing(who, Resource::Core, now);
        if let Some(reply) = fault.and_then(|fault| faulty(fault, parts, standing, now)) {
            return reply;
        }
        if path == "/rate_limit" {
            let graphql = limits.standing(who, Resource::Graphql, now);
            let reply = endpoint::rate_limit(standing, graphql).dressed(now, caller.version, Some(standing));
            return reply.with_token_end(caller.token_end(world.view()));
        }
        if standing.remaining() == 0 {
            return exceeded(who).dressed(now, caller.version, Some(standing));
        }
        let question = Question {
            is_read,
            method: parts.method.as_str(),
            path,
            query: parts.uri.query().unwrap_or_default(),
            body,
            caller,
            rows_max: shared.rows_max,
            stargazers_max: shared.stargazers_max,
            dispatcher: &shared.dispatcher,
            now,
        };
        let reply = if is_read {
            let view = match fault {
                Some(RequestFault::Lag(lag)) => world.view_behind(lag),
                _ => world.view(),
            };
            let reply = route::read(view, &question).conditional(&parts.headers);
            match fault {
                Some(RequestFault::NextLoops) => reply.with_next(&view.urls.api, &parts.uri),
                Some(RequestFault::NextAt(elsewhere)) => {
                    reply.with_next(&format!("http://{elsewhere}"), &parts.uri)
                }
                _ => reply,
            }
        } else {
            route::write(world, &question)
        };
        // What was not modified is free, for those who say who they are.
        record.counted = !(reply.status == 304 && record.authorised);
        if record.counted {
            limits.count(who, Resource::Core, 1);
        }
        let standing = limits.standing(who, Resource::Core, now);
        let token_end = caller.token_end(world.view());
        reply.dressed(now, caller.version, Some(standing)).with_token_end(token_end)
    });
    (reply, record)
}

/// The answer of a fault that answers by itself.
pub(super) fn faulty(
    fault: RequestFault,
    parts: &http::request::Parts,
    standing: Standing,
    now: crate::model::Second,
) -> Option<Reply> {
    let dressed = |reply: Reply| reply.dressed(now, DEFAULT_VERSION, Some(standing));
    Some(match fault {
        RequestFault::ServerError(status) => {
            Reply::error(status, "Server Error").dressed(now, DEFAULT_VERSION, None)
        }
        RequestFault::Refuse(451) => dressed(Reply::error(451, "Repository access blocked")),
        RequestFault::Refuse(404) => dressed(Reply::not_found()),
        RequestFault::Refuse(501) => dressed(Reply::error(501, "Not Implemented")),
        RequestFault::Refuse(status) => {
            dressed(Reply::error(status, "Resource not accessible by personal access token"))
        }
        RequestFault::Nonsense => dressed(Reply::json(r#"{"nonsense":[null,{"id":"\u0000"}]}"#)),
        RequestFault::Redirect(elsewhere) => {
            dressed(Reply::moved(&format!("http://{elsewhere}{}", parts.uri), true))
        }
        RequestFault::PrimaryLimit { reset_seconds } => {
            let used_up = Standing { used: standing.limit, resets_at: now.plus(reset_seconds), ..standing };
            Reply::error(403, "API rate limit exceeded").dressed(now, DEFAULT_VERSION, Some(used_up))
        }
        RequestFault::SecondaryLimit { status, retry_after } => {
            let message =
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let mut reply = dressed(Reply::error(status, message));
            if let Some(seconds) = retry_after {
                reply.headers.insert(header::RETRY_AFTER, seconds.into());
            }
            reply
        }
        RequestFault::Reset
        | RequestFault::Slow(_)
        | RequestFault::Truncate
        | RequestFault::NextLoops
        | RequestFault::NextAt(_)
        | RequestFault::Lag(_)
        | RequestFault::TooHeavy { .. }
        | RequestFault::Partial
        | RequestFault::None => return None,
    })
}

fn exceeded(who: Limited) -> Reply {
    let hint = match who {
        Limited::Address(_) => {
            " (But here's the good news: Authenticated requests get a higher rate limit. Check out the \
             documentation for more details.)"
        }
        _ => "",
    };
    Reply::error(403, &format!("API rate limit exceeded for {who}.{hint}"))
}

/// A body that may break off in the middle.
struct Answer {
    rest: Bytes,
    announced: u64,
    breaks: bool,
}

impl Answer {
    fn new(reply: &Reply, is_head: bool, breaks: bool) -> Self {
        let announced = reply.body.len() as u64;
        let rest = match (is_head, breaks) {
            (true, _) => Bytes::new(),
            (false, true) => reply.body.slice(..reply.body.len() / 2),
            (false, false) => reply.body.clone(),
        };
        Answer { rest, announced, breaks: breaks && !is_head }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let rest = std::mem::take(&mut self.rest);
        Poll::Ready(if !rest.is_empty() {
            Some(Ok(Frame::data(rest)))
        } else if std::mem::take(&mut self.breaks) {
            Some(Err(io::ErrorKind::ConnectionReset.into()))
        } else {
            None
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
