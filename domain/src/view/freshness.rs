//! What a payload says of itself: as of when, whether complete, and what is missing.

use serde::Serialize;

use crate::time::Second;

/// A payload names at most so many gaps; more would only repeat the first hundred's message.
pub const MISSING_MAX: usize = 100;

/// Why a number is not (fully) known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It was never heard from the forge; it comes.
    Loading,
    /// A delivery left it open; the forge is being asked.
    Recounting,
    /// The forge will not tell.
    Refused,
    /// A delivery about it could not be read; everything is being asked again.
    Unreadable,
    /// GitHub sent something that may be about it and did not arrive; it is taken from GitHub's record, or everything is
    /// asked again.
    Undelivered,
}

/// Something that is not (fully) known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Missing<'a> {
    /// The field, by its path in the payload of the repository or account.
    pub field: &'static str,
    /// The repository, `owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<&'a str>,
    /// Why.
    pub reason: Reason,
}

/// The `freshness` object of our own payloads.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Freshness<'a> {
    /// The newest forge time of anything in the payload (RFC 3339).
    as_of: Option<String>,
    /// Whether every number is known and none in doubt.
    complete: bool,
    /// What is not (fully) known; at most a hundred entries.
    missing: Vec<Missing<'a>>,
}

impl<'a> Freshness<'a> {
    /// Complete when nothing is missing; names at most [`MISSING_MAX`] gaps.
    pub fn new(as_of: Second, missing: impl Iterator<Item = Missing<'a>>) -> Self {
        let missing: Vec<_> = missing.take(MISSING_MAX).collect();
        Freshness {
            as_of: (as_of > Second(0)).then(|| as_of.to_string()),
            complete: missing.is_empty(),
            missing,
        }
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}
