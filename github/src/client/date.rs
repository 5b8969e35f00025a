//! The dates in HTTP's headers: the forge's own clock.

use domain::Second;
use http::{HeaderMap, header};

/// A response's `Date`; `otherwise` where it has none that can be read.
pub(crate) fn of(headers: &HeaderMap, otherwise: Second) -> Second {
    headers.get(header::DATE).and_then(|value| parse(value.to_str().ok()?)).unwrap_or(otherwise)
}

/// Reads `Sat, 21 Nov 2026 10:00:00 GMT`.
pub(crate) fn parse(text: &str) -> Option<Second> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|time| Second(time.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_forges_second_is_read_and_ours_stands_in() {
        let ours = Second(7);
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers, ours), ours);
        headers.insert("date", HeaderValue::from_static("Sat, 21 Nov 2026 10:00:00 GMT"));
        assert_eq!(of(&headers, ours), Second(1_795_255_200));
        for wrong in ["soon", "", "2026-11-21T10:00:00Z"] {
            headers.insert("date", HeaderValue::from_static(wrong));
            assert_eq!(of(&headers, ours), ours, "{wrong}");
        }
    }
}
