//! The `commits` of a push: how many, and which is the last. A push may list 2048 of them, and nothing
//! else about them is used, so that none is kept.

use domain::{CommitId, Text};
use serde::{Deserialize, de::SeqAccess};

use super::{Field, Read, object};

/// What a push's list of commits amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Commits {
    pub(crate) count: usize,
    pub(crate) last: Option<CommitId>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Commit<'a> {
    #[serde(borrow)]
    id: Field<Text<'a>>,
}
object!(Commit<'a>);

impl<'de> Read<'de> for Commits {
    fn from_array<A: SeqAccess<'de>>(mut array: A) -> Result<Option<Self>, A::Error> {
        let mut commits = Commits { count: 0, last: None };
        while let Some(commit) = array.next_element::<Field<Commit<'de>>>()? {
            commits.count += 1;
            commits.last = commit.value().and_then(|commit| commit.id.value()?.parse().ok());
        }
        Ok(Some(commits))
    }
}
