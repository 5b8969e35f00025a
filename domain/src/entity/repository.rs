//! A repository, as its owner's stream knows it.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::{
        check::Check,
        commits::Commits,
        dated::{Dated, Reading},
        doubt::{Doubt, LONGEST_MS, QUIET_MS},
        gauge::Gauge,
        languages::Languages,
        pulls::PullTotals,
        visibility::{Turn, Visibility},
    },
    event::{Asked, HiddenWhy, RepositoryReading, Stamp, Told},
    text::Text,
    time::{Millis, Second},
    trail::Places,
    version::Version,
};

/// The encoding of a stored repository. 1 was without `watchers_check`, 2 without `steps`; generations before 2 and 4
/// used them.
const TAG: u8 = 41;

/// What stands for a refusal where the forge answered and left the subscribers out.
const LEFT_OUT: u16 = 404;

/// Former names that still lead here; more would be a rename every few minutes.
const FORMER_NAMES_MAX: usize = 16;

/// What is known of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// The record that first named it.
    pub born_at: Version,
    /// The same moment on our clock.
    pub born_ms: Millis,
    /// When the last delivery about it was received, on our clock; 0 before the first. Questions wait for a
    /// quiet time after it, because the forge's read replicas may lag.
    pub told_ms: Millis,
    /// Whether it may be shown.
    pub visibility: Visibility,
    /// Names, flags and texts.
    pub facts: Facts,
    /// Stars.
    pub stars: Option<Gauge>,
    /// Forks.
    pub forks: Option<Gauge>,
    /// Open issues, pull requests included.
    pub open_issues: Option<Gauge>,
    /// Subscribers, by the answers' `Date`.
    pub watchers: Option<Dated<u64>>,
    /// Head and count of the default branch.
    pub commits: Commits,
    /// Totals of pull requests; their states have rows of their own.
    pub pulls: PullTotals,
    /// Bytes per language.
    pub languages: Languages,
    /// How facts and gauges stand with the forge.
    pub facts_check: Check,
    /// `asked_at` of the newest answer about this one repository; [`Version::NONE`] while only lists told of
    /// it, which leave out the subscribers.
    pub asked_alone_at: Version,
    /// How the subscribers stand with the forge: lists leave them out.
    pub watchers_check: Check,
    /// How the commit pair stands with the forge.
    pub commits_check: Check,
    /// How pull requests stand with the forge.
    pub pulls_check: Check,
    /// How languages stand with the forge.
    pub languages_check: Check,
    /// The newest forge time of anything told about it.
    pub as_of: Second,
    /// Where the next step of each number goes.
    pub steps: Places,
}

/// Names, flags and texts, each with the forge's time of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: Option<Dated<String>>,
    /// Names it had before, the newest last.
    pub former_names: Vec<Dated<String>>,
    /// Its html URL; the login in it is kept once, in the account.
    pub url: Option<Dated<HtmlUrl>>,
    /// Whether it is a fork.
    pub fork: Option<Dated<bool>>,
    /// Whether it is archived.
    pub archived: Option<Dated<bool>>,
    /// The default branch.
    pub default_branch: Option<Dated<String>>,
    /// What it is about.
    pub description: Option<Dated<Option<String>>>,
    /// SPDX id of its licence.
    pub license: Option<Dated<Option<String>>>,
    /// Topics, sorted.
    pub topics: Option<Dated<Vec<String>>>,
    /// When it was made.
    pub created_at: Option<Second>,
    /// The greatest `updated_at` seen.
    pub updated_at: Option<Second>,
    /// The greatest `pushed_at` seen.
    pub pushed_at: Option<Second>,
    /// Raised by a tie.
    pub doubt: Option<Doubt>,
}

/// An html URL that survives a rename of its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HtmlUrl {
    /// What stands before `/owner/name`.
    Under(String),
    /// All of it, where it does not end so.
    Whole(String),
}

impl HtmlUrl {
    fn parse(url: &str, name: Option<&str>) -> Self {
        let base = name
            .and_then(|name| url.strip_suffix(name)?.strip_suffix('/')?.rsplit_once('/'))
            .map(|(base, _owner)| base.to_owned());
        base.map_or_else(|| HtmlUrl::Whole(url.to_owned()), HtmlUrl::Under)
    }

    /// The URL of `name` under its owner's present login.
    pub fn of(&self, login: &str, name: &str) -> String {
        match self {
            HtmlUrl::Under(base) => format!("{base}/{login}/{name}"),
            HtmlUrl::Whole(url) => url.clone(),
        }
    }
}

impl Repository {
    /// A repository of which only the id is known.
    pub fn new(stamp: &Stamp) -> Self {
        Repository {
            born_at: stamp.version,
            born_ms: stamp.received_at,
            told_ms: Millis(0),
            visibility: Visibility::Unknown,
            facts: Facts::default(),
            stars: None,
            forks: None,
            open_issues: None,
            watchers: None,
            commits: Commits::default(),
            pulls: PullTotals::default(),
            languages: Languages::default(),
            facts_check: Check::default(),
            asked_alone_at: Version::NONE,
            watchers_check: Check::default(),
            commits_check: Check::default(),
            pulls_check: Check::default(),
            languages_check: Check::default(),
            as_of: Second(0),
            steps: Places::default(),
        }
    }

    /// The earliest moment to ask about it: once deliveries about it have been quiet for a while, or have
    /// gone on for long. At once where none was received.
    pub fn quiet_from(&self, since_ms: Millis) -> Millis {
        if self.told_ms == Millis(0) {
            return Millis(0);
        }
        self.told_ms.plus(QUIET_MS).min(since_ms.plus(LONGEST_MS))
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

    /// Its present name, if any payload told it.
    pub fn name(&self) -> Option<&str> {
        self.facts.name.as_ref().map(|name| name.value.as_str())
    }

    /// Folds a `repository` object of this account.
    pub fn read(&mut self, reading: &RepositoryReading<'_>, stamp: &Stamp) {
        let visibility = self.visibility;
        if let Some(private) = reading.private {
            let turn = self.visibility.read(private, reading.updated_at, stamp);
            self.turned(turn, stamp);
        }
        let mut changed = self.visibility != visibility;
        changed |= self.facts.read(reading, stamp);
        changed |= self.read_gauges(reading, stamp);
        if let Some(branch) = &reading.default_branch
            && self.commits.default_branch(branch, stamp)
        {
            self.commits_check.changed_at = stamp.version;
        }
        self.seen(reading.as_of);
        match &stamp.told {
            Told::Answer(asked) => {
                self.facts_check.answered(asked);
                if reading.is_whole {
                    // The very first question may be asked before anything of the stream was folded.
                    self.asked_alone_at = self.asked_alone_at.max(asked.asked_at).max(Version::LEAST);
                    match reading.watchers {
                        Some(_) => self.watchers_check.answered(asked),
                        None => self.watchers_check.refused(asked, LEFT_OUT),
                    }
                }
                if self.facts_doubts().next().is_some() {
                    self.facts_check.changed_at = stamp.version;
                }
            }
            Told::Delivery | Told::Command if changed => self.facts_check.changed_at = stamp.version,
            Told::Delivery | Told::Command => {}
        }
    }

    /// The forge was asked about the repository itself, and nothing of it changed.
    pub fn confirmed(&mut self, asked: &Asked) {
        self.facts_check.answered(asked);
        match self.watchers_check.refused {
            Some(status) => self.watchers_check.refused(asked, status),
            None => self.watchers_check.answered(asked),
        }
    }

    /// Every open doubt that an answer about the repository itself settles.
    pub fn facts_doubts(&self) -> impl Iterator<Item = Doubt> {
        let gauges = [self.stars, self.forks, self.open_issues];
        let gauge_doubts = gauges.into_iter().filter_map(|gauge| gauge?.doubt);
        gauge_doubts.chain(self.facts.doubt).chain(self.visibility.doubt())
    }

    fn read_gauges(&mut self, reading: &RepositoryReading<'_>, stamp: &Stamp) -> bool {
        // An answer's gauges without a time of their own are of the moment of the answer.
        let (starred_at, counted_at) = match stamp.told {
            Told::Answer(asked) => (reading.updated_at.unwrap_or(asked.date), asked.date),
            Told::Delivery | Told::Command => (
                reading.updated_at.unwrap_or_default(),
                reading.counted_at.max(reading.clock()).unwrap_or_default(),
            ),
        };
        let mut changed = false;
        for (slot, value, at) in [
            (&mut self.stars, reading.stars, starred_at),
            (&mut self.forks, reading.forks, counted_at),
            (&mut self.open_issues, reading.open_issues, counted_at),
        ] {
            changed |= value.is_some_and(|value| Gauge::read(slot, value, at, stamp));
        }
        if let (Some(watchers), Told::Answer(asked)) = (reading.watchers, stamp.told)
            && Dated::read(&mut self.watchers, watchers, asked.date) == Reading::Tie
        {
            // Two polls within a second: the later answer counts, and no event could tell better.
            self.watchers = Some(Dated { value: watchers, at: asked.date });
        }
        changed
    }

    /// Notes the newest forge time of a payload about it.
    pub fn seen(&mut self, as_of: Option<Second>) {
        self.as_of = self.as_of.max(as_of.unwrap_or_default());
    }

    /// It went private, was deleted or belongs to somebody else.
    pub fn hide(&mut self, why: HiddenWhy, at: Second, stamp: &Stamp) {
        let is_older = matches!(self.visibility, Visibility::Public { at: known, .. } if at < known);
        let turn = self.visibility.hidden(why, at, stamp);
        self.turned(turn, stamp);
        if is_older {
            // Something newer was seen: it may have been restored, or come back. Ask.
            Doubt::raise(&mut self.facts.doubt, stamp);
        }
        self.facts_check.changed_at = stamp.version;
    }

    /// The forge was asked and does not know it, or its installation ended.
    pub fn lose(&mut self, why: HiddenWhy, stamp: &Stamp) {
        let at = match &stamp.told {
            Told::Answer(asked) => {
                self.facts_check.answered(asked);
                Some(asked.date)
            }
            Told::Delivery | Told::Command => None,
        };
        let was_public = self.visibility.is_public();
        let turn = self.visibility.lost(why, at, stamp);
        self.turned(turn, stamp);
        if let Visibility::Hidden(hidden) = &mut self.visibility
            && why == HiddenWhy::Installation
            && was_public
        {
            // Public data stays public: whether it is, only the forge can tell.
            Doubt::raise(&mut hidden.doubt, stamp);
        }
        if was_public && self.visibility.is_public() {
            Doubt::raise(&mut self.facts.doubt, stamp);
        }
        self.facts_check.changed_at = stamp.version;
    }

    /// It was made public.
    pub fn publish(&mut self, at: Second, stamp: &Stamp) {
        let turn = self.visibility.published(at, stamp);
        self.turned(turn, stamp);
        self.facts_check.changed_at = stamp.version;
        if self.visibility.is_public() && turn != Turn::Reopened {
            // It was private without a word, so what was asked meanwhile may have been refused.
            self.doubt_all(stamp);
        }
    }

    fn turned(&mut self, turn: Turn, stamp: &Stamp) {
        if turn == Turn::Reopened {
            self.doubt_all(stamp);
        }
    }

    /// Everything about it must be read again.
    pub fn doubt_all(&mut self, stamp: &Stamp) {
        Doubt::raise(&mut self.facts.doubt, stamp);
        self.commits.raise(stamp);
        Doubt::raise(&mut self.pulls.doubt, stamp);
        self.languages.ask_now(stamp);
        for check in
            [&mut self.facts_check, &mut self.commits_check, &mut self.pulls_check, &mut self.languages_check]
        {
            check.changed_at = stamp.version;
        }
    }
}

impl Facts {
    /// Returns whether anything changed, the doubt included.
    fn read(&mut self, reading: &RepositoryReading<'_>, stamp: &Stamp) -> bool {
        let at = match (reading.clock(), stamp.told) {
            (Some(at), _) => at,
            (None, Told::Answer(asked)) => asked.date,
            // A payload without times only fills gaps; where it differs, that is doubt.
            (None, Told::Delivery | Told::Command) => self.newest(),
        };
        let mut fold = FactsFold { at, stamp: *stamp, doubt: self.doubt, has_older: false, changed: false };
        if let Some(name) = &reading.name {
            self.read_name(name, &mut fold);
        }
        if let Some(url) = &reading.url {
            fold.read(&mut self.url, HtmlUrl::parse(url, reading.name.as_deref()));
        }
        fold.read_opt(&mut self.fork, reading.fork);
        fold.read_opt(&mut self.archived, reading.archived);
        fold.read_opt(&mut self.default_branch, reading.default_branch.as_deref().map(str::to_owned));
        fold.read_opt(&mut self.description, reading.description.as_ref().map(owned));
        fold.read_opt(&mut self.license, reading.license.as_ref().map(owned));
        fold.read_opt(
            &mut self.topics,
            reading.topics.as_ref().map(|topics| {
                let mut topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
                topics.sort_unstable();
                topics
            }),
        );
        let mut changed = fold.changed;
        self.doubt = fold.end();
        let times = (
            self.created_at.or(reading.created_at),
            self.updated_at.max(reading.updated_at),
            self.pushed_at.max(reading.pushed_at),
        );
        changed |= times != (self.created_at, self.updated_at, self.pushed_at);
        (self.created_at, self.updated_at, self.pushed_at) = times;
        changed
    }

    fn newest(&self) -> Second {
        self.updated_at.max(self.pushed_at).unwrap_or_default()
    }

    fn read_name(&mut self, name: &str, fold: &mut FactsFold) {
        let known = self.name.clone();
        let outcome = fold.read(&mut self.name, name.to_owned());
        match (known, outcome) {
            (Some(known), _) if known.value == name => {}
            (Some(known), Reading::Newer) => self.was_called(known.value, known.at),
            (Some(_), Reading::Older) => self.was_called(name.to_owned(), fold.at),
            _ => {}
        }
    }

    /// Notes a former name; the newest sixteen are kept.
    pub fn was_called(&mut self, name: String, at: Second) {
        match self.former_names.iter_mut().find(|former| former.value == name) {
            Some(former) => former.at = former.at.max(at),
            None => self.former_names.push(Dated { value: name, at }),
        }
        self.former_names.sort_by(|a, b| (a.at, &a.value).cmp(&(b.at, &b.value)));
        let surplus = self.former_names.len().saturating_sub(FORMER_NAMES_MAX);
        self.former_names.drain(..surplus);
    }
}

/// One reading on its way through the facts.
struct FactsFold {
    at: Second,
    stamp: Stamp,
    doubt: Option<Doubt>,
    has_older: bool,
    changed: bool,
}

impl FactsFold {
    fn read_opt<T: PartialEq + Clone>(&mut self, slot: &mut Option<Dated<T>>, value: Option<T>) {
        if let Some(value) = value {
            self.read(slot, value);
        }
    }

    fn read<T: PartialEq + Clone>(&mut self, slot: &mut Option<Dated<T>>, value: T) -> Reading {
        let outcome = Dated::read(slot, value.clone(), self.at);
        match outcome {
            Reading::Tie => match self.stamp.told {
                Told::Answer(asked) => match self.doubt {
                    Some(doubt) if doubt.is_answered_by(asked.asked_at) => {
                        *slot = Some(Dated { value, at: self.at });
                    }
                    Some(_) => {}
                    None => Doubt::raise(&mut self.doubt, &self.stamp),
                },
                Told::Delivery | Told::Command => {
                    *slot = Some(Dated { value, at: self.at });
                    Doubt::raise(&mut self.doubt, &self.stamp);
                }
            },
            Reading::Older => self.has_older = true,
            Reading::Newer | Reading::Same => {}
        }
        self.changed |= matches!(outcome, Reading::Newer | Reading::Tie);
        outcome
    }

    /// The doubt that is left: an answer ends one that was raised before it was asked, unless it is older
    /// than a fact at hand.
    fn end(self) -> Option<Doubt> {
        match self.stamp.told {
            Told::Answer(asked) if !self.has_older => {
                self.doubt.filter(|doubt| !doubt.is_answered_by(asked.asked_at))
            }
            _ => self.doubt,
        }
    }
}

fn owned(text: &Option<Text<'_>>) -> Option<String> {
    text.as_ref().map(ToString::to_string)
}
