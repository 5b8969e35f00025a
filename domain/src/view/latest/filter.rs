//! Which of the newest repositories somebody wants to see.

use std::fmt;

use crate::{
    event::LatestFacts,
    view::latest::{Fragment, Fragments},
};

/// A wish in its one normal form: filters that always select the same are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    name: String,
    language: String,
    license: String,
    /// One bit for each [`Flag`] that is asked for, and one for each that must be set.
    asked: u8,
    set: u8,
}

/// A property that a repository has or has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// It may be forked.
    AllowForking,
    /// Issues or pull requests are open in it; not known counts as none.
    OpenIssues,
    /// It has projects.
    Projects,
    /// It has downloads.
    Downloads,
    /// It has a wiki.
    Wiki,
    /// It has pages.
    Pages,
    /// It has discussions.
    Discussions,
}

/// Some of the repositories that are shown: one bit for each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selection(u128);

/// The form in which texts are compared: without case, in every script.
///
/// Each letter is lower-cased, upper-cased and lower-cased by Unicode's tables, so that `ẞ`, `ß` and `SS` are one, and
/// so are `Σ`, `σ` and `ς`, wherever they stand. Nothing else is made equal: a letter with a combining accent and
/// the one letter that looks the same stay different, as in file names.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

impl Filter {
    /// The name, without the owner's, contains this text. An empty one asks for nothing; so below.
    #[must_use]
    pub fn name(mut self, text: &str) -> Self {
        self.name = fold(text);
        self
    }

    /// The name of one of its languages contains this text.
    #[must_use]
    pub fn language(mut self, text: &str) -> Self {
        self.language = fold(text);
        self
    }

    /// The name of its licence contains this text.
    #[must_use]
    pub fn license(mut self, text: &str) -> Self {
        self.license = fold(text);
        self
    }

    /// The flag is set, or not.
    #[must_use]
    pub fn flag(mut self, flag: Flag, is_set: bool) -> Self {
        self.asked |= flag.bit();
        self.set = if is_set { self.set | flag.bit() } else { self.set & !flag.bit() };
        self
    }

    /// Whether it asks for nothing, so that everything is selected.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// What it takes in memory, beside its own size.
    pub fn text_bytes(&self) -> usize {
        self.name.len() + self.language.len() + self.license.len()
    }

    fn matches(&self, fragment: &Fragment) -> bool {
        let sought = &fragment.sought;
        (sought.flags & self.asked) == self.set
            && sought.name.contains(&self.name)
            && sought.license.contains(&self.license)
            && (self.language.is_empty() || sought.languages.iter().any(|name| name.contains(&self.language)))
    }
}

impl Flag {
    fn bit(self) -> u8 {
        1 << (self as u8)
    }

    /// The flags of a repository.
    pub(super) fn bits(facts: &LatestFacts) -> u8 {
        let features = &facts.features;
        let flags = [
            (Flag::AllowForking, features.allow_forking),
            (Flag::OpenIssues, facts.open_issues.is_some_and(|count| count > 0)),
            (Flag::Projects, features.projects),
            (Flag::Downloads, features.downloads),
            (Flag::Wiki, features.wiki),
            (Flag::Pages, features.pages),
            (Flag::Discussions, features.discussions),
        ];
        flags.iter().filter(|(_, is_set)| *is_set).fold(0, |bits, (flag, _)| bits | flag.bit())
    }
}

impl Fragments {
    /// The repositories that a filter selects.
    pub fn select(&self, filter: &Filter) -> Selection {
        self.choose(|fragment| filter.matches(fragment))
    }

    /// The repositories for which something holds.
    pub fn choose(&self, holds: impl Fn(&Fragment) -> bool) -> Selection {
        let places = self.repositories.iter().enumerate().filter(|(_, fragment)| holds(fragment));
        Selection(places.fold(0, |bits, (place, _)| bits | 1 << place))
    }
}

/// As a number in hexadecimal digits.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl Selection {
    /// The first so many.
    pub fn all(count: usize) -> Self {
        Selection((0..count).fold(0, |bits, place| bits | 1 << place))
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Selection) -> Self {
        Selection(self.0 & other.0)
    }

    /// Whether the one at this place is in it.
    pub fn holds(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case_in_every_script() {
        for (one, other) in [
            ("MIT License", "mit lICENSE"),
            ("ÄÖÜ", "äöü"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ", "οδοσ"),
            ("STRASSE", "straße"),
            ("STRAẞE", "straße"),
            ("ПРИВЕТ", "привет"),
            ("\u{212a}", "k"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in [("é", "e\u{301}"), ("é", "e"), ("c", "c++")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
        let twice = fold("İıſẞΣςǅﬁ");
        assert_eq!(fold(&twice), twice, "a folded text stays as it is");
    }

    #[test]
    fn wishes_that_say_the_same_are_the_same() {
        let one = Filter::default().name("Engine").flag(Flag::Wiki, true).flag(Flag::Pages, false);
        let other = Filter::default().flag(Flag::Pages, false).flag(Flag::Wiki, true).name("eNGINE");
        assert_eq!(one, other);
        assert!(Filter::default().name("").language("").license("").is_empty());
        assert!(!Filter::default().flag(Flag::Wiki, false).is_empty());
    }
}
