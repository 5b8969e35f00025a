//! Scripted time: jobs that wait are resumed by whoever holds the script, one at a time, so that the same
//! script gives the same interleaving. Real waiting (for the log, the store, the projector) goes on as usual
//! in between, and takes no scripted time.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use domain::Millis;

use crate::forge::Moment;

/// What happened when, and how late it is.
pub struct Script {
    now_ms: Cell<i64>,
    /// How far our own clock is ahead of the forge's.
    skew_ms: i64,
    /// Where a job that was just polled wants to be resumed.
    parked_until: Cell<Option<i64>>,
    history: Vec<Rc<Moment>>,
}

/// A job of a script.
pub type Job<'s> = Pin<Box<dyn Future<Output = ()> + 's>>;

impl Script {
    /// A script over a history, which is never empty and in order; it begins with its first moment.
    pub fn new(history: Vec<Rc<Moment>>, skew_ms: i64) -> Self {
        let now_ms = history.first().expect("a history has a first moment").at_ms;
        Script { now_ms: Cell::new(now_ms), skew_ms, parked_until: Cell::new(None), history }
    }

    /// The time on the forge's clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    /// The time on our clock.
    pub fn ours(&self) -> Millis {
        Millis(self.now_ms() + self.skew_ms)
    }

    /// A time of our clock, on the forge's.
    pub fn theirs(&self, ours: Millis) -> i64 {
        ours.0.saturating_sub(self.skew_ms)
    }

    /// Moves on, never back.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.set(now_ms.max(self.now_ms.get()));
    }

    /// The world as it was `lag_ms` ago.
    pub fn world(&self, lag_ms: i64) -> &Rc<Moment> {
        let at = self.now_ms() - lag_ms;
        let after = self.history.partition_point(|moment| moment.at_ms <= at);
        &self.history[after.saturating_sub(1)]
    }

    /// Waits in scripted time.
    pub fn sleep(&self, milliseconds: i64) -> impl Future<Output = ()> + '_ {
        Sleep { script: self, until_ms: self.now_ms() + milliseconds, is_parked: false }
    }

    /// Runs a job until it waits in scripted time, and says until when; `None` when it has ended.
    pub async fn go_on(&self, job: &mut Job<'_>) -> Option<i64> {
        poll_fn(|context| match job.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => match self.parked_until.take() {
                Some(until_ms) => Poll::Ready(Some(until_ms)),
                None => Poll::Pending,
            },
        })
        .await
    }

    /// Runs a job to its end; time passes as it waits.
    pub async fn finish(&self, mut job: Job<'_>) {
        while let Some(until_ms) = self.go_on(&mut job).await {
            self.set(until_ms);
        }
    }
}

struct Sleep<'s> {
    script: &'s Script,
    until_ms: i64,
    is_parked: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_parked {
            return Poll::Ready(());
        }
        self.is_parked = true;
        self.script.parked_until.set(Some(self.until_ms));
        Poll::Pending
    }
}
