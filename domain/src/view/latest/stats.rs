//! `/stats`: averages over some of the newest repositories, by primary language and by licence.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::view::latest::{Fragments, Selection, Summed};

/// S4's `/stats`: averages and counts by primary language and by licence; `""` stands for none.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Stats))]
pub struct Payload<'a> {
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_num_forks_per_repo_by_language: BTreeMap<&'a str, Average>,
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_num_open_issues_by_language: BTreeMap<&'a str, Average>,
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_size_by_language: BTreeMap<&'a str, Average>,
    num_repos_by_language: BTreeMap<&'a str, u64>,
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_num_forks_per_repo_by_license: BTreeMap<&'a str, Average>,
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_num_open_issues_by_license: BTreeMap<&'a str, Average>,
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<&'static str, Option<f64>>))]
    avg_size_by_license: BTreeMap<&'a str, Average>,
    num_repos_by_license: BTreeMap<&'a str, u64>,
}

/// A sum and over how many.
#[derive(Debug, Clone, Copy, Default)]
struct Average {
    sum: u128,
    count: u64,
}

/// `/stats` of a selection. What is not known of a repository is left out of its average; `""` stands for none.
pub fn stats(fragments: &Fragments, selection: Selection) -> Vec<u8> {
    let by_language = Groups::of(fragments, selection, |summed| &summed.language);
    let by_license = Groups::of(fragments, selection, |summed| &summed.license);
    let payload = Payload {
        avg_num_forks_per_repo_by_language: by_language.forks,
        avg_num_open_issues_by_language: by_language.open_issues,
        avg_size_by_language: by_language.sizes,
        num_repos_by_language: by_language.counts,
        avg_num_forks_per_repo_by_license: by_license.forks,
        avg_num_open_issues_by_license: by_license.open_issues,
        avg_size_by_license: by_license.sizes,
        num_repos_by_license: by_license.counts,
    };
    serde_json::to_vec(&payload).expect("plain values serialize")
}

#[derive(Default)]
struct Groups<'a> {
    forks: BTreeMap<&'a str, Average>,
    open_issues: BTreeMap<&'a str, Average>,
    sizes: BTreeMap<&'a str, Average>,
    counts: BTreeMap<&'a str, u64>,
}

impl<'a> Groups<'a> {
    fn of(fragments: &'a Fragments, selection: Selection, key: impl Fn(&'a Summed) -> &'a str) -> Self {
        let mut groups = Groups::default();
        for fragment in fragments.selected(selection) {
            let summed = &fragment.summed;
            let key = key(summed);
            *groups.counts.entry(key).or_default() += 1;
            for (averages, value) in [
                (&mut groups.forks, summed.forks),
                (&mut groups.open_issues, summed.open_issues),
                (&mut groups.sizes, summed.size),
            ] {
                averages.entry(key).or_default().add(value);
            }
        }
        groups
    }
}

impl Average {
    fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.sum += u128::from(value);
            self.count += 1;
        }
    }
}

impl Serialize for Average {
    /// A whole number where it is one; `null` where nothing is known.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.count == 0 {
            return serializer.serialize_none();
        }
        let count = u128::from(self.count);
        if self.sum.is_multiple_of(count)
            && let Ok(whole) = u64::try_from(self.sum / count)
        {
            return serializer.serialize_u64(whole);
        }
        #[expect(clippy::cast_precision_loss, reason = "an average needs no more than 52 bits")]
        serializer.serialize_f64(self.sum as f64 / self.count as f64)
    }
}
