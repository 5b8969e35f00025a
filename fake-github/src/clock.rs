//! Where the fake's time comes from: the wall, or a script. Nothing else here reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::model::Second;

/// A source of time. Clones of a scripted clock share one hand.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    Real,
    /// Milliseconds since 1970, moved by whoever holds the script.
    Scripted(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at this second until it is moved.
    pub fn scripted(start: Second) -> Self {
        Clock::Scripted(Arc::new(AtomicI64::new(start.0.saturating_mul(1000))))
    }

    /// Moves a scripted clock forward. The real one moves by itself and ignores this.
    pub fn advance_ms(&self, milliseconds: i64) {
        if let Clock::Scripted(hand) = self {
            hand.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }

    /// The second that everything shown by the fake is stamped with: GitHub's grain is 1 s.
    pub fn now(&self) -> Second {
        let milliseconds = match self {
            Clock::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Clock::Scripted(hand) => hand.load(Ordering::SeqCst),
        };
        Second(milliseconds.div_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_clock_moves_only_when_told_and_shows_whole_seconds() {
        let clock = Clock::scripted(Second(100));
        clock.advance_ms(999);
        assert_eq!(clock.now(), Second(100));
        clock.clone().advance_ms(1);
        assert_eq!(clock.now(), Second(101));
    }
}
