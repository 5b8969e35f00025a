//! Keeps warnings that strangers can cause from filling the log.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);

/// Lets a number of events a minute pass and counts the others.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_minute: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

impl Throttle {
    pub(crate) fn new(per_minute: u32) -> Self {
        Throttle { per_minute, window: Mutex::default() }
    }

    /// Whether an event at this time may be logged; if so, how many were not since the last one that was.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            window.began = Some(now);
            window.passed = 0;
        }
        if window.passed == self.per_minute {
            window.suppressed += 1;
            return None;
        }
        window.passed += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_pass_each_minute_and_the_others_are_counted() {
        let throttle = Throttle::new(2);
        let start = Instant::now();
        let pass = |seconds| throttle.pass(start + Duration::from_secs(seconds));
        assert_eq!([pass(0), pass(1), pass(2), pass(59)], [Some(0), Some(0), None, None]);
        assert_eq!([pass(60), pass(61), pass(62)], [Some(2), Some(0), None]);
        assert_eq!(pass(500), Some(1));
    }
}
