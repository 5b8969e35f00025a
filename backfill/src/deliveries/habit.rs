//! How often a hook sends something, and whether it has fallen silent: pure.

use domain::Second;
use github::client::ListedDelivery;
use serde::{Deserialize, Serialize};

/// So many pauses must be known before a longer one says anything.
const PAUSES_KNOWN_MIN: u32 = 20;
/// A pause that is so many times as long as the longest is out of habit.
const LONGER: i64 = 3;
/// A shorter pause says nothing about any hook.
const SILENCE_MIN_S: i64 = 60 * 60;
/// Of what was the longest pause, so much remains with each delivery: habits change.
const REMAINS: (i64, i64) = (255, 256);

/// What is known of the pauses between a hook's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Habit {
    /// When the newest was sent.
    last: Option<i64>,
    /// The longest pause, in seconds, with older ones counting less.
    longest_s: i64,
    pauses: u32,
}

/// How a hook is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum HookState {
    /// As it should.
    #[default]
    Well,
    /// Somebody, or GitHub, switched it off.
    Inactive,
    /// What it sent last was not answered with a 2xx.
    Failing,
    /// It has sent nothing for much longer than it ever used to.
    Silent,
}

impl HookState {
    /// Every state.
    pub const ALL: [HookState; 4] =
        [HookState::Well, HookState::Inactive, HookState::Failing, HookState::Silent];

    /// The word for people and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            HookState::Well => "well",
            HookState::Inactive => "inactive",
            HookState::Failing => "failing",
            HookState::Silent => "silent",
        }
    }
}

impl Habit {
    /// Notes what a hook has sent, in any order; what was noted before counts once.
    pub fn note(&mut self, listed: &[ListedDelivery]) {
        // What was asked for again says nothing about a habit.
        let told = listed.iter().filter(|delivery| !delivery.is_redelivery);
        let mut times: Vec<i64> = told.map(|delivery| delivery.delivered_at.0).collect();
        times.sort_unstable();
        for at in times {
            match self.last {
                Some(last) if at <= last => continue,
                Some(last) => {
                    let remains = self.longest_s.saturating_mul(REMAINS.0) / REMAINS.1;
                    self.longest_s = remains.max(at - last);
                    self.pauses = self.pauses.saturating_add(1);
                }
                None => {}
            }
            self.last = Some(at);
        }
    }

    /// When the newest was sent.
    pub fn last(&self) -> Option<Second> {
        self.last.map(Second)
    }

    /// Whether nothing was sent for much longer than ever.
    pub fn is_broken(&self, now: Second) -> bool {
        let Some(last) = self.last else { return false };
        let longest = self.longest_s.saturating_mul(LONGER).max(SILENCE_MIN_S);
        self.pauses >= PAUSES_KNOWN_MIN && now.0 - last > longest
    }

    /// How a hook with this habit is doing, whose newest deliveries are these, the newest first. Where nobody is
    /// expected to answer what it sends, `expects_answers` is false.
    pub fn state(
        &self,
        is_active: bool,
        expects_answers: bool,
        newest: Option<&ListedDelivery>,
        now: Second,
    ) -> HookState {
        if !is_active {
            HookState::Inactive
        } else if expects_answers && newest.is_some_and(|newest| !newest.is_success) {
            HookState::Failing
        } else if self.is_broken(now) {
            HookState::Silent
        } else {
            HookState::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60;

    fn sent(at: i64, is_success: bool) -> ListedDelivery {
        ListedDelivery {
            id: 1,
            guid: String::new(),
            delivered_at: Second(at),
            is_success,
            is_redelivery: false,
            event: "push".to_owned(),
            repo: None,
        }
    }

    fn every(pause: i64, count: i64) -> Habit {
        let mut habit = Habit::default();
        let listed: Vec<ListedDelivery> = (0..=count).rev().map(|turn| sent(turn * pause, true)).collect();
        habit.note(&listed);
        // A list overlaps with the one before.
        habit.note(&listed[..2]);
        habit
    }

    #[test]
    fn silence_is_a_pause_far_out_of_habit() {
        let hourly = every(HOUR, 24);
        assert_eq!(hourly.last(), Some(Second(24 * HOUR)));
        assert!(!hourly.is_broken(Second(27 * HOUR)));
        assert!(hourly.is_broken(Second(27 * HOUR + 1)));
        let busy = every(1, 1000);
        assert!(!busy.is_broken(Second(1000 + HOUR)), "an hour says nothing");
        assert!(busy.is_broken(Second(1001 + HOUR)));
        let rare = every(HOUR, 5);
        assert!(!rare.is_broken(Second(1000 * HOUR)), "too little is known of it");
        assert!(!Habit::default().is_broken(Second(HOUR)));
    }

    #[test]
    fn a_state_names_the_worst() {
        let habit = every(1, 1000);
        let now = Second(1000);
        let (good, bad) = (sent(1000, true), sent(1000, false));
        assert_eq!(habit.state(true, true, Some(&good), now), HookState::Well);
        assert_eq!(habit.state(true, true, Some(&bad), now), HookState::Failing);
        assert_eq!(habit.state(true, false, Some(&bad), now), HookState::Well, "nobody need answer");
        assert_eq!(habit.state(true, true, Some(&good), Second(9 * HOUR)), HookState::Silent);
        assert_eq!(habit.state(false, true, Some(&good), now), HookState::Inactive);
        assert_eq!(Habit::default().state(true, true, None, now), HookState::Well);
    }
}
