//! Bitbucket's webhook deliveries: what their headers are called, whose they are, and what they mean.
//!
//! A delivery of Bitbucket's tells little that can be relied on: a push carries a few commits and no count, nothing
//! is numbered, and payloads above 256 kB are not sent at all (reference A4). So each means one thing: something about
//! this workspace has changed, ask.

use domain::{AccountId, Event, NeedKey, StreamKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::uuid;

/// The event's key, such as `repo:push`; also the name of the record header that keeps it.
pub const EVENT: &str = "x-event-key";
/// The delivery's id; also the name of the record header that keeps it.
pub const DELIVERY: &str = "x-request-uuid";
/// The hook's uuid; also the name of the record header that keeps it.
pub const HOOK: &str = "x-hook-uuid";
/// `sha256=` and the HMAC of the body, under the name that GitHub uses for SHA-1.
pub const SIGNATURE: &str = "x-hub-signature";

/// Bitbucket's longest event key has 38 characters.
const EVENT_BYTES_MAX: usize = 100;
/// Bitbucket sends 36 characters.
const DELIVERY_BYTES_MAX: usize = 128;

/// The body is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

/// Whether a text can be an event's key: `repo:push`, `pullrequest:comment_created`.
pub fn is_event(text: &str) -> bool {
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':');
    (1..=EVENT_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a text can be a delivery's id.
pub fn is_delivery(text: &str) -> bool {
    (1..=DELIVERY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The stream of a delivery: that of the workspace whose repository it is about, else the service's.
///
/// # Errors
/// When the body is no JSON object.
pub fn route(body: &[u8]) -> Result<StreamKey, NotJson> {
    // An array would be read as an object without names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(NotJson);
    }
    let payload: Payload<'_> = serde_json::from_slice(body).map_err(|_| NotJson)?;
    let workspace = payload.repository.and_then(|json| workspace_of(json.get()));
    Ok(workspace.map_or(StreamKey::Service, |uuid| StreamKey::Account(AccountId::bitbucket(uuid))))
}

/// What a delivery tells the workspace that it was routed to; nothing where it is not about a repository.
pub fn translate(event: &str) -> Vec<Event<'static>> {
    let is_about_repository = ["repo:", "pullrequest:", "issue:"].iter().any(|kind| event.starts_with(kind));
    if is_about_repository { vec![Event::Unclear(NeedKey::Repositories)] } else { Vec::new() }
}

/// A field of another type than expected counts as missing.
fn workspace_of(repository: &str) -> Option<u128> {
    let repository: JsonRepository<'_> = serde_json::from_str(repository).ok()?;
    let uuid_of = |json: Option<&RawValue>| {
        let identified: JsonIdentified = serde_json::from_str(json?.get()).ok()?;
        uuid::parse(&identified.uuid)
    };
    uuid_of(repository.workspace).or_else(|| uuid_of(repository.owner))
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    repository: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JsonRepository<'a> {
    #[serde(borrow, default)]
    workspace: Option<&'a RawValue>,
    #[serde(borrow, default)]
    owner: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JsonIdentified {
    uuid: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "{21fa9bf8-b5b2-4891-97ed-d590bad0f871}";

    fn stream(body: &str) -> Result<String, NotJson> {
        route(body.as_bytes()).map(|stream| stream.to_string())
    }

    #[test]
    fn a_delivery_belongs_to_the_workspace_of_its_repository() {
        let workspace = AccountId::bitbucket(0x21fa_9bf8_b5b2_4891_97ed_d590_bad0_f871);
        let own = StreamKey::Account(workspace).to_string();
        for body in [
            format!(
                r#"{{"push":{{}},"repository":{{"workspace":{{"uuid":"{UUID}"}},"owner":{{"uuid":"x"}}}}}}"#
            ),
            format!(r#"{{"repository":{{"uuid":"x","owner":{{"uuid":"{UUID}"}}}}}}"#),
            format!(r#"{{"repository":{{"workspace":[],"owner":{{"uuid":"{UUID}"}}}}}}"#),
        ] {
            assert_eq!(stream(&body).as_ref(), Ok(&own), "{body}");
        }
        for body in
            ["{}", r#"{"repository":7}"#, r#"{"repository":{"owner":{"uuid":7}}}"#, r#"{"repository":null}"#]
        {
            assert_eq!(stream(body).as_deref(), Ok("service"), "{body}");
        }
        for body in ["", "[]", "7", "{", "{}{}", "payload=%7B%7D"] {
            assert_eq!(stream(body), Err(NotJson), "{body}");
        }
    }

    #[test]
    fn what_is_about_a_repository_means_ask() {
        let ask = vec![Event::Unclear(NeedKey::Repositories)];
        for event in ["repo:push", "repo:fork", "repo:updated", "repo:deleted", "pullrequest:created"] {
            assert_eq!(translate(event), ask, "{event}");
        }
        assert!(translate("project:updated").is_empty() && translate("").is_empty());
    }

    #[test]
    fn headers_keep_their_alphabets() {
        assert!(is_event("pullrequest:comment_created") && is_event("repo:commit_status_created"));
        assert!(
            !is_event("") && !is_event("Repo:push") && !is_event("repo push") && !is_event(&"a".repeat(101))
        );
        assert!(is_delivery("b7cd6d0e-5e1b-4c6b-8d39-6c8fb7c8f2f6"));
        assert!(!is_delivery("") && !is_delivery("two words") && !is_delivery(&"a".repeat(129)));
    }
}
