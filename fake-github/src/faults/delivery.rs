//! What can go wrong with a delivery.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::model::Second;

/// What goes wrong with one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    /// It is sent so much later.
    Delay(Duration),
    /// It is never sent, and GitHub's record of it says that nobody answered.
    Drop,
    /// It is never sent, and GitHub has no record of it, as with payloads that are too large.
    Forget,
    /// It is sent twice, with one GUID.
    Double,
    /// It is sent only after so many later deliveries, or when the fake settles.
    HoldBack(usize),
}

/// How often deliveries go wrong, each 0 to 1; they are drawn in this order.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DeliveryRates {
    /// Never sent.
    pub drop: f64,
    /// Sent twice.
    pub double: f64,
    /// Held back behind up to [`HELD_BEHIND_MAX`] later ones.
    pub hold_back: f64,
    /// Sent later.
    pub delay: f64,
    /// At most so much later.
    pub delay_max: Duration,
}

/// Later deliveries that one is held back behind at most: enough to leave its neighbours, few enough to
/// come while a test runs.
pub const HELD_BEHIND_MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct DeliveryScript {
    pub(super) rates: DeliveryRates,
    pub(super) once: Vec<(Option<String>, DeliveryFault)>,
    pub(super) lost: bool,
    pub(super) forgotten: bool,
    pub(super) hides_payloads: bool,
    pub(super) outages: Vec<(Second, Second)>,
}

impl DeliveryScript {
    pub(super) fn draw(&mut self, rng: &mut impl Rng, event: &str, at: Second) -> Option<DeliveryFault> {
        if self.forgotten {
            return Some(DeliveryFault::Forget);
        }
        if self.lost || self.outages.iter().any(|(from, until)| (*from..*until).contains(&at)) {
            return Some(DeliveryFault::Drop);
        }
        let once =
            self.once.iter().position(|(wanted, _)| wanted.as_deref().is_none_or(|name| name == event));
        if let Some(index) = once {
            return Some(self.once.remove(index).1);
        }
        let rates = self.rates;
        let mut drawn = |rate: f64| rate > 0.0 && rng.random_bool(rate.min(1.0));
        if drawn(rates.drop) {
            Some(DeliveryFault::Drop)
        } else if drawn(rates.double) {
            Some(DeliveryFault::Double)
        } else if drawn(rates.hold_back) {
            Some(DeliveryFault::HoldBack(rng.random_range(1..=HELD_BEHIND_MAX)))
        } else if drawn(rates.delay) {
            Some(DeliveryFault::Delay(rates.delay_max.mul_f64(rng.random_range(0.0..1.0))))
        } else {
            None
        }
    }
}
