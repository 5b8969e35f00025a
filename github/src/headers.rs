//! What the headers of a delivery say. Each piece can be read on its own, because the door decides the
//! order of checks and answers; nothing here reads a body.

use std::fmt;

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::signature::{SignatureHeader, SignatureHeaderError};

/// The webhook event name; also the name of the record header that keeps it.
pub const EVENT: &str = "x-github-event";
/// The delivery's id; also the name of the record header that keeps it.
pub const DELIVERY: &str = "x-github-delivery";
/// The hook's id; also the name of the record header that keeps it.
pub const HOOK_ID: &str = "x-github-hook-id";
/// The only signature that counts. `X-Hub-Signature` (SHA-1) is never looked at.
pub const SIGNATURE: &str = "x-hub-signature-256";
/// For months GitHub sent the webhook's secret itself in this header: it is never kept.
pub const ENCODED_SECRET: &str = "x-github-encoded-secret";

const TARGET_TYPE: &str = "x-github-hook-installation-target-type";
const TARGET_ID: &str = "x-github-hook-installation-target-id";

/// The headers that may be stored with a record, in the order in which they are. Everything else is
/// dropped: an allow-list cannot leak what GitHub adds one day.
pub const KEPT: [&str; 8] = [
    EVENT,
    DELIVERY,
    HOOK_ID,
    TARGET_TYPE,
    TARGET_ID,
    "x-github-enterprise-host",
    "x-github-enterprise-version",
    "user-agent",
];

/// GitHub's longest event name has 33 characters.
const EVENT_BYTES_MAX: usize = 100;
/// GitHub sends 36 characters, look-alikes other tokens.
const DELIVERY_BYTES_MAX: usize = 128;
/// Longer values of the other headers are not kept: none of them is worth more room in every record.
const KEPT_VALUE_BYTES_MAX: usize = 256;

/// What kind of body a delivery says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded` with one field, `payload`.
    Form,
}

/// What is wrong with a delivery's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Answer 400.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// Answer 400.
    #[error("the header `{0}` is ill-formed")]
    IllFormed(&'static str),
    /// Answer 400: it cannot be told which of them is meant.
    #[error("the header `{0}` stands more than once")]
    Repeated(&'static str),
    /// Answer 415.
    #[error(
        "the content type is missing; GitHub sends application/json or application/x-www-form-urlencoded"
    )]
    ContentTypeMissing,
    /// Answer 415.
    #[error("the content type is neither application/json nor application/x-www-form-urlencoded")]
    ContentTypeUnknown,
}

impl HeaderError {
    /// Whether to answer 415 rather than 400.
    pub fn is_content_type(&self) -> bool {
        matches!(self, HeaderError::ContentTypeMissing | HeaderError::ContentTypeUnknown)
    }
}

/// What a delivery's headers say, signature aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryHeaders {
    /// The webhook event name: `[a-z0-9_]{1,100}`.
    pub event: EventName,
    /// 1 to 128 visible ASCII characters; shared by all hooks that get the same event, and by redeliveries.
    pub delivery: DeliveryId,
    /// The hook that sent it, as it was written; GitHub's are numbers.
    pub hook_id: Option<String>,
    /// What kind of thing the hook is on: `repository`, `organization`, `integration`.
    pub target_type: Option<String>,
    /// The id of what the hook is on, as it was written.
    pub target_id: Option<String>,
    /// What kind of body follows.
    pub content: ContentKind,
    /// Whether the webhook's secret itself came along; it is dropped, the operator should rotate it.
    pub has_encoded_secret: bool,
    /// The headers to store with the record: names out of [`KEPT`], in its order.
    pub kept: Vec<(String, String)>,
}

impl DeliveryHeaders {
    /// Reads everything but the signature. Errors that mean 400 come before those that mean 415.
    pub fn parse(headers: &HeaderMap) -> Result<Self, HeaderError> {
        let event = EventName::of(headers)?;
        let delivery = DeliveryId::of(headers)?;
        let hook_id = token(headers, HOOK_ID)?;
        let target_type = token(headers, TARGET_TYPE)?;
        let target_id = token(headers, TARGET_ID)?;
        let content = content_kind(headers)?;
        let kept = KEPT
            .into_iter()
            .filter_map(|name| Some((name, kept_value(headers.get(name)?.as_bytes())?)))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(DeliveryHeaders {
            event,
            delivery,
            hook_id,
            target_type,
            target_id,
            content,
            has_encoded_secret: headers.contains_key(ENCODED_SECRET),
            kept,
        })
    }
}

/// Reads the claimed signature; missing, repeated and ill-formed are one error, because the answer
/// (401) tells a stranger no more.
pub fn signature(headers: &HeaderMap) -> Result<SignatureHeader, SignatureHeaderError> {
    match single(headers, SIGNATURE) {
        Ok(Some(value)) => SignatureHeader::parse(value),
        Ok(None) | Err(_) => Err(SignatureHeaderError),
    }
}

/// Reads the content type; parameters such as `charset` do not matter.
pub fn content_kind(headers: &HeaderMap) -> Result<ContentKind, HeaderError> {
    let value = match single(headers, CONTENT_TYPE.as_str()) {
        Ok(Some(value)) => value,
        Ok(None) => return Err(HeaderError::ContentTypeMissing),
        Err(_) => return Err(HeaderError::ContentTypeUnknown),
    };
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Ok(ContentKind::Json)
    } else if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Ok(ContentKind::Form)
    } else if essence.is_empty() {
        Err(HeaderError::ContentTypeMissing)
    } else {
        Err(HeaderError::ContentTypeUnknown)
    }
}

/// A webhook event name, known or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventName(String);

impl EventName {
    /// Reads [`EVENT`].
    pub fn of(headers: &HeaderMap) -> Result<Self, HeaderError> {
        let value = single(headers, EVENT)?.ok_or(HeaderError::Missing(EVENT))?;
        let fits = matches!(value.len(), 1..=EVENT_BYTES_MAX)
            && value.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        ascii(value).filter(|_| fits).map(EventName).ok_or(HeaderError::IllFormed(EVENT))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What GitHub calls this event wherever it delivers it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Reads [`DELIVERY`].
    pub fn of(headers: &HeaderMap) -> Result<Self, HeaderError> {
        let value = single(headers, DELIVERY)?.ok_or(HeaderError::Missing(DELIVERY))?;
        let fits =
            matches!(value.len(), 1..=DELIVERY_BYTES_MAX) && value.iter().all(|byte| byte.is_ascii_graphic());
        ascii(value).filter(|_| fits).map(DeliveryId).ok_or(HeaderError::IllFormed(DELIVERY))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a header that may stand once.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a [u8]>, HeaderError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(HeaderError::Repeated(name)),
        (first, None) => Ok(first.map(http::HeaderValue::as_bytes)),
    }
}

/// A header that may be left out; one that is empty, long or binary counts as left out.
fn token(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, HeaderError> {
    let value = single(headers, name)?.and_then(kept_value).filter(|value| !value.is_empty());
    Ok(value.map(str::to_owned))
}

fn ascii(value: &[u8]) -> Option<String> {
    String::from_utf8(value.to_vec()).ok()
}

fn kept_value(value: &[u8]) -> Option<&str> {
    let plain = value.len() <= KEPT_VALUE_BYTES_MAX
        && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    std::str::from_utf8(value).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        map
    }

    /// As GitHub sends them (reference: a recorded delivery of a repository hook).
    const COMPLETE: [(&str, &str); 9] = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("X-GitHub-Hook-ID", "292430182"),
        ("X-GitHub-Hook-Installation-Target-Type", "repository"),
        ("X-GitHub-Hook-Installation-Target-ID", "79929171"),
        ("User-Agent", "GitHub-Hookshot/044aadd"),
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"),
        ("Accept", "*/*"),
    ];

    fn with(name: &str, value: &str) -> HeaderMap {
        let mut map = headers(&COMPLETE);
        map.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        map
    }

    #[test]
    fn a_complete_delivery_is_read_and_only_the_allow_list_is_kept() {
        let mut map = headers(&COMPLETE);
        map.append(ENCODED_SECRET, HeaderValue::from_static("aHVzaA=="));
        map.append("authorization", HeaderValue::from_static("Basic aHVzaA=="));
        let read = DeliveryHeaders::parse(&map).unwrap();
        assert_eq!(
            (read.event.as_str(), read.hook_id.as_deref(), read.target_id.as_deref()),
            ("push", Some("292430182"), Some("79929171"))
        );
        assert_eq!((read.target_type.as_deref(), read.content), (Some("repository"), ContentKind::Json));
        assert!(read.has_encoded_secret);
        let kept: Vec<(&str, &str)> =
            read.kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            kept,
            [
                ("x-github-event", "push"),
                ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
                ("x-github-hook-id", "292430182"),
                ("x-github-hook-installation-target-type", "repository"),
                ("x-github-hook-installation-target-id", "79929171"),
                ("user-agent", "GitHub-Hookshot/044aadd"),
            ]
        );
    }

    #[test]
    fn event_names_and_delivery_ids_keep_their_alphabets() {
        for bad in ["", "Push", "pull-request", "push ", "pu\tsh", &"a".repeat(101)] {
            assert_eq!(
                DeliveryHeaders::parse(&with(EVENT, bad)),
                Err(HeaderError::IllFormed(EVENT)),
                "{bad:?}"
            );
        }
        for bad in ["", "two words", "tab\there", &"a".repeat(129)] {
            assert_eq!(
                DeliveryHeaders::parse(&with(DELIVERY, bad)),
                Err(HeaderError::IllFormed(DELIVERY)),
                "{bad:?}"
            );
        }
        assert!(DeliveryHeaders::parse(&with(EVENT, &"z_9".repeat(33))).is_ok());
        assert!(DeliveryHeaders::parse(&with(DELIVERY, &"~!".repeat(64))).is_ok());
    }

    #[test]
    fn missing_and_repeated_headers_are_named() {
        let mut map = headers(&COMPLETE);
        map.remove(EVENT);
        assert_eq!(DeliveryHeaders::parse(&map), Err(HeaderError::Missing(EVENT)));
        for name in [EVENT, DELIVERY, HOOK_ID] {
            let mut map = headers(&COMPLETE);
            map.append(name, HeaderValue::from_static("1"));
            assert_eq!(DeliveryHeaders::parse(&map), Err(HeaderError::Repeated(name)));
        }
    }

    #[test]
    fn hooks_that_say_less_are_heard_all_the_same() {
        let map = headers(&[
            ("x-github-event", "push"),
            ("x-github-delivery", "1"),
            ("content-type", "application/json"),
            ("x-github-hook-id", "a-look-alike"),
            ("x-github-hook-installation-target-id", ""),
        ]);
        let read = DeliveryHeaders::parse(&map).unwrap();
        assert_eq!(read.hook_id.as_deref(), Some("a-look-alike"));
        assert_eq!((read.target_type, read.target_id), (None, None));
    }

    #[test]
    fn content_types_are_told_apart() {
        use HeaderError::{ContentTypeMissing, ContentTypeUnknown};
        for (value, kind) in [
            ("application/json", Ok(ContentKind::Json)),
            ("Application/JSON ; charset=utf-8", Ok(ContentKind::Json)),
            ("application/x-www-form-urlencoded", Ok(ContentKind::Form)),
            ("", Err(ContentTypeMissing)),
            ("text/plain", Err(ContentTypeUnknown)),
            ("application/jsonp", Err(ContentTypeUnknown)),
        ] {
            assert_eq!(content_kind(&headers(&[("content-type", value)])), kind, "{value:?}");
        }
        assert_eq!(content_kind(&HeaderMap::new()), Err(ContentTypeMissing));
        let twice = headers(&[("content-type", "application/json"), ("content-type", "application/json")]);
        assert_eq!(content_kind(&twice), Err(ContentTypeUnknown));
        assert!(ContentTypeMissing.is_content_type() && !HeaderError::Missing(EVENT).is_content_type());
    }

    #[test]
    fn only_one_sha256_signature_counts() {
        let good = format!("sha256={}", "0".repeat(64));
        assert!(signature(&headers(&[("X-Hub-Signature-256", &good)])).is_ok());
        for pairs in [
            vec![],
            vec![("X-Hub-Signature", good.as_str())],
            vec![("X-Hub-Signature-256", "sha256=0")],
            vec![("X-Hub-Signature-256", good.as_str()), ("X-Hub-Signature-256", good.as_str())],
        ] {
            assert_eq!(signature(&headers(&pairs)), Err(SignatureHeaderError));
        }
    }

    #[test]
    fn values_that_are_long_or_binary_are_not_kept() {
        let mut map = with("user-agent", &"x".repeat(KEPT_VALUE_BYTES_MAX + 1));
        map.insert("x-github-enterprise-host", HeaderValue::from_bytes(b"h\xffst").unwrap());
        let read = DeliveryHeaders::parse(&map).unwrap();
        assert!(read.kept.iter().all(|(name, _)| name != "user-agent" && name != "x-github-enterprise-host"));
    }
}
