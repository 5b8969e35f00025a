//! Running sums over an account's public repositories: each change costs what the repository changed, never
//! the size of the account.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    time::{Millis, Second},
    view::repository::Figures,
};

/// A sum of which some parts may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    known: u64,
    parts: u64,
    unknown: u64,
}

impl Sum {
    /// The partial sum; `None` only where no part is known, or where there may be parts we have not heard
    /// of and none we have.
    pub fn value(&self, is_listed: bool) -> Option<u64> {
        let is_empty = self.parts == 0 && self.unknown == 0;
        (self.parts > 0 || (is_empty && is_listed)).then_some(self.known)
    }

    fn add(&mut self, part: Option<u64>) {
        match part {
            Some(part) => {
                self.known += part;
                self.parts += 1;
            }
            None => self.unknown += 1,
        }
    }

    fn remove(&mut self, part: Option<u64>) {
        match part {
            Some(part) => {
                self.known -= part;
                self.parts -= 1;
            }
            None => self.unknown -= 1,
        }
    }
}

/// Sums over the public repositories of an account.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Repositories that are no forks.
    pub original: u64,
    /// Repositories that are forks.
    pub forked: u64,
    /// Commits on default branches.
    pub commits: Sum,
    /// Pull requests in all states.
    pub pulls: Sum,
    /// Open ones.
    pub pulls_open: Sum,
    /// Merged ones.
    pub pulls_merged: Sum,
    /// Those closed without merge.
    pub pulls_closed: Sum,
    /// Stars.
    pub stars: Sum,
    /// Forks of them.
    pub forks: Sum,
    /// Subscribers.
    pub watchers: Sum,
    languages: BTreeMap<String, (u64, u64)>,
    topics: BTreeMap<String, u64>,
    as_of: BTreeMap<Second, u64>,
    checked: BTreeMap<Option<Millis>, u64>,
    payload_checked: BTreeMap<Option<Millis>, u64>,
    payload_incomplete: u64,
    summary_checked: BTreeMap<Option<Millis>, u64>,
    summary_incomplete: u64,
}

impl Totals {
    /// Adds what a repository shows.
    pub fn add(&mut self, figures: &Figures) {
        *self.kind(figures.fork) += 1;
        for (sum, part) in self.sums(figures) {
            sum.add(part);
        }
        self.add_languages(figures.languages.as_ref());
        for topic in &figures.topics {
            *self.topics.entry(topic.clone()).or_default() += 1;
        }
        *self.as_of.entry(figures.as_of).or_default() += 1;
        *self.checked.entry(figures.checked_ms).or_default() += 1;
        *self.payload_checked.entry(figures.payload_checked_ms).or_default() += 1;
        self.payload_incomplete += u64::from(!figures.payload_is_complete);
        *self.summary_checked.entry(figures.summary_checked_ms).or_default() += 1;
        self.summary_incomplete += u64::from(!figures.summary_is_complete);
    }

    /// Takes away what [`Self::add`] added.
    pub fn remove(&mut self, figures: &Figures) {
        *self.kind(figures.fork) -= 1;
        for (sum, part) in self.sums(figures) {
            sum.remove(part);
        }
        self.remove_languages(figures.languages.as_ref());
        for topic in &figures.topics {
            decrement(&mut self.topics, topic);
        }
        decrement(&mut self.as_of, &figures.as_of);
        decrement(&mut self.checked, &figures.checked_ms);
        decrement(&mut self.payload_checked, &figures.payload_checked_ms);
        self.payload_incomplete -= u64::from(!figures.payload_is_complete);
        decrement(&mut self.summary_checked, &figures.summary_checked_ms);
        self.summary_incomplete -= u64::from(!figures.summary_is_complete);
    }

    /// Bytes per language over all repositories.
    pub fn languages(&self) -> BTreeMap<String, u64> {
        self.languages.iter().map(|(name, (bytes, _))| (name.clone(), *bytes)).collect()
    }

    /// Names of the languages of all repositories, in order.
    pub fn language_names(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// Topics of all repositories, sorted.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// The newest forge time of any repository.
    pub fn as_of(&self) -> Second {
        self.as_of.last_key_value().map_or(Second(0), |(at, _)| *at)
    }

    /// When the repository that was checked longest ago was checked; `None` if one never was. Without
    /// repositories there is nothing to check.
    pub fn checked_ms(&self) -> Option<Millis> {
        self.checked.first_key_value().map_or(Some(Millis(i64::MAX)), |(at, _)| *at)
    }

    /// The same for names, commits and pull requests alone.
    pub fn payload_checked_ms(&self) -> Option<Millis> {
        self.payload_checked.first_key_value().map_or(Some(Millis(i64::MAX)), |(at, _)| *at)
    }

    /// Whether name, commits and the total of pull requests of every repository are known and settled.
    pub fn payload_is_complete(&self) -> bool {
        self.payload_incomplete == 0
    }

    /// As [`Self::checked_ms`], for what the summary shows alone.
    pub fn summary_checked_ms(&self) -> Option<Millis> {
        self.summary_checked.first_key_value().map_or(Some(Millis(i64::MAX)), |(at, _)| *at)
    }

    /// Whether what the summary shows of every repository is known and settled.
    pub fn summary_is_complete(&self) -> bool {
        self.summary_incomplete == 0
    }

    /// How many repositories there are.
    pub fn repositories(&self) -> u64 {
        self.original + self.forked
    }

    fn kind(&mut self, fork: bool) -> &mut u64 {
        if fork { &mut self.forked } else { &mut self.original }
    }

    fn sums(&mut self, figures: &Figures) -> [(&mut Sum, Option<u64>); 8] {
        [
            (&mut self.commits, figures.commits),
            (&mut self.pulls, figures.pulls.total),
            (&mut self.pulls_open, figures.pulls.open),
            (&mut self.pulls_merged, figures.pulls.merged),
            (&mut self.pulls_closed, figures.pulls.closed),
            (&mut self.stars, figures.stars),
            (&mut self.forks, figures.forks),
            (&mut self.watchers, figures.watchers),
        ]
    }

    fn add_languages(&mut self, languages: Option<&Arc<BTreeMap<String, u64>>>) {
        for (name, bytes) in languages.into_iter().flat_map(|languages| languages.iter()) {
            let (sum, repositories) = self.languages.entry(name.clone()).or_default();
            *sum += bytes;
            *repositories += 1;
        }
    }

    fn remove_languages(&mut self, languages: Option<&Arc<BTreeMap<String, u64>>>) {
        for (name, bytes) in languages.into_iter().flat_map(|languages| languages.iter()) {
            if let Some((sum, repositories)) = self.languages.get_mut(name) {
                *sum -= bytes;
                *repositories -= 1;
                if *repositories == 0 {
                    self.languages.remove(name);
                }
            }
        }
    }
}

fn decrement<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
