//! `?wait_for=<guid>&timeout=5s`: a reader who wants an answer that shows a delivery.

use std::time::Duration;

use http::{Method, Uri};

use super::{path, problem::Problem};

/// Unless the reader says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Nobody waits longer: proxies and clients give up on an answer about then.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// As `X-GitHub-Delivery` may be.
const ID_CHARS_MAX: usize = 128;

/// Views are under this path.
const VIEWS: &str = "/v1/";

/// What is waited for, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitFor {
    /// The delivery's id.
    pub(crate) delivery: String,
    pub(crate) timeout: Duration,
}

impl WaitFor {
    /// Reads it from a request; `None` where nothing is waited for.
    pub(crate) fn read(method: &Method, uri: &Uri) -> Result<Option<Self>, Problem> {
        if uri.query().is_none() || !uri.path().starts_with(VIEWS) {
            return Ok(None);
        }
        let Some(delivery) = path::query(uri, "wait_for").filter(|_| is_read(method)) else {
            return Ok(None);
        };
        if !is_id(&delivery) {
            return Err(Problem::bad_request(
                "`wait_for` must be the id of a delivery, as X-GitHub-Delivery has it",
            ));
        }
        let timeout = match path::query(uri, "timeout") {
            None => TIMEOUT,
            Some(text) => duration(&text).ok_or_else(|| {
                Problem::bad_request("`timeout` must be a time such as `500ms` or `5s`, at most `30s`")
            })?,
        };
        Ok(Some(WaitFor { delivery: delivery.into_owned(), timeout: timeout.min(TIMEOUT_MAX) }))
    }
}

/// Whether a text can be the id of a delivery.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Whole milliseconds or seconds.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit_ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_millis(number.saturating_mul(unit_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Option<(String, u128)>> {
        let uri = format!("/v1/accounts/octo{query}").parse().unwrap();
        let read = WaitFor::read(&Method::GET, &uri).ok()?;
        Some(read.map(|wait| (wait.delivery, wait.timeout.as_millis())))
    }

    #[test]
    fn times_have_a_unit_a_default_and_a_bound() {
        let waits = |query: &str| read(query).unwrap().unwrap();
        assert_eq!(waits("?wait_for=72d3-a"), ("72d3-a".to_owned(), 5000));
        assert_eq!(waits("?page=2&timeout=250ms&wait_for=a"), ("a".to_owned(), 250));
        assert_eq!(waits("?wait_for=a&timeout=0s").1, 0);
        assert_eq!(waits("?wait_for=a&timeout=3600s").1, 30_000);
        for timeout in ["", "5", "s", "5m", "-1s", "+1s", "1.5s", "99999999999999999999s"] {
            assert_eq!(
                read(&format!("?wait_for=a&timeout={timeout}").replace('+', "%2B")),
                None,
                "{timeout}"
            );
        }
    }

    #[test]
    fn only_a_readers_wish_with_a_possible_id_counts() {
        for none in ["", "?", "?timeout=5s", "?page=1"] {
            assert_eq!(read(none), Some(None), "{none}");
        }
        for wrong in ["?wait_for=", "?wait_for=a%20b", "?wait_for=%C3%BC", &format!("?wait_for={:0>129}", 1)]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let uri = "/repos?wait_for=a".parse().unwrap();
        assert_eq!(
            WaitFor::read(&Method::GET, &uri).unwrap(),
            None,
            "other paths have meanings of their own"
        );
        let uri = "/v1/x?wait_for=a".parse().unwrap();
        assert_eq!(WaitFor::read(&Method::OPTIONS, &uri).unwrap(), None);
    }
}
