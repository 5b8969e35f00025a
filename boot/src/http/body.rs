//! A request's body, read piece by piece within a time for the whole of it.

use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

/// Why a body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender took too long: answer 408 and close.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// Its chunks are ill-formed or the sender went away: answer 400, in case it still listens.
    #[error("the body is ill-formed or ended early: {0}")]
    Broken(#[source] BoxError),
}

/// A body that must arrive within a time.
#[derive(Debug)]
pub struct TimedBody<B> {
    body: B,
    deadline: Instant,
}

impl<B> TimedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    /// The whole of `body` must arrive within `timeout` from now.
    pub fn new(body: B, timeout: Duration) -> Self {
        TimedBody { body, deadline: Instant::now() + timeout }
    }

    /// The next bytes, never empty; `None` at the end. Trailers are skipped.
    ///
    /// # Errors
    /// See [`BodyError`]; there is no use in asking again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame = match timeout_at(self.deadline, self.body.frame()).await {
                Err(_) => return Err(BodyError::TimedOut),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(BodyError::Broken(error.into())),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                return Ok(Some(bytes));
            }
        }
    }
}
