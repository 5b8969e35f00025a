//! What a profile adds to an answer about several profiles (S1): sums and sets over an account's public
//! repositories, kept ready for every kept account of every forge, and how they are merged.
//!
//! Its row is not compressed: it is read to be merged, never sent as it is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    id::Forge,
    ledger::totals::Totals,
    time::{Millis, Second},
};

/// The encoding of a stored summary.
const TAG: u8 = 1;

/// Sums and sets over the public repositories of one account, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Repositories that are no forks.
    pub original: u64,
    /// Repositories that are forks.
    pub forked: u64,
    /// Subscribers (Bitbucket: watchers) of all repositories; `None` where no part is known.
    pub watchers: Option<u64>,
    /// Stars of all repositories; 0 where the forge has none, `None` where no part is known.
    pub stars: Option<u64>,
    /// Languages of all repositories, lower-cased, in order.
    pub languages: Vec<String>,
    /// Topics of all repositories, in order.
    pub topics: Vec<String>,
}

/// A summary as it is stored, with what answers say beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSummary {
    /// The summary.
    pub summary: Summary,
    /// The newest forge time of anything in it.
    pub as_of: Second,
    /// When the part of it that was checked longest ago was checked, on our clock; `None` while some part never
    /// was.
    pub checked_ms: Option<Millis>,
    /// Whether every number in it is known and none in doubt.
    pub complete: bool,
    /// The account's present login.
    pub name: String,
}

impl StoredSummary {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }
}

impl Summary {
    /// What an account's running sums come to.
    pub fn of(totals: &Totals, is_listed: bool, forge: Forge) -> Self {
        let languages: BTreeSet<String> = totals.language_names().map(str::to_lowercase).collect();
        Summary {
            original: totals.original,
            forked: totals.forked,
            watchers: totals.watchers.value(is_listed),
            stars: match forge {
                Forge::GitHub => totals.stars.value(is_listed),
                Forge::Bitbucket => Some(0),
            },
            languages: languages.into_iter().collect(),
            topics: totals.topics().map(str::to_owned).collect(),
        }
    }
}

/// Adds summaries up; one that is given twice counts twice. The order does not matter.
pub fn merge<'s>(summaries: impl IntoIterator<Item = &'s Summary>) -> Summary {
    let (mut merged, mut count) = (Summary::default(), 0_usize);
    let (mut languages, mut topics) = (BTreeSet::new(), BTreeSet::new());
    for summary in summaries {
        count += 1;
        merged.original = merged.original.saturating_add(summary.original);
        merged.forked = merged.forked.saturating_add(summary.forked);
        merged.watchers = plus(merged.watchers, summary.watchers);
        merged.stars = plus(merged.stars, summary.stars);
        languages.extend(summary.languages.iter().map(String::as_str));
        topics.extend(summary.topics.iter().map(String::as_str));
    }
    if count == 0 {
        (merged.watchers, merged.stars) = (Some(0), Some(0));
    }
    merged.languages = languages.into_iter().map(str::to_owned).collect();
    merged.topics = topics.into_iter().map(str::to_owned).collect();
    merged
}

/// A sum of which parts may be unknown: the known ones count.
fn plus(sum: Option<u64>, part: Option<u64>) -> Option<u64> {
    match (sum, part) {
        (Some(sum), Some(part)) => Some(sum.saturating_add(part)),
        (known, None) | (None, known) => known,
    }
}

/// S1's payload.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HealthCheck))]
pub struct Payload<'a> {
    /// Always `OK`.
    error: &'static str,
    data: Data<'a>,
    /// The profiles that do not exist, as they were given.
    missing: &'a [&'a str],
}

/// Sums and sets over all profiles.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HealthCheckData))]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    /// Repositories that are no forks.
    original_repos: u64,
    /// Repositories that are forks.
    forked_repos: u64,
    /// Subscribers; `null` where none of the profiles' are known.
    watchers: Option<u64>,
    /// Stars; `null` where none of the profiles' are known.
    followers: Option<u64>,
    /// How many languages there are.
    langs_num: usize,
    /// Languages, lower-cased, in order.
    langs: &'a [String],
    /// How many topics there are.
    topics_num: usize,
    /// Topics, in order.
    topics: &'a [String],
}

/// S1's payload. `missing` are the profiles that do not exist, as they were given.
pub fn payload(summary: &Summary, missing: &[&str]) -> Vec<u8> {
    let payload = Payload {
        error: "OK",
        data: Data {
            original_repos: summary.original,
            forked_repos: summary.forked,
            watchers: summary.watchers,
            followers: summary.stars,
            langs_num: summary.languages.len(),
            langs: &summary.languages,
            topics_num: summary.topics.len(),
            topics: &summary.topics,
        },
        missing,
    };
    serde_json::to_vec(&payload).expect("a payload of plain values serializes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summaries() -> impl Strategy<Value = Vec<Summary>> {
        let names =
            || proptest::collection::btree_set("[a-d]", 0..3).prop_map(|set| set.into_iter().collect());
        let sum = || proptest::option::of(0..100_u64);
        let one = (0..9_u64, 0..9_u64, sum(), sum(), names(), names()).prop_map(
            |(original, forked, watchers, stars, languages, topics)| Summary {
                original,
                forked,
                watchers,
                stars,
                languages,
                topics,
            },
        );
        proptest::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn any_order_and_any_grouping_merge_to_the_same(parts in summaries(), at in 0..6_usize) {
            let whole = merge(&parts);
            let reversed: Vec<Summary> = parts.iter().rev().cloned().collect();
            prop_assert_eq!(&merge(&reversed), &whole);
            let (left, right) = parts.split_at(at.min(parts.len()));
            if !left.is_empty() && !right.is_empty() {
                prop_assert_eq!(merge([&merge(left), &merge(right)]), whole);
            }
        }
    }

    #[test]
    fn a_profile_given_twice_counts_twice_and_its_names_once() {
        let part = Summary {
            original: 1,
            forked: 2,
            watchers: Some(3),
            stars: None,
            languages: vec!["c".into(), "rust".into()],
            topics: vec!["web".into()],
        };
        let json =
            String::from_utf8(payload(&merge([&part, &part]), &["https://github.com/nobody"])).unwrap();
        assert_eq!(
            json,
            r#"{"error":"OK","data":{"originalRepos":2,"forkedRepos":4,"watchers":6,"followers":null,"langsNum":2,"langs":["c","rust"],"topicsNum":1,"topics":["web"]},"missing":["https://github.com/nobody"]}"#
        );
    }

    #[test]
    fn nothing_comes_to_zero_and_an_unknown_part_leaves_the_known_ones() {
        let nothing = merge([]);
        assert_eq!((nothing.watchers, nothing.stars), (Some(0), Some(0)));
        let unknown = Summary::default();
        let known = Summary { watchers: Some(4), ..Summary::default() };
        let merged = merge([&unknown, &known]);
        assert_eq!((merged.watchers, merged.stars), (Some(4), None));
    }
}
