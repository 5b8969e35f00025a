//! Whether anything may be sent now: a small state machine over moments that are given to it.
//!
//! Three things shut it: a budget that is used up, a secondary limit, and a forge that is down. While the
//! forge is down one question at a time is let through to see; any answer of it opens the gate again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    answer::{AskError, WaitWhy},
    limits::{Budgets, CORE, Limit},
};

/// GitHub asks for at least a minute after a secondary limit that names no time …
const SLOW_DOWN_FIRST: Duration = Duration::from_secs(60);
/// … and for longer each time it comes again; beyond this nothing would be learned.
const SLOW_DOWN_MAX: Duration = Duration::from_secs(15 * 60);

/// A forge that is down is tried again after this …
const PROBE_FIRST: Duration = Duration::from_millis(250);
/// … then after twice as long, up to this: it should be noticed soon when it is back.
const PROBE_MAX: Duration = Duration::from_secs(5);

/// How long others wait while one question tries.
const PROBE_PENDING: Duration = Duration::from_secs(1);

/// So many failures in a row shut the gate. One alone may be the question's own fault: GitHub answers
/// 502 when a single count takes too long.
const FAILURES_MAX: u32 = 3;

/// What is known about whether anything may be sent.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) budgets: Budgets,
    slowed: Option<Slowed>,
    failures: u32,
    down: Option<Down>,
}

/// A limit that was told to us.
#[derive(Debug)]
struct Slowed {
    until: Instant,
    why: WaitWhy,
    /// How long to wait if it comes again without a time of its own.
    next: Duration,
}

/// A forge that does not answer.
#[derive(Debug)]
struct Down {
    probe_at: Instant,
    backoff: Duration,
    probing: bool,
}

/// Locks a gate. Its parts are consistent after each step, so that a panic elsewhere does no harm.
pub(crate) fn lock(gate: &Mutex<Gate>) -> MutexGuard<'_, Gate> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// Lets one question through, or says how long to wait; `true` if it is the one that tries whether
    /// the forge is back.
    fn admit(&mut self, now: Instant) -> Result<bool, AskError> {
        if let Some(after) = self.budgets.used_up(CORE, now) {
            return Err(AskError::Wait { after, why: WaitWhy::Primary });
        }
        if let Some(slowed) = self.slowed.as_ref().filter(|slowed| slowed.until > now) {
            return Err(AskError::Wait { after: slowed.until - now, why: slowed.why });
        }
        let Some(down) = &mut self.down else { return Ok(false) };
        let after = if down.probing { PROBE_PENDING } else { down.probe_at.saturating_duration_since(now) };
        if !after.is_zero() {
            return Err(AskError::Wait { after, why: WaitWhy::Unavailable });
        }
        down.probing = true;
        Ok(true)
    }

    fn limited(&mut self, now: Instant, limit: Limit) -> AskError {
        self.failures = 0;
        self.down = None;
        let (told, why) = match limit {
            Limit::Primary { after } => (Some(after), WaitWhy::Primary),
            Limit::Secondary { after } => (after, WaitWhy::Secondary),
        };
        // Questions that were in flight together are told together: that is one time, not many.
        let (running, next) = match &self.slowed {
            Some(slowed) => (slowed.until.saturating_duration_since(now), slowed.next),
            None => (Duration::ZERO, SLOW_DOWN_FIRST),
        };
        let (after, next) = match told {
            Some(after) => (after.max(running), next),
            None if !running.is_zero() => (running, next),
            None => (next, (next * 2).min(SLOW_DOWN_MAX)),
        };
        self.slowed = Some(Slowed { until: now + after, why, next });
        AskError::Wait { after, why }
    }

    fn failed(&mut self, now: Instant, retry_after: Option<Duration>, probe: bool, certain: bool) {
        self.failures = self.failures.saturating_add(1);
        let backoff = match &self.down {
            // Left over from before the gate was shut: the probe will tell.
            Some(_) if !probe => return,
            Some(down) => (down.backoff * 2).min(PROBE_MAX),
            None if certain || retry_after.is_some() || self.failures >= FAILURES_MAX => PROBE_FIRST,
            None => return,
        };
        let probe_at = now + retry_after.unwrap_or(backoff);
        self.down = Some(Down { probe_at, backoff, probing: false });
    }

    fn answered(&mut self, now: Instant) {
        self.failures = 0;
        self.down = None;
        if self.slowed.as_ref().is_some_and(|slowed| slowed.until <= now) {
            self.slowed = None;
        }
    }

    fn abandoned(&mut self) {
        if let Some(down) = &mut self.down {
            down.probing = false;
        }
    }
}

/// The right to send one request. How it ended must be said; a pass that is dropped without (because
/// nobody waits any more) lets the next question try.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Mutex<Gate>>,
    probe: bool,
    ended: bool,
}

impl Pass {
    pub(crate) fn admit(gate: &Arc<Mutex<Gate>>, now: Instant) -> Result<Self, AskError> {
        let probe = lock(gate).admit(now)?;
        Ok(Pass { gate: Arc::clone(gate), probe, ended: false })
    }

    /// The forge answered, whatever it said.
    pub(crate) fn answered(mut self) {
        self.ended = true;
        lock(&self.gate).answered(Instant::now());
    }

    /// The forge told of a limit.
    pub(crate) fn limited(mut self, now: Instant, limit: Limit) -> AskError {
        self.ended = true;
        lock(&self.gate).limited(now, limit)
    }

    /// The forge failed; it may have said when to come back.
    pub(crate) fn failed(mut self, now: Instant, retry_after: Option<Duration>) {
        self.ended = true;
        lock(&self.gate).failed(now, retry_after, self.probe, false);
    }

    /// There is no forge at its address.
    pub(crate) fn unreachable(mut self, now: Instant) {
        self.ended = true;
        lock(&self.gate).failed(now, None, self.probe, true);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.ended {
            lock(&self.gate).abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(result: Result<bool, AskError>) -> (Duration, WaitWhy) {
        match result {
            Err(AskError::Wait { after, why }) => (after, why),
            other => panic!("expected a wait, not {other:?}"),
        }
    }

    #[test]
    fn a_limit_without_a_time_takes_a_minute_then_longer_up_to_an_end() {
        let mut now = Instant::now();
        let mut gate = Gate::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            let AskError::Wait { after, why } = gate.limited(now, Limit::Secondary { after: None }) else {
                panic!("a limit is a wait");
            };
            assert_eq!((wait(gate.admit(now)), why), ((after, WaitWhy::Secondary), WaitWhy::Secondary));
            waits.push(after.as_secs());
            now += after;
            assert_eq!(gate.admit(now), Ok(false));
        }
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
        gate.answered(now);
        assert!(
            matches!(gate.limited(now, Limit::Secondary { after: None }), AskError::Wait { after, .. } if after.as_secs() == 60)
        );
    }

    #[test]
    fn what_was_in_flight_together_is_one_limit() {
        let now = Instant::now();
        let mut gate = Gate::default();
        gate.limited(now, Limit::Secondary { after: None });
        for _ in 0..7 {
            let again = gate.limited(now + SECOND, Limit::Secondary { after: None });
            assert_eq!(again, AskError::Wait { after: 59 * SECOND, why: WaitWhy::Secondary });
        }
        // A late answer to something sent before says nothing about the limit.
        gate.answered(now + SECOND);
        assert_eq!(wait(gate.admit(now + 2 * SECOND)), (58 * SECOND, WaitWhy::Secondary));
    }

    #[test]
    fn a_forge_without_an_address_is_tried_by_one_at_a_time_backing_off_to_five_seconds() {
        let mut now = Instant::now();
        let mut gate = Gate::default();
        assert_eq!(gate.admit(now), Ok(false));
        gate.failed(now, None, false, true);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let (after, why) = wait(gate.admit(now));
            assert_eq!(why, WaitWhy::Unavailable);
            waits.push(after.as_millis());
            now += after;
            assert_eq!(gate.admit(now), Ok(true));
            assert_eq!(wait(gate.admit(now)), (PROBE_PENDING, WaitWhy::Unavailable));
            gate.failed(now, None, true, true);
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        now += PROBE_MAX;
        assert_eq!(gate.admit(now), Ok(true));
        gate.answered(now);
        assert_eq!(gate.admit(now), Ok(false));
    }

    #[test]
    fn single_failures_shut_nothing_and_three_in_a_row_do() {
        let now = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..5 {
            gate.failed(now, None, false, false);
            gate.failed(now, None, false, false);
            assert_eq!(gate.admit(now), Ok(false));
            gate.answered(now);
        }
        for _ in 0..3 {
            gate.failed(now, None, false, false);
        }
        assert_eq!(wait(gate.admit(now)), (PROBE_FIRST, WaitWhy::Unavailable));
        // What was in flight does not lengthen the wait.
        gate.failed(now, None, false, false);
        assert_eq!(wait(gate.admit(now)), (PROBE_FIRST, WaitWhy::Unavailable));
    }

    #[test]
    fn a_forge_that_says_when_to_come_back_is_left_alone_until_then() {
        let now = Instant::now();
        let mut gate = Gate::default();
        gate.failed(now, Some(30 * SECOND), false, false);
        assert_eq!(wait(gate.admit(now)), (30 * SECOND, WaitWhy::Unavailable));
        assert_eq!(gate.admit(now + 30 * SECOND), Ok(true));
    }

    #[test]
    fn a_question_that_nobody_waits_for_any_more_lets_the_next_one_try() {
        let gate = Arc::new(Mutex::new(Gate::default()));
        let now = Instant::now();
        lock(&gate).failed(now, None, false, true);
        let later = now + PROBE_FIRST;
        let abandoned = Pass::admit(&gate, later).unwrap();
        assert!(Pass::admit(&gate, later).is_err());
        drop(abandoned);
        assert!(Pass::admit(&gate, later).unwrap().probe);
    }
}
