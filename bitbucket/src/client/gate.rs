//! Whether anything may be sent now: a small state machine over moments that are given to it. A limit and a
//! forge that is down shut it; while the forge is down one question at a time is let through to see.

use std::time::{Duration, Instant};

use super::answer::{AskError, WaitWhy};

/// A limit that names no time is waited for so long, and twice as long each time that it comes again …
const LIMIT_FIRST: Duration = Duration::from_secs(60);
/// … up to this: limits are counted over a rolling hour.
const LIMIT_MAX: Duration = Duration::from_secs(15 * 60);
/// A forge that is down is tried again after this …
const PROBE_FIRST: Duration = Duration::from_millis(250);
/// … then after twice as long, up to this: it should be noticed soon when it is back.
const PROBE_MAX: Duration = Duration::from_secs(5);
/// How long others wait while one question tries; one that is never answered keeps them no longer.
const PROBE_PENDING: Duration = Duration::from_secs(1);
/// So many failures in a row shut the gate. One alone may be the question's own fault.
const FAILURES_MAX: u32 = 3;

/// What is known about whether anything may be sent.
#[derive(Debug, Default)]
pub(super) struct Gate {
    shut: Option<(Instant, WaitWhy)>,
    /// How long to wait at the next limit without a time of its own.
    limit_next: Option<Duration>,
    failures: u32,
    /// While the forge is down: how long it was left alone last.
    backoff: Option<Duration>,
}

impl Gate {
    /// Lets one question through, or says how long to wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), AskError> {
        if let Some((until, why)) = self.shut
            && until > now
        {
            return Err(AskError::Wait { after: until - now, why });
        }
        self.shut = self.backoff.map(|_| (now + PROBE_PENDING, WaitWhy::Unavailable));
        Ok(())
    }

    /// The forge told of a limit. Questions that were in flight together are told together: that is one time.
    pub(super) fn limited(&mut self, now: Instant, told: Option<Duration>) -> AskError {
        (self.failures, self.backoff) = (0, None);
        let running = match self.shut {
            Some((until, WaitWhy::Limited)) => until.saturating_duration_since(now),
            _ => Duration::ZERO,
        };
        let after = match told {
            Some(after) => after.max(running),
            None if !running.is_zero() => running,
            None => {
                let after = self.limit_next.unwrap_or(LIMIT_FIRST);
                self.limit_next = Some((after * 2).min(LIMIT_MAX));
                after
            }
        };
        self.shut = Some((now + after, WaitWhy::Limited));
        AskError::Wait { after, why: WaitWhy::Limited }
    }

    /// The forge failed; it may have said when to come back. `is_certain`: there is no forge at its address.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>, is_certain: bool) {
        self.failures = self.failures.saturating_add(1);
        let is_down = self.backoff.is_some() || is_certain || retry_after.is_some();
        if is_down || self.failures >= FAILURES_MAX {
            let backoff = self.backoff.map_or(PROBE_FIRST, |backoff| (backoff * 2).min(PROBE_MAX));
            self.backoff = Some(backoff);
            self.shut = Some((now + retry_after.unwrap_or(backoff), WaitWhy::Unavailable));
        }
    }

    /// The forge answered, whatever it said. A late answer to what was sent before a limit says nothing about it.
    pub(super) fn answered(&mut self) {
        (self.failures, self.backoff) = (0, None);
        match self.shut {
            Some((_, WaitWhy::Limited)) => {}
            _ => (self.shut, self.limit_next) = (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(gate: &mut Gate, now: Instant) -> Option<Duration> {
        match gate.admit(now) {
            Err(AskError::Wait { after, .. }) => Some(after),
            _ => None,
        }
    }

    #[test]
    fn a_limit_is_waited_out_and_grows_where_it_names_no_time() {
        let (mut now, mut gate) = (Instant::now(), Gate::default());
        gate.limited(now, Some(Duration::from_secs(7)));
        gate.answered();
        assert_eq!(wait(&mut gate, now), Some(Duration::from_secs(7)), "a late answer changes nothing");
        now += Duration::from_secs(7);
        for seconds in [60, 120, 240, 480, 900, 900] {
            assert_eq!(wait(&mut gate, now), None);
            gate.limited(now, None);
            assert_eq!(wait(&mut gate, now), Some(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn three_failures_shut_it_and_one_at_a_time_tries_again_up_to_every_five_seconds() {
        let (mut now, mut gate) = (Instant::now(), Gate::default());
        for _ in 0..2 {
            gate.failed(now, None, false);
            assert_eq!(wait(&mut gate, now), None, "one alone may be the question's own fault");
        }
        gate.failed(now, None, false);
        for millis in [250, 500, 1000, 2000, 4000, 5000, 5000] {
            assert_eq!(wait(&mut gate, now), Some(Duration::from_millis(millis)));
            now += Duration::from_millis(millis);
            assert_eq!(wait(&mut gate, now), None, "this one tries");
            assert_eq!(wait(&mut gate, now), Some(PROBE_PENDING), "the others wait for it");
            gate.failed(now, None, false);
        }
        now += PROBE_MAX;
        assert_eq!(wait(&mut gate, now), None);
        gate.answered();
        assert_eq!((wait(&mut gate, now), wait(&mut gate, now)), (None, None));
    }
}
