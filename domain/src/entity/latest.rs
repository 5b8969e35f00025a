//! The newest public repositories of a forge, of all accounts (S4): which ids its list showed, and what each said of
//! itself. One entity with all of them, so that what one answer decides together is written together.
//!
//! *Architecture invariant*: these are copies of their own. No account's entity is read or changed for them, and
//! nothing that is bounded here grows with the number of repositories in the world.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    event::{Asked, LatestFacts, LatestList, LatestReading, Stamp, Told},
    id::RepoId,
    time::{Millis, Second},
    version::Version,
};

/// The encoding of the stored entity.
const TAG: u8 = 1;

/// So many are shown (contract S4).
pub const SHOWN_MAX: usize = 100;

/// Repositories that said something and are kept: half as many again as are shown, to take the place of those that
/// vanish.
const KEPT_MAX: usize = 150;
/// Ids that were listed and not asked about yet: three pages of a list, about what a busy forge makes in two minutes.
const LISTED_MAX: usize = 300;
/// Ids that do not answer: as many, so that a list that shows them again makes nobody ask again.
const GONE_MAX: usize = 300;

/// Below the newest hundred so many ids are kept in reserve before lower ones are looked for.
const SPARE: usize = 10;

/// After a push the forge recomputes languages in the background; they are asked for once more after so many seconds.
const LANGUAGES_LAG_S: i64 = 600;

/// What is known of the newest public repositories.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latest {
    /// The high-water mark: the highest id that was listed, or after which nothing was.
    pub newest: u64,
    /// Every public id above this and up to `newest` was listed, and is among `repositories`.
    pub floor: u64,
    /// When the list was last read to its end, on our clock; `None` until then.
    pub listed_ms: Option<Millis>,
    /// By id.
    pub repositories: BTreeMap<RepoId, Copy>,
}

/// What is known of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Copy {
    /// `owner/name`, as the list had it last; empty if no list showed it.
    pub full_name: String,
    /// What it said of itself last; `None` while it was only listed.
    pub said: Option<Said>,
    /// Its languages; `None` until it was asked for them.
    pub languages: Option<Languages>,
}

/// What a repository said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When it was asked.
    pub at: Moment,
    /// When that was last confirmed, on our clock.
    pub checked_ms: Millis,
    /// What it said.
    pub answer: CopyAnswer,
}

/// The order of answers: by what was folded when they were asked, then by the forge's `Date`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(pub Version, pub Second);

/// The answer of a repository. Of two at one moment the greater counts, whichever came first: that it is gone beats
/// what it told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CopyAnswer {
    /// It is public.
    Here {
        /// What it told.
        facts: Box<LatestFacts>,
        /// The answer's `ETag`.
        etag: Option<String>,
    },
    /// It does not answer: deleted, private or taken down.
    Gone,
}

/// Languages of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Languages {
    /// When they were asked for.
    pub at: Moment,
    /// Name and bytes; `None`: the forge does not tell.
    pub bytes: Option<BTreeMap<String, u64>>,
}

impl Latest {
    /// Folds an answer. The same answers in any order, however often, come to the same.
    pub fn evolve(&mut self, reading: &LatestReading, stamp: &Stamp) {
        let Told::Answer(asked) = stamp.told else { return };
        let at = Moment(asked.asked_at, asked.date);
        for told in &reading.told {
            let facts = Box::new(told.facts.clone());
            let answer = CopyAnswer::Here { facts, etag: told.etag.clone() };
            self.copy(told.facts.id).hear(answer, &at, asked.asked_ms);
        }
        for id in &reading.gone {
            self.copy(*id).hear(CopyAnswer::Gone, &at, asked.asked_ms);
        }
        for id in &reading.unchanged {
            if let Some(said) = self.repositories.get_mut(id).and_then(|copy| copy.said.as_mut()) {
                said.checked_ms = said.checked_ms.max(asked.asked_ms);
            }
        }
        for told in &reading.languages {
            let bytes = told.bytes.as_ref().map(|bytes| bytes.iter().cloned().collect());
            self.copy(told.repo).hear_languages(Languages { at: at.clone(), bytes });
        }
        if let Some(list) = &reading.list {
            self.list(list, &asked);
        }
        self.trim();
    }

    /// The repositories that are shown, newest first.
    pub fn shown(&self) -> impl Iterator<Item = (RepoId, &LatestFacts, &Copy)> {
        let here = self.repositories.iter().rev();
        here.filter_map(|(id, copy)| Some((*id, copy.facts()?, copy))).take(SHOWN_MAX)
    }

    /// The listed repositories that were never asked and would be shown if they answered, newest first.
    pub fn unasked(&self) -> impl Iterator<Item = (RepoId, &str)> {
        let lowest = self.lowest_shown().filter(|_| self.shown().count() == SHOWN_MAX);
        let from = lowest.map_or(Bound::Unbounded, Bound::Excluded);
        let listed = self.repositories.range((from, Bound::Unbounded)).rev();
        listed.filter(|(_, copy)| copy.said.is_none()).map(|(id, copy)| (*id, copy.full_name.as_str()))
    }

    /// Repositories that did not answer when they were asked last, and that would be shown if they did; with when
    /// that was.
    pub fn gone(&self) -> impl Iterator<Item = (RepoId, &str, Millis)> {
        let from = self.lowest_shown().map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.repositories.range((from, Bound::Unbounded)).rev();
        all.filter_map(|(id, copy)| match &copy.said {
            Some(Said { answer: CopyAnswer::Gone, checked_ms, .. }) => {
                Some((*id, copy.full_name.as_str(), *checked_ms))
            }
            _ => None,
        })
    }

    /// Whether lower ids must be looked for, because too few of those above the floor can be shown.
    pub fn needs_lower(&self) -> bool {
        let above =
            self.repositories.iter().filter(|(id, copy)| number(**id) > self.floor && !copy.is_gone());
        self.floor > 0 && above.take(SHOWN_MAX + SPARE).count() < SHOWN_MAX + SPARE
    }

    /// The lowest id that is shown.
    pub fn lowest_shown(&self) -> Option<RepoId> {
        self.shown().last().map(|(id, ..)| id)
    }

    /// Whether what is shown are the newest public repositories, and everything that is shown of them is known.
    pub fn is_complete(&self) -> bool {
        let is_whole = self.shown().count() == SHOWN_MAX;
        let lowest = self.lowest_shown().map_or(0, number);
        self.listed_ms.is_some()
            && if is_whole { self.floor < lowest } else { self.floor == 0 }
            && self.unasked().next().is_none()
            && self.shown().all(|(_, facts, copy)| facts.has_numbers() && copy.known_languages().is_some())
    }

    /// When the part of what is shown that was checked longest ago was checked; `None` while the list never was.
    pub fn checked_ms(&self) -> Option<Millis> {
        let checks = self.shown().filter_map(|(_, _, copy)| copy.said.as_ref().map(|said| said.checked_ms));
        self.listed_ms.map(|listed| checks.min().map_or(listed, |check| check.min(listed)))
    }

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

    fn copy(&mut self, id: RepoId) -> &mut Copy {
        self.repositories.entry(id).or_default()
    }

    fn list(&mut self, list: &LatestList, asked: &Asked) {
        for (id, full_name) in &list.repositories {
            let copy = self.copy(*id);
            // Of two names the greater, so that the order of lists does not matter; asking by id finds either.
            if copy.full_name < *full_name {
                copy.full_name.clone_from(full_name);
            }
        }
        let was_listed = self.newest > 0;
        if !was_listed || list.after > self.newest {
            (self.floor, self.newest) = (list.after, list.through);
        } else if list.through >= self.floor {
            self.floor = self.floor.min(list.after);
            self.newest = self.newest.max(list.through);
        }
        if list.is_to_the_end {
            self.listed_ms = self.listed_ms.max(Some(asked.asked_ms));
        }
    }

    /// Forgets what will not be shown, lowest ids first. What was forgotten is below the floor from then on.
    fn trim(&mut self) {
        let (mut kept, mut listed, mut gone) = (0, 0, 0);
        let mut forgotten = BTreeSet::new();
        for (id, copy) in self.repositories.iter().rev() {
            let (count, max) = match &copy.said {
                Some(Said { answer: CopyAnswer::Here { .. }, .. }) => (&mut kept, KEPT_MAX),
                Some(Said { answer: CopyAnswer::Gone, .. }) => (&mut gone, GONE_MAX),
                None => (&mut listed, LISTED_MAX),
            };
            *count += 1;
            if *count > max {
                forgotten.insert(*id);
            }
        }
        if let Some(highest) = forgotten.last() {
            self.floor = self.floor.max(number(*highest));
        }
        self.repositories.retain(|id, _| !forgotten.contains(id));
    }
}

impl Copy {
    /// What it told of itself, while it is public.
    pub fn facts(&self) -> Option<&LatestFacts> {
        match &self.said.as_ref()?.answer {
            CopyAnswer::Here { facts, .. } => Some(facts),
            CopyAnswer::Gone => None,
        }
    }

    /// The `ETag` of what it told.
    pub fn etag(&self) -> Option<&str> {
        match &self.said.as_ref()?.answer {
            CopyAnswer::Here { etag, .. } => etag.as_deref(),
            CopyAnswer::Gone => None,
        }
    }

    /// Bytes per language, once told.
    pub fn known_languages(&self) -> Option<&BTreeMap<String, u64>> {
        self.languages.as_ref()?.bytes.as_ref()
    }

    /// Whether its languages are to be asked for; `now` is the forge's second.
    pub fn wants_languages(&self, now: Second) -> bool {
        let Some(facts) = self.facts() else { return false };
        let Some(Languages { at: Moment(_, answered), bytes }) = &self.languages else { return true };
        let changed = facts.pushed_at.max(facts.updated_at).unwrap_or_default();
        let recomputed = Second(changed.0.saturating_add(LANGUAGES_LAG_S));
        let is_told = |language: &String| bytes.as_ref().is_some_and(|bytes| bytes.contains_key(language));
        *answered < changed
            || (*answered < recomputed && now >= recomputed)
            // The forge has told meanwhile that there is one.
            || (bytes.is_some() && !facts.language.as_ref().is_none_or(is_told))
    }

    fn is_gone(&self) -> bool {
        matches!(&self.said, Some(Said { answer: CopyAnswer::Gone, .. }))
    }

    fn hear(&mut self, answer: CopyAnswer, at: &Moment, checked_ms: Millis) {
        let said = match self.said.take() {
            Some(known) if (&known.at, &known.answer) > (at, &answer) => {
                Said { checked_ms: known.checked_ms.max(checked_ms), ..known }
            }
            known => {
                let checked_ms = known.map_or(checked_ms, |known| known.checked_ms.max(checked_ms));
                Said { at: at.clone(), checked_ms, answer }
            }
        };
        self.said = Some(said);
    }

    fn hear_languages(&mut self, languages: Languages) {
        let is_newer = self
            .languages
            .as_ref()
            .is_none_or(|known| (&known.at, &known.bytes) < (&languages.at, &languages.bytes));
        if is_newer {
            self.languages = Some(languages);
        }
    }
}

impl LatestFacts {
    fn has_numbers(&self) -> bool {
        self.size.and(self.forks).and(self.open_issues).and(self.watchers).is_some()
    }
}

/// The number by which lists are ordered. Only GitHub has such lists.
fn number(id: RepoId) -> u64 {
    id.as_github().unwrap_or(0)
}
