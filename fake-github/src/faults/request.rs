//! What can go wrong with a request.

use std::{net::SocketAddr, time::Duration};

use rand::{Rng, RngExt};

use super::pattern::Pattern;
use crate::model::Lag;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFault {
    /// The forge fails with this status: 500, 502, 503, 504.
    ServerError(u16),
    /// 403, no requests remaining; the limit is reset so many seconds later.
    PrimaryLimit {
        /// Seconds until `x-ratelimit-reset`.
        reset_seconds: i64,
    },
    /// Too fast: 403 or 429, with or without `Retry-After`, while requests remain.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u64>,
    },
    /// The connection is closed without an answer.
    Reset,
    /// The answer comes so much later.
    Slow(Duration),
    /// The answer breaks off in the middle of its body.
    Truncate,
    /// This resource is refused with this status: 403, 404, 451, 501.
    Refuse(u16),
    /// The answer is JSON, but not what this endpoint answers.
    Nonsense,
    /// The answer is a redirect to the same path at another address.
    Redirect(SocketAddr),
    /// The answer's next page is said to be this one.
    NextLoops,
    /// The answer's next page is said to be at another address.
    NextAt(SocketAddr),
    /// The answer is from a replica that is behind.
    Lag(Lag),
    /// A GraphQL query that may bring more nodes than this takes too long: 502, and its points are taken.
    TooHeavy {
        /// What is answered still.
        nodes_max: u64,
    },
    /// A GraphQL query is answered in part: counting the commits fails for the repositories with an even id.
    Partial,
    /// Nothing: a rule that shields its paths from later rules and rates.
    None,
}

/// How often answers go wrong, each 0 to 1; they are drawn in this order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RequestRates {
    /// 502.
    pub server_error: f64,
    /// 403 with no requests remaining.
    pub primary_limit: f64,
    /// Seconds until the reset then.
    pub reset_seconds: i64,
    /// 403 or 429 with or without `Retry-After`.
    pub secondary_limit: f64,
    /// What `Retry-After` says then.
    pub retry_after_seconds: u64,
    /// Connection closed.
    pub reset: f64,
    /// Body cut.
    pub truncate: f64,
    /// Answer late.
    pub slow: f64,
    /// At most so late.
    pub slow_max: Duration,
    /// Answer from the past.
    pub lag: f64,
    /// At most so many operations behind.
    pub lag_operations_max: usize,
}

#[derive(Debug, Default)]
pub(super) struct RequestScript {
    pub(super) rates: RequestRates,
    pub(super) rules: Vec<(Pattern, RequestFault, Option<usize>)>,
    pub(super) lag: Option<Lag>,
}

impl RequestScript {
    pub(super) fn draw(&mut self, rng: &mut impl Rng, path: &str) -> Option<RequestFault> {
        let rule = self.rules.iter().position(|(pattern, ..)| pattern.matches(path));
        if let Some(index) = rule {
            let (_, fault, times) = &mut self.rules[index];
            let fault = *fault;
            if let Some(left) = times {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.rules.remove(index);
                }
            }
            return (fault != RequestFault::None).then_some(fault);
        }
        self.draw_rates(rng).or(self.lag.map(RequestFault::Lag))
    }

    pub(super) fn needs_moments(&self) -> bool {
        let in_rules = self.rules.iter().any(|(_, fault, _)| matches!(fault, RequestFault::Lag(_)));
        self.lag.is_some() || self.rates.lag > 0.0 || in_rules
    }

    fn draw_rates(&self, rng: &mut impl Rng) -> Option<RequestFault> {
        let rates = self.rates;
        let mut drawn = |rate: f64| rate > 0.0 && rng.random_bool(rate.min(1.0));
        if drawn(rates.server_error) {
            Some(RequestFault::ServerError(502))
        } else if drawn(rates.primary_limit) {
            Some(RequestFault::PrimaryLimit { reset_seconds: rates.reset_seconds })
        } else if drawn(rates.secondary_limit) {
            let status = if drawn(0.5) { 403 } else { 429 };
            // Without a sign in the answer a caller cannot tell the limit from a refusal, so only 429 lacks it.
            let retry_after = (status == 403 || drawn(0.5)).then_some(rates.retry_after_seconds);
            Some(RequestFault::SecondaryLimit { status, retry_after })
        } else if drawn(rates.reset) {
            Some(RequestFault::Reset)
        } else if drawn(rates.truncate) {
            Some(RequestFault::Truncate)
        } else if drawn(rates.slow) {
            Some(RequestFault::Slow(rates.slow_max.mul_f64(rng.random_range(0.0..1.0))))
        } else if drawn(rates.lag) {
            let count = rng.random_range(1..=rates.lag_operations_max.max(1));
            Some(RequestFault::Lag(Lag::Operations(count)))
        } else {
            None
        }
    }
}
