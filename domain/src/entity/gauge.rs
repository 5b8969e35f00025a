//! A total that the forge itself tells, by the forge's second (reference A5, "stars, gauge").

use serde::{Deserialize, Serialize};

use crate::{
    entity::doubt::Doubt,
    event::{Stamp, Told},
    time::Second,
};

/// A total, the second at which it was read, and whether that second had another value too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// The total.
    pub value: u64,
    /// The forge's second.
    pub at: Second,
    /// Raised by a tie.
    pub doubt: Option<Doubt>,
}

impl Gauge {
    /// Takes a reading; returns whether anything changed.
    ///
    /// A newer reading takes the value and ends the doubt. A delivery of the same second with another
    /// value takes the value and raises doubt. An answer of the same second settles a doubt that was
    /// raised before it was asked, and raises one where there was none and the values differ.
    pub fn read(slot: &mut Option<Gauge>, value: u64, at: Second, stamp: &Stamp) -> bool {
        let Some(gauge) = slot else {
            *slot = Some(Gauge { value, at, doubt: None });
            return true;
        };
        let before = *gauge;
        if at > gauge.at {
            *gauge = Gauge { value, at, doubt: None };
        } else if at == gauge.at {
            match stamp.told {
                Told::Answer(asked) => match gauge.doubt {
                    Some(doubt) if doubt.is_answered_by(asked.asked_at) => {
                        *gauge = Gauge { value, at, doubt: None };
                    }
                    Some(_) => {}
                    None if value != gauge.value => Doubt::raise(&mut gauge.doubt, stamp),
                    None => {}
                },
                Told::Delivery | Told::Command if value != gauge.value => {
                    gauge.value = value;
                    Doubt::raise(&mut gauge.doubt, stamp);
                }
                Told::Delivery | Told::Command => {}
            }
        }
        *gauge != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Asked,
        time::Millis,
        version::{Epoch, Version},
    };

    fn delivery(offset: u64) -> Stamp {
        Stamp { version: Version::new(Epoch::FIRST, offset), received_at: Millis(0), told: Told::Delivery }
    }

    fn answer(offset: u64, asked_at: u64) -> Stamp {
        Stamp {
            told: Told::Answer(Asked {
                asked_at: Version::new(Epoch::FIRST, asked_at),
                asked_ms: Millis(0),
                date: Second(0),
            }),
            ..delivery(offset)
        }
    }

    fn fold(readings: &[(u64, i64, Stamp)]) -> (u64, bool) {
        let mut gauge = None;
        for (value, at, stamp) in readings {
            Gauge::read(&mut gauge, *value, Second(*at), stamp);
        }
        let gauge = gauge.unwrap();
        (gauge.value, gauge.doubt.is_some())
    }

    #[test]
    fn newer_wins_in_any_order() {
        assert_eq!(fold(&[(5, 1, delivery(0)), (6, 2, delivery(1))]), (6, false));
        assert_eq!(fold(&[(6, 2, delivery(0)), (5, 1, delivery(1))]), (6, false));
    }

    #[test]
    fn a_tie_is_doubt_until_a_newer_reading() {
        assert_eq!(fold(&[(5, 1, delivery(0)), (6, 1, delivery(1))]), (6, true));
        assert_eq!(fold(&[(5, 1, delivery(0)), (6, 1, delivery(1)), (7, 2, delivery(2))]), (7, false));
    }

    #[test]
    fn an_answer_settles_only_what_it_was_asked_after() {
        let tie = [(5, 1, delivery(3)), (6, 1, delivery(4))];
        assert_eq!(fold(&[tie[0], tie[1], (5, 1, answer(5, 4))]), (5, false));
        assert_eq!(fold(&[tie[0], tie[1], (5, 1, answer(5, 3))]), (6, true));
        assert_eq!(fold(&[tie[0], tie[1], (5, 0, answer(5, 4))]), (6, true), "an older one is ignored");
    }

    #[test]
    fn an_unasked_answer_that_differs_raises_doubt() {
        assert_eq!(fold(&[(5, 1, delivery(0)), (6, 1, answer(1, 0))]), (5, true));
    }
}
