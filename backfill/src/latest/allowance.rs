//! How much of the hour's requests the newest public repositories may take: half of them, spread over the hour, and
//! never the half that questions about accounts need. They come a hundred a minute on a busy forge, and would else
//! use up everything.

use std::time::{Duration, Instant};

use github::client::RateBudget;

use crate::ask::now;

/// One part in so many of the hour's requests.
const SHARE: u64 = 2;
/// So much of the share may be used at once, so that a first load does not take an hour: one part in so many.
const BURST: u64 = 2;

const HOUR_S: f64 = 3600.0;

/// However little is left, the list is looked at this often: its answer also tells when there is more.
const LIST_AT_LEAST: Duration = Duration::from_secs(10 * 60);

/// Requests that may be sent, refilled steadily.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    left: f64,
    /// When `left` was so; `None`: it is full.
    at: Option<Instant>,
    listed_at: Option<Instant>,
}

impl Allowance {
    /// Whether the list may be looked at whatever is left, because it was not for long.
    pub(crate) fn lists(&mut self, at: Instant) -> bool {
        let is_due = self.listed_at.is_none_or(|listed| at.duration_since(listed) >= LIST_AT_LEAST);
        if is_due {
            self.listed_at = Some(at);
        }
        is_due
    }

    /// Takes one; `false` when there is none left. A forge that tells no limit has none.
    pub(crate) fn take(&mut self, budget: Option<RateBudget>, at: Instant) -> bool {
        let Some(budget) = budget else { return true };
        let is_over = budget.reset < now().to_second();
        let reserve = budget.limit - budget.limit / SHARE;
        if budget.remaining <= reserve && !is_over {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
        let share = (budget.limit / SHARE) as f64;
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
        let full = (budget.limit / SHARE / BURST).max(1) as f64;
        let refilled = match self.at {
            Some(known) => self.left + at.duration_since(known).as_secs_f64() * share / HOUR_S,
            None => full,
        };
        self.left = refilled.min(full);
        self.at = Some(at);
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: u64, remaining: u64) -> Option<RateBudget> {
        let reset = now().plus(1_800_000).to_second();
        Some(RateBudget { resource: "core", limit, remaining, reset })
    }

    #[test]
    fn a_quarter_may_be_used_at_once_and_half_within_the_hour() {
        let (mut allowance, begun) = (Allowance::default(), Instant::now());
        let mut taken = 0;
        while allowance.take(budget(5_000, 5_000), begun) {
            taken += 1;
        }
        assert_eq!(taken, 1_250);
        for second in 1..=3_600 {
            while allowance.take(budget(5_000, 5_000), begun + Duration::from_secs(second)) {
                taken += 1;
            }
        }
        assert!((3_740..=3_750).contains(&taken), "{taken} within the first hour, the first load among them");
        assert!(!allowance.take(budget(5_000, 5_000), begun + Duration::from_secs(3_600)));
    }

    #[test]
    fn the_half_of_the_accounts_is_not_touched() {
        let mut allowance = Allowance::default();
        assert!(!allowance.take(budget(60, 30), Instant::now()));
        assert!(allowance.take(budget(60, 31), Instant::now()));
        let over =
            budget(60, 0).map(|budget| RateBudget { reset: now().plus(-60_000).to_second(), ..budget });
        assert!(allowance.take(over, Instant::now()), "a new hour has begun");
    }

    #[test]
    fn the_list_is_looked_at_now_and_then_whatever_is_left() {
        let (mut allowance, begun) = (Allowance::default(), Instant::now());
        assert!(allowance.lists(begun));
        assert!(!allowance.lists(begun + LIST_AT_LEAST / 2));
        assert!(allowance.lists(begun + LIST_AT_LEAST));
    }

    #[test]
    fn a_forge_without_limits_is_asked_without_limit() {
        let mut allowance = Allowance::default();
        assert!((0..10_000).all(|_| allowance.take(None, Instant::now())));
    }
}
