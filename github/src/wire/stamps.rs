//! The forge's times that stand beside a repository in a payload.

use domain::Second;
use serde::Deserialize;

use super::{Field, object};

/// The times of an issue, a comment, a review and the like. Times that people or commits choose
/// (`due_on`, a check's `started_at`, a release's `created_at`) are not among them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stamps {
    pub(crate) created_at: Field<Second>,
    pub(crate) updated_at: Field<Second>,
    pub(crate) closed_at: Field<Second>,
    pub(crate) submitted_at: Field<Second>,
}
object!(Stamps);

impl Stamps {
    /// The newest of them.
    pub(crate) fn newest(&self) -> Option<Second> {
        [self.created_at, self.updated_at, self.closed_at, self.submitted_at]
            .iter()
            .filter_map(Field::get)
            .max()
    }
}

/// The times of a release: `created_at` is its commit's, which anybody may have set.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReleaseStamps {
    published_at: Field<Second>,
    updated_at: Field<Second>,
}
object!(ReleaseStamps);

impl ReleaseStamps {
    /// The newer of them.
    pub(crate) fn newest(&self) -> Option<Second> {
        self.published_at.get().max(self.updated_at.get())
    }
}

/// The newest time seen so far, and where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Newest {
    pub(crate) at: Option<Second>,
    pub(crate) field: &'static str,
}

impl Newest {
    /// Takes a time if it is newer.
    pub(crate) fn note(&mut self, field: &'static str, at: Option<Second>) {
        if at > self.at {
            *self = Newest { at, field };
        }
    }
}
