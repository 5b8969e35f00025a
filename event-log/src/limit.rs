//! Counting down what one read may still return.

use crate::port::Limit;

/// What is left of a [`Limit`].
pub(crate) struct Allowance {
    records: usize,
    bytes: usize,
    untouched: bool,
}

impl Allowance {
    pub(crate) fn new(limit: Limit) -> Self {
        Allowance { records: limit.records_max.max(1), bytes: limit.bytes_max, untouched: true }
    }

    /// Whether one more record with such a body still fits; the first always does, because a reader that
    /// gets nothing would never get past it.
    pub(crate) fn admit(&mut self, body_bytes: usize) -> bool {
        if self.records == 0 || (body_bytes > self.bytes && !self.untouched) {
            return false;
        }
        self.untouched = false;
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(body_bytes);
        true
    }

    /// Whether nothing more fits.
    pub(crate) fn is_spent(&self) -> bool {
        self.records == 0 || (self.bytes == 0 && !self.untouched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limit: Limit, bodies: &[usize]) -> usize {
        let mut allowance = Allowance::new(limit);
        bodies.iter().take_while(|body| allowance.admit(**body)).count()
    }

    #[test]
    fn the_first_record_always_fits_and_nothing_fits_over_the_bounds() {
        for (records_max, bytes_max, bodies, expected) in [
            (0, 0, [10, 10, 10], 1),
            (2, 100, [10, 10, 10], 2),
            (9, 20, [10, 10, 10], 2),
            (9, 15, [10, 10, 10], 1),
            (9, 5, [10, 10, 10], 1),
            (9, 10, [10, 0, 0], 3),
        ] {
            let limit = Limit { records_max, bytes_max };
            assert_eq!(admitted(limit, &bodies), expected, "{limit:?}");
        }
    }
}
