//! A delivery's headers: what is accepted is what the contract describes, whatever else stands beside it.

use bolero::{check, generator::*};
use github::headers::{
    DELIVERY, DeliveryHeaders, ENCODED_SECRET, EVENT, HOOK_ID, KEPT, SIGNATURE, signature,
};
use http::{HeaderMap, HeaderName, HeaderValue};

const NAMES: [&str; 9] = [
    EVENT,
    DELIVERY,
    HOOK_ID,
    "x-github-hook-installation-target-type",
    "x-github-hook-installation-target-id",
    ENCODED_SECRET,
    SIGNATURE,
    "content-type",
    "x-anything",
];

/// Values that are right for some header, so that chance need not find them.
const VALUES: [&str; 6] = [
    "push",
    "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "42",
    "repository",
    "application/json; charset=utf-8",
    "",
];

#[test]
fn headers() {
    let line = (0..NAMES.len(), 0..VALUES.len() * 2, produce::<Vec<u8>>().with().len(0usize..140));
    check!().with_generator(produce::<Vec<_>>().with().values(line).len(0usize..14)).for_each(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value, bytes) in lines {
            let bytes = VALUES.get(*value).map_or(bytes.as_slice(), |value| value.as_bytes());
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                headers.append(HeaderName::from_static(NAMES[*name]), value);
            }
        }
        // What it says about signatures is checked beside; here only that any header set is survived.
        let _ = signature(&headers);
        let Ok(read) = DeliveryHeaders::parse(&headers) else { return };
        let event = read.event.as_str();
        assert!((1..=100).contains(&event.len()));
        assert!(event.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')));
        let delivery = read.delivery.as_str();
        assert!((1..=128).contains(&delivery.len()) && delivery.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(read.kept.iter().all(|(name, _)| KEPT.contains(&name.as_str())));
        assert!(read.kept.iter().all(|(name, _)| name != SIGNATURE && name != ENCODED_SECRET));
        assert_eq!(read.has_encoded_secret, headers.contains_key(ENCODED_SECRET));
    });
}
