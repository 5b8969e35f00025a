//! Which accounts a delivery concerns. The door appends it once to the stream of each; what a stream's
//! owner makes of it is decided in [`crate::translate`](mod@crate::translate).

use domain::{AccountId, StreamKey, Text};
use serde::Deserialize;

use crate::wire::{Changes, Field, Installation, object, read_object};

pub use crate::wire::NotJson;

/// The streams of a delivery, in a fixed order and without repetition: first the account it belongs to
/// (`repository.owner`, else `organization`, else `installation.account`, else
/// [`StreamKey::Service`]), then the other account that it concerns, if any: who starred, who owns the
/// fork, who owned a transferred repository before.
///
/// The body is validated to its end. A field of the wrong type counts as missing.
pub fn route(event: &str, body: &[u8]) -> Result<Vec<StreamKey>, NotJson> {
    let routed: Routed<'_> = read_object(body)?;
    let home = home_account(event, &routed.claims());
    let mut streams = vec![home.map_or(StreamKey::Service, stream)];
    let other = match event {
        "star" => id_of(&routed.sender),
        "fork" => routed.forkee.value().and_then(|forkee| id_of(&forkee.owner)),
        "repository" if routed.action.value().is_some_and(|action| action.as_str() == "transferred") => {
            routed.changes.value().and_then(Changes::former_owner)
        }
        _ => None,
    };
    if let Some(other) = other.map(stream).filter(|other| !streams.contains(other)) {
        streams.push(other);
    }
    Ok(streams)
}

/// What a payload says about whom it belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claims {
    pub(crate) owner: Option<u64>,
    pub(crate) organization: Option<u64>,
    pub(crate) installed_on: Option<u64>,
    pub(crate) account: Option<u64>,
}

/// The account that a payload belongs to. Routing and translation must agree on it.
pub(crate) fn home_account(event: &str, claims: &Claims) -> Option<u64> {
    // A renamed user is named nowhere else in the payload.
    let renamed = claims.account.filter(|_| event == "installation_target");
    claims.owner.or(claims.organization).or(claims.installed_on).or(renamed)
}

fn stream(account: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(account))
}

/// The fields that routing needs; a payload's other fields are skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Routed<'a> {
    #[serde(borrow)]
    action: Field<Text<'a>>,
    repository: Field<Owned>,
    organization: Field<Identified>,
    #[serde(borrow)]
    installation: Field<Installation<'a>>,
    account: Field<Identified>,
    sender: Field<Identified>,
    forkee: Field<Owned>,
    #[serde(borrow)]
    changes: Field<Changes<'a>>,
}
object!(Routed<'a>);

impl Routed<'_> {
    fn claims(&self) -> Claims {
        Claims {
            owner: self.repository.value().and_then(|repository| id_of(&repository.owner)),
            organization: id_of(&self.organization),
            installed_on: self.installation.value().and_then(Installation::account_id),
            account: id_of(&self.account),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Owned {
    owner: Field<Identified>,
}
object!(Owned);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identified {
    id: Field<u64>,
}
object!(Identified);

fn id_of(field: &Field<Identified>) -> Option<u64> {
    field.value()?.id.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(event: &str, body: &str) -> Vec<String> {
        route(event, body.as_bytes()).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_owner_comes_first_then_the_organization_then_the_installation() {
        let owner = r#""repository":{"id":1,"owner":{"id":10}}"#;
        let organization = r#""organization":{"id":20}"#;
        let installation = r#""installation":{"id":3,"account":{"id":30}}"#;
        for (body, stream) in [
            (format!("{{{installation},{organization},{owner}}}"), "github:10"),
            (format!("{{{installation},{organization},\"repository\":{{\"id\":1}}}}"), "github:20"),
            (format!("{{{installation},\"organization\":\"octo\"}}"), "github:30"),
            ("{\"sender\":{\"id\":40}}".to_owned(), "service"),
            ("{\"account\":{\"id\":50}}".to_owned(), "service"),
        ] {
            assert_eq!(routes("push", &body), [stream], "{body}");
        }
        assert_eq!(routes("installation_target", r#"{"account":{"id":50}}"#), ["github:50"]);
    }

    #[test]
    fn a_second_account_is_told_of_stars_forks_and_transfers() {
        let star = r#"{"action":"created","repository":{"owner":{"id":1}},"sender":{"id":2}}"#;
        assert_eq!(routes("star", star), ["github:1", "github:2"]);
        assert_eq!(routes("watch", star), ["github:1"]);
        assert_eq!(routes("star", &star.replace("\"id\":2", "\"id\":1")), ["github:1"]);

        let fork = r#"{"forkee":{"owner":{"id":2}},"repository":{"owner":{"id":1}}}"#;
        assert_eq!(routes("fork", fork), ["github:1", "github:2"]);

        for former in ["user", "organization"] {
            let transfer = format!(
                r#"{{"action":"transferred","changes":{{"owner":{{"from":{{"{former}":{{"id":2}}}}}}}},"repository":{{"owner":{{"id":1}}}}}}"#
            );
            assert_eq!(routes("repository", &transfer), ["github:1", "github:2"]);
            assert_eq!(routes("repository", &transfer.replace("transferred", "edited")), ["github:1"]);
        }
    }

    #[test]
    fn ids_of_the_wrong_type_count_as_missing() {
        for wrong in ["\"1\"", "-1", "[1]", "{\"id\":1}", "1.5", "true", "null"] {
            let body = format!(
                r#"{{"repository":{{"owner":{{"id":{wrong}}}}},"organization":{{"id":7}},"sender":{{"id":{wrong}}}}}"#
            );
            assert_eq!(routes("star", &body), ["github:7"], "{wrong}");
        }
        assert_eq!(routes("push", r#"{"repository":"octo/hello","organization":[]}"#), ["service"]);
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for body in ["", "[]", "null", "{\"a\":}", "{}{}", "{\"a\":1", "payload=%7B%7D"] {
            assert_eq!(route("push", body.as_bytes()), Err(NotJson), "{body}");
        }
        assert_eq!(route("push", b"{\"a\":\"\xc3\"}"), Err(NotJson));
    }
}
