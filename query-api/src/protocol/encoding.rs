//! `Accept-Encoding` (RFC 9110, section 12.5.3): gzip or as it is.

use http::{HeaderMap, header};

/// Whether the reader takes gzip, and likes it no less than the bytes as they are.
pub(crate) fn accepts_gzip(request: &HeaderMap) -> bool {
    let mut gzip = None;
    let mut identity = None;
    let mut any = None;
    for value in request.get_all(header::ACCEPT_ENCODING) {
        for member in value.as_bytes().split(|&byte| byte == b',') {
            let mut parts = member.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let coding = parts.next().unwrap_or_default();
            let weight = parts.find_map(weight).unwrap_or(1000);
            if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
                gzip = Some(weight);
            } else if coding.eq_ignore_ascii_case(b"identity") {
                identity = Some(weight);
            } else if coding == b"*" {
                any = Some(weight);
            }
        }
    }
    // Whoever names gzip and is silent on identity prefers gzip, at whatever weight.
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// Thousandths of a `q` parameter; an unreadable one counts as 0.
fn weight(parameter: &[u8]) -> Option<u16> {
    let (name, value) = parameter.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let Some((&whole, fraction)) = value.split_first() else { return Some(0) };
    let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);
    if whole == b'1' {
        return Some(1000);
    }
    if whole != b'0' || fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return Some(0);
    }
    let thousandths = fraction.iter().chain(b"000").take(3);
    Some(thousandths.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepts(values: &[&'static str]) -> bool {
        let mut request = HeaderMap::new();
        for value in values {
            request.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        accepts_gzip(&request)
    }

    #[test]
    fn gzip_is_taken_where_it_is_accepted_and_not_liked_less() {
        for value in ["gzip", "GZIP", "x-gzip", "br, gzip;q=0.1", "gzip ; q=1.000", "*", "identity;q=0.5, *"]
        {
            assert!(accepts(&[value]), "{value}");
        }
        assert!(accepts(&["br", "gzip"]), "several headers are one list");
        assert!(accepts(&["gzip;q=0.5, identity;q=0.5"]));
    }

    #[test]
    fn gzip_is_not_taken_where_it_is_refused_or_liked_less() {
        for value in
            ["", "br", "gzip;q=0", "gzip;Q=0.000", "*;q=0", "gzip;q=0, *", "identity", "gzip;q=x", "gzip;q="]
        {
            assert!(!accepts(&[value]), "{value}");
        }
        assert!(!accepts(&[]));
        assert!(!accepts(&["gzip;q=0.4, identity;q=0.41"]));
    }
}
