//! A pull request, whole or as much of it as an event or a list carries.

use domain::{Second, Text, event::PullState};
use serde::Deserialize;

use super::{Field, object};

/// The `pull_request` object, and an item of a list of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PullRequest<'a> {
    pub(crate) number: Field<u64>,
    #[serde(borrow)]
    state: Field<Text<'a>>,
    /// Missing in lists and in reviews, which carry `merged_at`.
    merged: Field<bool>,
    created_at: Field<Second>,
    pub(crate) updated_at: Field<Second>,
    closed_at: Field<Second>,
    merged_at: Field<Second>,
}
object!(PullRequest<'a>);

/// What is certain about a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PullTold {
    pub(crate) number: u64,
    pub(crate) state: PullState,
    pub(crate) updated_at: Second,
}

impl PullRequest<'_> {
    /// The pull request, unless too little of it is there. `number` stands in for one that it lacks.
    pub(crate) fn told(&self, number: Option<u64>) -> Option<PullTold> {
        Some(PullTold {
            number: self.number.get().or(number)?,
            state: self.state()?,
            updated_at: self.updated_at.get()?,
        })
    }

    /// `closed` alone does not tell a merge, and a merge is final: it is never guessed.
    fn state(&self) -> Option<PullState> {
        if self.merged.get() == Some(true) || self.merged_at.get().is_some() {
            return Some(PullState::Merged);
        }
        match self.state.value()?.as_str() {
            "open" => Some(PullState::Open),
            "closed" if self.merged.get() == Some(false) || self.merged_at == Field::Null => {
                Some(PullState::Closed)
            }
            "merged" => Some(PullState::Merged),
            _ => None,
        }
    }

    /// The newest of its times.
    pub(crate) fn newest(&self) -> Option<Second> {
        [self.created_at, self.updated_at, self.closed_at, self.merged_at].iter().filter_map(Field::get).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::read_object;

    #[test]
    fn a_merge_is_told_by_either_field_and_never_guessed() {
        let cases = [
            (r#"{"state":"open"}"#, Some(PullState::Open)),
            (r#"{"state":"open","merged":false,"merged_at":null}"#, Some(PullState::Open)),
            (r#"{"state":"closed","merged":true}"#, Some(PullState::Merged)),
            (r#"{"state":"closed","merged_at":"2019-05-15T15:20:41Z"}"#, Some(PullState::Merged)),
            (r#"{"state":"closed","merged":false}"#, Some(PullState::Closed)),
            (r#"{"state":"closed","merged_at":null}"#, Some(PullState::Closed)),
            (r#"{"merged":true}"#, Some(PullState::Merged)),
            (r#"{"state":"closed"}"#, None),
            (r#"{"state":"closed","merged":"no"}"#, None),
            (r#"{"state":"locked","merged":false}"#, None),
            (r#"{}"#, None),
        ];
        for (json, state) in cases {
            let read: PullRequest<'_> = read_object(json.as_bytes()).unwrap();
            assert_eq!(read.state(), state, "{json}");
        }
    }

    #[test]
    fn number_state_and_time_are_needed() {
        let whole = r#"{"number":2,"state":"open","updated_at":"2019-05-15T15:20:41Z"}"#;
        let told = PullTold { number: 2, state: PullState::Open, updated_at: Second(1_557_933_641) };
        assert_eq!(read_object::<PullRequest<'_>>(whole.as_bytes()).unwrap().told(None), Some(told));
        for (missing, number) in [("number", None), ("state", Some(2)), ("updated_at", Some(2))] {
            let partial = whole.replace(missing, "other");
            let read: PullRequest<'_> = read_object(partial.as_bytes()).unwrap();
            assert_eq!(read.told(number), None, "{missing}");
        }
    }
}
