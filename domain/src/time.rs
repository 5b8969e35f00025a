//! Two clocks that must never be mixed: the forge's, which has a grain of one second, and ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A second on the forge's clock, since 1970. Facts are ordered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Second(pub i64);

impl Second {
    /// Reads the forms in which forges write times: RFC 3339, with or without a fraction.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Second(time.as_second()))
    }
}

impl fmt::Display for Second {
    /// RFC 3339 in UTC, as GitHub writes it: `2026-11-21T10:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => fmt::Display::fmt(&time, f),
            Err(_) => f.write_str("0000-00-00T00:00:00Z"),
        }
    }
}

/// Milliseconds on our own clock, since 1970. They say when we received or asked, never when
/// something happened at the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// This many milliseconds later.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Millis(self.0.saturating_add(millis))
    }

    /// The whole second, for showing.
    pub fn to_second(self) -> Second {
        Second(self.0.div_euclid(1000))
    }
}

impl fmt::Display for Millis {
    /// RFC 3339 in UTC, with as much of a fraction as there is: `2026-11-21T10:00:00.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => fmt::Display::fmt(&time, f),
            Err(_) => f.write_str("0000-00-00T00:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forge_times_are_read_in_every_form_and_written_in_one() {
        let second = Second(1_763_719_200);
        for text in ["2025-11-21T10:00:00Z", "2025-11-21T10:00:00.123Z", "2025-11-21T11:00:00+01:00"] {
            assert_eq!(Second::parse(text), Some(second), "{text}");
        }
        assert_eq!(second.to_string(), "2025-11-21T10:00:00Z");
        assert_eq!(Second::parse("yesterday"), None);
        assert_eq!(Millis(second.0 * 1000 + 45).to_string(), "2025-11-21T10:00:00.045Z");
        assert_eq!(Millis(second.0 * 1000).to_string(), "2025-11-21T10:00:00Z");
    }
}
