//! Entries of lists of stars, with their times (`application/vnd.github.star+json`).

use domain::{Second, Text};
use serde::Deserialize;

use super::{Account, Field, object};

/// Somebody in a repository's list of stargazers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListedGazer<'a> {
    pub(crate) starred_at: Field<Second>,
    #[serde(borrow)]
    pub(crate) user: Field<Account<'a>>,
}
object!(ListedGazer<'a>);

/// A repository in somebody's list of stars.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListedStar<'a> {
    pub(crate) starred_at: Field<Second>,
    #[serde(borrow)]
    pub(crate) repo: Field<StarredRepo<'a>>,
}
object!(ListedStar<'a>);

/// What is looked at of a starred repository.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StarredRepo<'a> {
    pub(crate) id: Field<u64>,
    #[serde(borrow)]
    pub(crate) owner: Field<Account<'a>>,
    #[serde(borrow)]
    pub(crate) full_name: Field<Text<'a>>,
    private: Field<bool>,
    #[serde(borrow)]
    visibility: Field<Text<'a>>,
}
object!(StarredRepo<'a>);

impl StarredRepo<'_> {
    /// Whether everybody may see it: a token may open more.
    pub(crate) fn is_public(&self) -> bool {
        let is_named_public =
            self.visibility.value().is_none_or(|visibility| visibility.as_str() == "public");
        self.private.get() == Some(false) && is_named_public
    }
}
