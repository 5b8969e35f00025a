//! A second on the forge's clock, as GitHub writes it.

use std::fmt;

/// Whole seconds since 1970. Shown as RFC 3339 in UTC: `2026-11-21T10:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize)]
pub struct Second(pub i64);

impl Second {
    /// This many seconds later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Second(self.0.saturating_add(seconds))
    }

    /// The form of HTTP's `Date` and `Last-Modified`: `Sat, 21 Nov 2026 10:00:00 GMT`.
    pub(crate) fn http(self) -> String {
        self.timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Reads HTTP's form; `None` when it is not one.
    pub(crate) fn from_http(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Second(time.as_second()))
    }

    /// Reads GitHub's form; `None` when it is not one.
    pub(crate) fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Second(time.as_second()))
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_written_forms_are_githubs() {
        let second = Second(1_763_719_200);
        assert_eq!(second.to_string(), "2025-11-21T10:00:00Z");
        assert_eq!(second.http(), "Fri, 21 Nov 2025 10:00:00 GMT");
        assert_eq!(Second::from_http(&second.http()), Some(second));
        assert_eq!(Second::from_http("soon"), None);
    }
}
