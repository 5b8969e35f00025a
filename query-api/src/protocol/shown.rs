//! A body that tells when it was written.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;

/// One piece of data; what is to be done once it is with the connection is done before the body ends.
///
/// Its length is not announced: a connection that knows it does not ask for the end, and so would not tell. Between
/// data and end the connection gets the time to write: if it cannot, the body is dropped, and nothing is done.
pub(crate) struct ShownBody<F> {
    data: Option<Bytes>,
    has_paused: bool,
    then: Option<F>,
}

impl<F: FnOnce() + Unpin> ShownBody<F> {
    pub(crate) fn new(data: Bytes, then: F) -> Self {
        ShownBody { data: Some(data), has_paused: false, then: Some(then) }
    }
}

impl<F: FnOnce() + Unpin> Stream for ShownBody<F> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(data)));
        }
        if !std::mem::replace(&mut self.has_paused, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(then) = self.then.take() {
            then();
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn it_is_done_at_the_end_and_not_for_a_body_that_was_dropped() {
        let done = Cell::new(0);
        let body = || ShownBody::new(Bytes::from_static(b"[]"), || done.set(done.get() + 1));
        let mut dropped = body();
        assert_eq!(dropped.next().await.unwrap().unwrap(), "[]");
        drop(dropped);
        assert_eq!(done.get(), 0);
        assert_eq!(body().map(Result::unwrap).collect::<Vec<_>>().await, ["[]"]);
        assert_eq!(done.get(), 1);
    }
}
