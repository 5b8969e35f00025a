//! From text to typed values; each error says what would be right.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use boot::telemetry::LogFormat;
use domain::Second;
use github::client::Reserve;
use ipnet::IpNet;
use query_api::Quota;

/// What would be right instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) String);

type Parsed<T> = Result<T, Invalid>;

fn invalid<T>(why: impl Into<String>) -> Parsed<T> {
    Err(Invalid(why.into()))
}

/// The word that ends a poll or a limit.
const OFF: &str = "off";

pub(super) fn addresses(text: &str) -> Parsed<Vec<SocketAddr>> {
    match text.to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => invalid(format!("an address is HOST:PORT, such as 127.0.0.1:8080 ({error})")),
    }
}

pub(super) fn url(text: &str) -> Parsed<String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(text.to_owned()),
        _ => invalid("an address is http://… or https://…"),
    }
}

pub(super) fn url_or_none(text: &str) -> Parsed<Option<String>> {
    if text.trim().is_empty() { Ok(None) } else { url(text).map(Some) }
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() { invalid("a path cannot be empty") } else { Ok(PathBuf::from(text)) }
}

pub(super) fn number(text: &str) -> Parsed<u32> {
    text.trim().parse().or_else(|_| invalid("not a whole number"))
}

pub(super) fn count(text: &str) -> Parsed<usize> {
    match text.trim().parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => invalid("not a whole number above 0"),
    }
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.trim() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | OFF => Ok(false),
        _ => invalid("`true` or `false`"),
    }
}

pub(super) fn list(text: &str) -> Parsed<Vec<String>> {
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    let parse = |item: &String| {
        let whole = item.parse::<IpAddr>().map(IpNet::from);
        item.parse().or(whole).or_else(|_| invalid(format!("`{item}` is no network such as 10.0.0.0/8")))
    };
    list(text)?.iter().map(parse).collect()
}

pub(super) fn duration(text: &str) -> Parsed<Duration> {
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => invalid("a duration is 500ms, 1s, 15m, 24h or 90d"),
    }
}

pub(super) fn duration_or_off(text: &str) -> Parsed<Option<Duration>> {
    if text.trim() == OFF { Ok(None) } else { duration(text).map(Some) }
}

pub(super) fn second_or_none(text: &str) -> Parsed<Option<Second>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // A day alone is its beginning.
    let second = Second::parse(text).or_else(|| Second::parse(&format!("{text}T00:00:00Z")));
    second.map_or_else(|| invalid("a time is 2026-11-21T10:00:00Z or 2026-11-21"), |second| Ok(Some(second)))
}

pub(super) fn share(text: &str) -> Parsed<Reserve> {
    let text = text.trim();
    if text == OFF {
        return Ok(Reserve::NONE);
    }
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
    percent.and_then(Reserve::percent).map_or_else(|| invalid("a share is 0% to 90%, or off"), Ok)
}

pub(super) fn bytes(text: &str) -> Parsed<usize> {
    let size = text.trim().parse::<bytesize::ByteSize>().ok();
    match size.and_then(|size| usize::try_from(size.as_u64()).ok()) {
        Some(size) if size > 0 => Ok(size),
        _ => invalid("a size is 64KiB, 256MiB or 1GiB"),
    }
}

pub(super) fn bytes_or_off(text: &str) -> Parsed<Option<u64>> {
    if text.trim() == OFF {
        return Ok(None);
    }
    bytes(text).map(|bytes| Some(bytes as u64))
}

pub(super) fn quota(text: &str) -> Parsed<Option<Quota>> {
    let text = text.trim();
    if text == OFF {
        return Ok(None);
    }
    let quota = text.split_once('/').and_then(|(count, unit)| {
        let count: NonZeroU32 = count.trim().parse().ok()?;
        match unit.trim() {
            "s" | "sec" | "second" => Some(Quota::per_second(count)),
            "m" | "min" | "minute" => Some(Quota::per_minute(count)),
            "h" | "hour" => Some(Quota::per_hour(count)),
            _ => None,
        }
    });
    quota.map_or_else(|| invalid("a limit is 10/s, 60/min, 600/h or off"), |quota| Ok(Some(quota)))
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    if text.is_empty() {
        return Ok(LogFormat::for_stderr());
    }
    text.parse().or_else(|error: boot::telemetry::UnknownLogFormat| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, seconds) in [("1s", 1), ("15m", 900), ("24h", 86_400), ("90d", 7_776_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration_or_off("off"), Ok(None));
        for wrong in ["", "5", "0s", "-1s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_seconds_or_days_in_utc() {
        assert_eq!(second_or_none(" "), Ok(None));
        for text in ["2025-11-21T10:00:00Z", "2025-11-21T11:00:00+01:00"] {
            assert_eq!(second_or_none(text), Ok(Some(Second(1_763_719_200))), "{text}");
        }
        assert_eq!(second_or_none("2025-11-21"), Ok(Some(Second(1_763_683_200))));
        for wrong in ["yesterday", "2025", "1763719200"] {
            assert!(second_or_none(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_read() {
        for (text, percent) in [("20%", 20), ("5", 5), (" 90 % ", 90), ("off", 0), ("0%", 0)] {
            assert_eq!(share(text).map(Reserve::as_percent), Ok(percent), "{text}");
        }
        for wrong in ["", "91%", "0.2", "-1%", "all"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("256MiB"), Ok(256 * 1024 * 1024));
        assert!(bytes("0").is_err());
        assert!(bytes("much").is_err());
    }

    #[test]
    fn networks_may_be_single_addresses() {
        let expected: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        assert_eq!(networks("10.0.0.0/8, 127.0.0.1"), Ok(expected));
        assert!(networks("10.0.0.0/99").is_err());
    }

    #[test]
    fn addresses_have_a_port() {
        assert_eq!(addresses("127.0.0.1:0").unwrap()[0].port(), 0);
        assert!(addresses("127.0.0.1").is_err());
    }
}
