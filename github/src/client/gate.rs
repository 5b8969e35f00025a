//! Whether anything may be sent now: a small state machine over moments that are given to it.
//!
//! Three things shut it: a budget that is used up (or what is left of it is kept for others), a secondary limit, and
//! a forge that is down. While the
//! forge is down one question at a time is let through to see; any answer of it opens the gate again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::Second;

use super::{
    answer::{AskError, WaitWhy},
    limits::{Budgets, Cost, Limit, Part, RateBudget, Standing},
    spender::{Reserve, Spender},
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

/// A token that is not accepted is tried again after this, while there are others.
const ASIDE: Duration = Duration::from_secs(10 * 60);

/// What is known about whether anything may be sent. What is down is down for all tokens; limits are each token's.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Those of tokens come first, then what was opened later.
    purses: Vec<Purse>,
    tokens: usize,
    /// What the App may ask of itself, which nobody else may.
    of_app: Option<usize>,
    reserve: Reserve,
    part: Part,
    failures: u32,
    down: Option<Down>,
}

/// What may be spent with one token, or without one.
#[derive(Debug)]
struct Purse {
    budgets: Budgets,
    slowed: Vec<Slowed>,
    /// It is not accepted.
    aside_until: Option<Instant>,
}

/// What a question needs to be let through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) resource: &'static str,
    pub(crate) spender: Spender,
    pub(crate) purses: Purses,
}

/// With which tokens a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purses {
    /// Only with the first: the answer depends on whose it is.
    First,
    /// Only with this one.
    Only(usize),
    /// With any token, beginning at this one.
    Any {
        /// A number of the question's own.
        own: usize,
    },
}

/// A question that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Admitted {
    purse: usize,
    /// It is the one that tries whether the forge is back.
    is_probe: bool,
}

/// A limit that was told to us.
#[derive(Debug)]
struct Slowed {
    /// What it is a limit of; `None`: of everything.
    resource: Option<&'static str>,
    until: Instant,
    why: WaitWhy,
    /// How long to wait if it comes again without a time of its own.
    next: Duration,
}

impl Purse {
    fn new(reserve: Reserve) -> Self {
        Purse { budgets: Budgets::new(reserve), slowed: Vec::new(), aside_until: None }
    }

    /// How long nothing may be spent, and why.
    fn shut(&self, resource: &'static str, spender: Spender, now: Instant) -> Option<(Duration, WaitWhy)> {
        let used_up = self
            .budgets
            .used_up(resource, spender, now)
            .map(|(after, is_kept)| (after, if is_kept { WaitWhy::Reserved } else { WaitWhy::Primary }));
        let concerns = |slowed: &&Slowed| slowed.resource.is_none_or(|limited| limited == resource);
        let slowed = self.slowed.iter().filter(concerns).filter(|slowed| slowed.until > now);
        used_up
            .or_else(|| slowed.map(|slowed| (slowed.until - now, slowed.why)).max_by_key(|(after, _)| *after))
    }

    fn limited(&mut self, resource: &'static str, now: Instant, limit: Limit) -> AskError {
        // Too fast is too fast for everything; an hour is used up for one resource alone.
        let (told, why, resource) = match limit {
            Limit::Primary { after } => (Some(after), WaitWhy::Primary, Some(resource)),
            Limit::Secondary { after } => (after, WaitWhy::Secondary, None),
        };
        let known = self.slowed.iter().position(|slowed| slowed.resource == resource);
        // Questions that were in flight together are told together: that is one time, not many.
        let (running, next) = match known.map(|place| self.slowed.swap_remove(place)) {
            Some(slowed) => (slowed.until.saturating_duration_since(now), slowed.next),
            None => (Duration::ZERO, SLOW_DOWN_FIRST),
        };
        let (after, next) = match told {
            Some(after) => (after.max(running), next),
            None if !running.is_zero() => (running, next),
            None => (next, (next * 2).min(SLOW_DOWN_MAX)),
        };
        self.slowed.push(Slowed { resource, until: now + after, why, next });
        AskError::Wait { after, why }
    }
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
    /// A gate before which nobody has been, for so many tokens (one where there is none).
    pub(crate) fn new(purses: usize, reserve: Reserve) -> Self {
        let tokens = purses.max(1);
        let purses = (0..tokens).map(|_| Purse::new(reserve)).collect();
        Gate { purses, tokens, of_app: None, reserve, part: Part::WHOLE, failures: 0, down: None }
    }

    /// Makes room for the App's own limits: says where they are.
    pub(crate) fn open_app_purse(&mut self) -> usize {
        let place = self.open_purse();
        self.of_app = Some(place);
        place
    }

    /// Makes room for the limits of somebody else who asks: says where they are.
    pub(crate) fn open_purse(&mut self) -> usize {
        let mut purse = Purse::new(self.reserve);
        purse.budgets.take_part(self.part);
        self.purses.push(purse);
        self.purses.len() - 1
    }

    /// Lets one question through, or says how long to wait. Of the purses that may be used the first that may
    /// spend is taken, beginning with the question's own: the same question is asked with the same token as long as
    /// that will do, because what a forge says is unchanged it says to one token.
    fn admit(&mut self, asked: &Wanted, now: Instant) -> Result<Admitted, AskError> {
        let (first, usable, own) = match asked.purses {
            Purses::First => (0, 1, 0),
            Purses::Only(place) => (place, 1, 0),
            Purses::Any { own } => (0, self.tokens, own),
        };
        let places = (0..usable).map(|step| first + (own % usable + step) % usable);
        // A token that is not accepted is set aside, unless there is no other.
        let is_aside = |place: &usize| self.purses[*place].aside_until.is_some_and(|until| until > now);
        let (aside, accepted): (Vec<usize>, Vec<usize>) = places.partition(is_aside);
        let candidates = if accepted.is_empty() { aside } else { accepted };
        let mut shut = None;
        let mut purse = None;
        for place in candidates {
            match self.purses[place].shut(asked.resource, asked.spender, now) {
                None => {
                    purse = Some(place);
                    break;
                }
                Some(wait) if shut.is_none_or(|(after, _)| wait.0 < after) => shut = Some(wait),
                Some(_) => {}
            }
        }
        let Some(purse) = purse else {
            let (after, why) = shut.unwrap_or((PROBE_PENDING, WaitWhy::Unavailable));
            return Err(AskError::Wait { after, why });
        };
        let Some(down) = &mut self.down else { return Ok(Admitted { purse, is_probe: false }) };
        let after = if down.probing { PROBE_PENDING } else { down.probe_at.saturating_duration_since(now) };
        if !after.is_zero() {
            return Err(AskError::Wait { after, why: WaitWhy::Unavailable });
        }
        down.probing = true;
        Ok(Admitted { purse, is_probe: true })
    }

    fn limited(&mut self, purse: usize, resource: &'static str, now: Instant, limit: Limit) -> AskError {
        self.failures = 0;
        self.down = None;
        self.purses[purse].limited(resource, now, limit)
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

    fn answered(&mut self, purse: usize, now: Instant) {
        self.failures = 0;
        self.down = None;
        self.purses[purse].slowed.retain(|slowed| slowed.until > now);
    }

    fn abandoned(&mut self) {
        if let Some(down) = &mut self.down {
            down.probing = false;
        }
    }

    /// Takes what an answer told of the budget of the token that it was asked with.
    pub(crate) fn note(&mut self, purse: usize, budget: RateBudget, cost: Cost, date: Second, now: Instant) {
        self.purses[purse].budgets.note(budget, cost, date, now);
    }

    /// Takes a part of every budget.
    pub(crate) fn take_part(&mut self, part: Part) {
        self.part = part;
        for purse in &mut self.purses {
            purse.budgets.take_part(part);
        }
    }

    /// Whether there is another token than one that is not accepted, which is set aside.
    fn set_aside(&mut self, purse: usize, now: Instant) -> bool {
        self.purses[purse].aside_until = Some(now + ASIDE);
        self.purses[..self.tokens].iter().any(|purse| purse.aside_until.is_none_or(|until| until <= now))
    }

    /// How the budgets of each token stand.
    pub(crate) fn standings(&self) -> Vec<Vec<Standing>> {
        (0..self.tokens).map(|place| self.standings_at(place)).collect()
    }

    /// How the budgets at one place stand.
    pub(crate) fn standings_at(&self, place: usize) -> Vec<Standing> {
        self.purses.get(place).map(|purse| purse.budgets.standings().collect()).unwrap_or_default()
    }

    /// What is known of each resource, with all who ask together; it is full again when the last of them is.
    pub(crate) fn budgets(&self) -> Vec<RateBudget> {
        let mut sums: Vec<RateBudget> = Vec::new();
        let places = (0..self.purses.len()).filter(|place| Some(*place) != self.of_app);
        for budget in places.flat_map(|place| self.purses[place].budgets.all()) {
            match sums.iter_mut().find(|sum| sum.resource == budget.resource) {
                Some(sum) => {
                    sum.limit = sum.limit.saturating_add(budget.limit);
                    sum.remaining = sum.remaining.saturating_add(budget.remaining);
                    sum.reset = sum.reset.max(budget.reset);
                }
                None => sums.push(budget),
            }
        }
        sums
    }
}

/// The right to send one request. How it ended must be said; a pass that is dropped without (because
/// nobody waits any more) lets the next question try.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Mutex<Gate>>,
    purse: usize,
    resource: &'static str,
    probe: bool,
    ended: bool,
}

impl Pass {
    pub(crate) fn admit(gate: &Arc<Mutex<Gate>>, asked: &Wanted, now: Instant) -> Result<Self, AskError> {
        let Admitted { purse, is_probe: probe } = lock(gate).admit(asked, now)?;
        Ok(Pass { gate: Arc::clone(gate), purse, resource: asked.resource, probe, ended: false })
    }

    /// Which token to ask with.
    pub(crate) fn purse(&self) -> usize {
        self.purse
    }

    /// The forge answered, whatever it said.
    pub(crate) fn answered(mut self) {
        self.ended = true;
        lock(&self.gate).answered(self.purse, Instant::now());
    }

    /// The forge told of a limit.
    pub(crate) fn limited(mut self, now: Instant, limit: Limit) -> AskError {
        self.ended = true;
        lock(&self.gate).limited(self.purse, self.resource, now, limit)
    }

    /// The forge does not accept the token; whether there is another one to ask with.
    pub(crate) fn not_accepted(mut self) -> bool {
        self.ended = true;
        let mut gate = lock(&self.gate);
        gate.answered(self.purse, Instant::now());
        gate.set_aside(self.purse, Instant::now())
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
    use crate::client::limits::{CORE, GRAPHQL};

    const SECOND: Duration = Duration::from_secs(1);

    fn gate(purses: usize) -> Gate {
        Gate::new(purses, Reserve::default())
    }

    fn wanted(resource: &'static str) -> Wanted {
        Wanted { resource, spender: Spender::Load, purses: Purses::Any { own: 0 } }
    }

    /// Asks with the only purse that there is.
    fn admit(gate: &mut Gate, now: Instant) -> Result<bool, AskError> {
        gate.admit(&wanted(CORE), now).map(|admitted| admitted.is_probe)
    }

    fn limited(gate: &mut Gate, now: Instant, limit: Limit) -> AskError {
        gate.limited(0, CORE, now, limit)
    }

    fn wait(result: Result<bool, AskError>) -> (Duration, WaitWhy) {
        match result {
            Err(AskError::Wait { after, why }) => (after, why),
            other => panic!("expected a wait, not {other:?}"),
        }
    }

    #[test]
    fn a_limit_without_a_time_takes_a_minute_then_longer_up_to_an_end() {
        let mut now = Instant::now();
        let mut gate = gate(1);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let AskError::Wait { after, why } = limited(&mut gate, now, Limit::Secondary { after: None })
            else {
                panic!("a limit is a wait");
            };
            assert_eq!((wait(admit(&mut gate, now)), why), ((after, WaitWhy::Secondary), WaitWhy::Secondary));
            waits.push(after.as_secs());
            now += after;
            assert_eq!(admit(&mut gate, now), Ok(false));
        }
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
        gate.answered(0, now);
        assert!(
            matches!(limited(&mut gate, now, Limit::Secondary { after: None }), AskError::Wait { after, .. } if after.as_secs() == 60)
        );
    }

    #[test]
    fn what_was_in_flight_together_is_one_limit() {
        let now = Instant::now();
        let mut gate = gate(1);
        limited(&mut gate, now, Limit::Secondary { after: None });
        for _ in 0..7 {
            let again = limited(&mut gate, now + SECOND, Limit::Secondary { after: None });
            assert_eq!(again, AskError::Wait { after: 59 * SECOND, why: WaitWhy::Secondary });
        }
        // A late answer to something sent before says nothing about the limit.
        gate.answered(0, now + SECOND);
        assert_eq!(wait(admit(&mut gate, now + 2 * SECOND)), (58 * SECOND, WaitWhy::Secondary));
    }

    #[test]
    fn a_forge_without_an_address_is_tried_by_one_at_a_time_backing_off_to_five_seconds() {
        let mut now = Instant::now();
        let mut gate = gate(1);
        assert_eq!(admit(&mut gate, now), Ok(false));
        gate.failed(now, None, false, true);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let (after, why) = wait(admit(&mut gate, now));
            assert_eq!(why, WaitWhy::Unavailable);
            waits.push(after.as_millis());
            now += after;
            assert_eq!(admit(&mut gate, now), Ok(true));
            assert_eq!(wait(admit(&mut gate, now)), (PROBE_PENDING, WaitWhy::Unavailable));
            gate.failed(now, None, true, true);
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        now += PROBE_MAX;
        assert_eq!(admit(&mut gate, now), Ok(true));
        gate.answered(0, now);
        assert_eq!(admit(&mut gate, now), Ok(false));
    }

    #[test]
    fn single_failures_shut_nothing_and_three_in_a_row_do() {
        let now = Instant::now();
        let mut gate = gate(1);
        for _ in 0..5 {
            gate.failed(now, None, false, false);
            gate.failed(now, None, false, false);
            assert_eq!(admit(&mut gate, now), Ok(false));
            gate.answered(0, now);
        }
        for _ in 0..3 {
            gate.failed(now, None, false, false);
        }
        assert_eq!(wait(admit(&mut gate, now)), (PROBE_FIRST, WaitWhy::Unavailable));
        // What was in flight does not lengthen the wait.
        gate.failed(now, None, false, false);
        assert_eq!(wait(admit(&mut gate, now)), (PROBE_FIRST, WaitWhy::Unavailable));
    }

    #[test]
    fn a_forge_that_says_when_to_come_back_is_left_alone_until_then() {
        let now = Instant::now();
        let mut gate = gate(1);
        gate.failed(now, Some(30 * SECOND), false, false);
        assert_eq!(wait(admit(&mut gate, now)), (30 * SECOND, WaitWhy::Unavailable));
        assert_eq!(admit(&mut gate, now + 30 * SECOND), Ok(true));
    }

    #[test]
    fn a_question_that_nobody_waits_for_any_more_lets_the_next_one_try() {
        let gate = Arc::new(Mutex::new(gate(1)));
        let now = Instant::now();
        lock(&gate).failed(now, None, false, true);
        let later = now + PROBE_FIRST;
        let abandoned = Pass::admit(&gate, &wanted(CORE), later).unwrap();
        assert!(Pass::admit(&gate, &wanted(CORE), later).is_err());
        drop(abandoned);
        assert!(Pass::admit(&gate, &wanted(CORE), later).unwrap().probe);
    }

    #[test]
    fn another_token_is_asked_with_where_one_may_not_spend() {
        let now = Instant::now();
        let mut gate = gate(3);
        let own = |own| Wanted { purses: Purses::Any { own }, ..wanted(CORE) };
        let purse = |gate: &mut Gate, own: &Wanted| gate.admit(own, now).map(|admitted| admitted.purse);
        assert_eq!([0, 1, 2, 3].map(|number| purse(&mut gate, &own(number))), [Ok(0), Ok(1), Ok(2), Ok(0)]);
        gate.limited(1, CORE, now, Limit::Secondary { after: Some(SECOND) });
        assert_eq!(purse(&mut gate, &own(1)), Ok(2));
        // Kept back of one token, so that the next is used; and with none left, what is kept is for repair.
        let budget = RateBudget { resource: CORE, limit: 100, remaining: 20, reset: Second(1_000) };
        let cost = Cost { spender: Spender::Load, count: 1 };
        gate.note(2, budget, cost, Second(0), now);
        assert_eq!(purse(&mut gate, &own(1)), Ok(0));
        gate.note(0, budget, cost, Second(0), now);
        assert_eq!(wait(gate.admit(&own(2), now).map(|_| false)).1, WaitWhy::Secondary, "the shortest wait");
        let repair = Wanted { spender: Spender::Repair, ..own(2) };
        assert_eq!(purse(&mut gate, &repair), Ok(2));
        assert_eq!(gate.budgets(), [RateBudget { limit: 200, remaining: 40, ..budget }]);
        // What depends on whose token it is waits for that one.
        let first = Wanted { purses: Purses::First, ..own(0) };
        assert_eq!(wait(gate.admit(&first, now).map(|_| false)).1, WaitWhy::Reserved);
    }

    #[test]
    fn a_token_that_is_not_accepted_is_used_only_where_there_is_no_other() {
        let now = Instant::now();
        let mut gate = gate(2);
        assert!(gate.set_aside(0, now), "there is another");
        assert_eq!(gate.admit(&wanted(CORE), now).map(|admitted| admitted.purse), Ok(1));
        assert!(!gate.set_aside(1, now));
        assert_eq!(gate.admit(&wanted(CORE), now).map(|admitted| admitted.purse), Ok(0));
        assert_eq!(gate.admit(&wanted(CORE), now + ASIDE).map(|admitted| admitted.purse), Ok(0));
    }

    #[test]
    fn an_hour_that_is_used_up_for_one_resource_shuts_no_other() {
        let now = Instant::now();
        let mut gate = gate(1);
        gate.limited(0, GRAPHQL, now, Limit::Primary { after: 60 * SECOND });
        assert_eq!(wait(gate.admit(&wanted(GRAPHQL), now).map(|_| false)), (60 * SECOND, WaitWhy::Primary));
        assert_eq!(admit(&mut gate, now), Ok(false));
    }
}
