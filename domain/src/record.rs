//! The bodies that our own sources append: answers of forges and commands, and the labels that tell bodies
//! apart.
//!
//! A delivery's body is the forge's own JSON, so that a mistake in its translation is mended by folding the
//! log again. An answer is kept translated: half of what it says stands in headers (`Link`, `Date`, status),
//! and it can be asked again.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Asked, Event},
    id::{Forge, RepoId},
    text::Text,
};

/// The label of a GitHub delivery: the body is GitHub's JSON.
pub const GITHUB_DELIVERY: &str = "github.delivery";
/// The label of a Bitbucket delivery: the body is Bitbucket's JSON.
pub const BITBUCKET_DELIVERY: &str = "bitbucket.delivery";
/// The label of an [`Answer`].
pub const ANSWER: &str = "answer";
/// The label of a [`Command`].
pub const COMMAND: &str = "command";

/// The label of a record whose body was erased: it keeps its place, and folds to nothing.
pub const ERASED: &str = "erased";

/// The header in which a record of which something was erased keeps what it is recognised by, a checksum. Only who
/// erases writes it: of a delivery's headers none has this name.
pub const ERASED_CHECKSUM: &str = "erased-checksum";

/// The label of a part of a base ([`crate::base`]).
pub const BASE: &str = "base";

/// The header in which a record that was copied from another log carries its version, for ever. Only the copier
/// writes it: of a delivery's headers none has this name, and a record that is appended again loses it.
pub const COPIED_VERSION: &str = "version";

/// The header that says in how many streams a delivery is, where it is in several. Only the door writes it: of a
/// delivery's own headers none has this name.
pub const STREAMS: &str = "streams";

/// What a forge answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer<'a> {
    /// When it was asked.
    pub asked: Asked,
    /// What it said.
    #[serde(borrow)]
    pub events: Vec<Event<'a>>,
    /// How far the work got that asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<CursorNote<'a>>,
}

/// How far a long job got, or which ETag an answer had: a row that only the asking source reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorNote<'a> {
    /// Which cursor of this stream.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// Its new value; empty ends it.
    pub value: Text<'a>,
}

/// What a person or one of our own sources wants, within one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command<'a> {
    /// The facts that it makes.
    #[serde(borrow)]
    pub events: Vec<Event<'a>>,
}

macro_rules! json_body {
    ($($body:ident),*) => {$(
        impl<'a> $body<'a> {
            /// The record's body.
            pub fn encode(&self) -> Vec<u8> {
                serde_json::to_vec(self).expect("a body of plain values serializes")
            }

            /// Reads a record's body.
            ///
            /// # Errors
            /// When it is not one, or was written by a newer release.
            pub fn decode(body: &'a [u8]) -> Result<Self, serde_json::Error> {
                serde_json::from_slice(body)
            }
        }
    )*};
}

json_body!(Answer, Command);

/// The cursor that holds the ETag of what was last answered about `what` of a repository.
pub fn etag_cursor(what: &str, repo: Option<RepoId>) -> String {
    match repo {
        Some(repo) => format!("etag/{what}/{repo}"),
        None => format!("etag/{what}"),
    }
}

/// The cursor that says since when asking for an account as a whole came to nothing, in milliseconds on our
/// clock; empty once it came to something again.
pub const ATTEMPT_CURSOR: &str = "attempt";

/// The same for who a wanted login is; `login` is lower-cased, the stream is the service's.
pub fn login_attempt_cursor(forge: Forge, login: &str) -> String {
    format!("{ATTEMPT_CURSOR}/{}/{login}", forge.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{PullState, RepositoryReading},
        time::{Millis, Second},
        version::{Epoch, Version},
    };

    #[test]
    fn bodies_are_frozen_and_read_back() {
        let repo = RepoId::github(7);
        let mut reading = RepositoryReading::of(repo);
        reading.name = Some("hello".into());
        reading.description = Some(None);
        let answer = Answer {
            asked: Asked {
                asked_at: Version::new(Epoch::FIRST, 3),
                asked_ms: Millis(1_700_000_000_123),
                date: Second(1_700_000_000),
            },
            events: vec![
                Event::Repository(Box::new(reading)),
                Event::Pulls { repo, pulls: vec![(1, PullState::Merged, Second(5))] },
                Event::RepositoriesListed { since: Version::NONE },
            ],
            cursors: vec![CursorNote {
                kind: etag_cursor("repository", Some(repo)).into(),
                value: "W/1".into(),
            }],
        };
        let body = answer.encode();
        insta::assert_snapshot!(String::from_utf8(body.clone()).unwrap());
        assert_eq!(Answer::decode(&body).unwrap(), answer);
    }
}
