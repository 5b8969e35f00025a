//! What every request to the public routes passes: limits, the token, who may read the answer, and whether it may
//! be called complete at all.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use boot::http::PeerAddress;
use futures::future::Either;
use http::Method;
use tower::{Layer, Service};

use crate::{
    protocol::{address, names, problem::Problem, wait_for::WaitFor},
    window::{Shared, Window},
};

/// What is behind the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Data: the token is asked for, and requests are counted.
    Data,
    /// Data for which each reader shows a key: requests are counted, and the route asks for the key.
    Keyed,
    /// What anybody may know.
    Anything,
}

/// Puts a gate before routes.
#[derive(Clone)]
pub(crate) struct GateLayer {
    pub(crate) window: Shared,
    pub(crate) behind: Behind,
}

/// Routes behind a gate.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    layer: GateLayer,
    inner: S,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { layer: self.clone(), inner }
    }
}

type Answer = Result<Response, Infallible>;

impl<S> Service<Request> for Gate<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Pin<Box<dyn Future<Output = Answer> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let window = &self.layer.window;
        let allowed = window.cors.allow(request.headers());
        let admitted = match self.layer.behind {
            Behind::Data => limit(window, &request).and_then(|()| ask_token(window, &request)),
            Behind::Keyed => limit(window, &request),
            Behind::Anything => Ok(()),
        };
        let wait = match admitted.and_then(|()| WaitFor::read(request.method(), request.uri())) {
            Ok(wait) => wait,
            Err(problem) => {
                let mut response = problem.into_response();
                allowed.dress(response.headers_mut());
                return Either::Left(ready(Ok(response)));
            }
        };
        // Asked before the rows are read: what is read while it changes is of the older ones.
        let shows_older = window.shows_older();
        let answer = self.inner.call(request);
        // Nothing of an answer is done before somebody waits for it.
        let waited = wait.map(|wait| (Arc::clone(window), wait));
        Either::Right(Box::pin(async move {
            // In a box, so that the requests that need not wait carry no room for it.
            let refused = match waited {
                Some((window, wait)) => Box::pin(async move { window.wait_for(&wait).await.err() }).await,
                None => None,
            };
            let mut response = match refused {
                Some(problem) => problem.into_response(),
                None => answer.await?,
            };
            // Here, so that no route has to think of it.
            if shows_older && let Some(complete) = response.headers_mut().get_mut(&names::COMPLETE) {
                *complete = names::complete(false);
            }
            allowed.dress(response.headers_mut());
            Ok(response)
        }))
    }
}

/// Limits come before the token, so that tokens cannot be tried out faster than data is read. A preflight
/// carries no token and costs nothing.
fn limit(window: &Window, request: &Request) -> Result<(), Problem> {
    let limit = match *request.method() {
        Method::OPTIONS => return Ok(()),
        Method::GET | Method::HEAD => &window.read_limit,
        _ => &window.write_limit,
    };
    let Some(limit) = limit else { return Ok(()) };
    let peer = request.extensions().get::<PeerAddress>().copied();
    limit.check(address::client(peer, request.headers(), &window.settings.trusted_proxies))
}

fn ask_token(window: &Window, request: &Request) -> Result<(), Problem> {
    match &window.api_token {
        Some(token) if *request.method() != Method::OPTIONS => token.check(request.headers()),
        Some(_) | None => Ok(()),
    }
}
