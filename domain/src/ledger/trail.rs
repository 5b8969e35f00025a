//! What one record changed of a repository's numbers, as rows of its trail.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    entity::{gauge::Gauge, repository::Repository},
    event::{Event, Stamp, Told},
    id::{AccountId, RepoId},
    key::RowKey,
    ledger::cell::Cell,
    row::Row,
    time::Second,
    trail::{Change, Field, Marks, Source},
    view::repository::{PullFigures, are_pulls_doubted, pull_figures},
};

/// Fields of one number each that are told with the repository's row.
const SINGLE: [Field; 5] = [Field::Commits, Field::Stars, Field::Forks, Field::Watchers, Field::OpenIssues];

/// A number, and whether it is in doubt.
type Reading = (Option<u64>, bool);

/// The numbers of a repository when a record began to change it.
#[derive(Debug)]
pub(super) struct Before {
    /// Which.
    pub(super) repo: RepoId,
    /// Whether the record tells of a pull request.
    pub(super) tells_of_pull: bool,
    numbers: Numbers,
}

#[derive(Debug)]
struct Numbers {
    single: [Reading; SINGLE.len()],
    pulls: ([Option<u64>; 4], bool),
    /// What the repository's own row says of pull requests.
    totals: (Option<(u64, u64)>, bool, bool),
    languages: Option<Arc<BTreeMap<String, u64>>>,
}

/// The record that is folded.
#[derive(Clone, Copy)]
pub(super) struct Folded<'a, 'e> {
    pub(super) account: AccountId,
    pub(super) stamp: Stamp,
    pub(super) source: Source<'a>,
    pub(super) events: &'a [Event<'e>],
}

impl Before {
    pub(super) fn of(repo: RepoId, cell: &Cell) -> Self {
        Before { repo, tells_of_pull: false, numbers: Numbers::of(cell) }
    }

    /// Adds a row for each number that the record changed, left in doubt or settled.
    pub(super) fn steps(self, cell: &mut Cell, record: &Folded<'_, '_>, rows: &mut Vec<Row>) {
        let (repo, before, after) = (self.repo, self.numbers, Numbers::of(cell));
        let is_hidden = cell.repo.visibility.is_hidden();
        let mut step = |field, before: &[Option<u64>], after: &[Option<u64>], doubt| {
            let slot = cell.repo.steps.take(field);
            rows.push(record.row(repo, (field, slot), before, after, Marks::new(doubt, is_hidden)));
        };
        for ((field, before), after) in SINGLE.into_iter().zip(before.single).zip(after.single) {
            if before != after {
                step(field, &[before.0], &[after.0], (before.1, after.1));
            }
        }
        if self.tells_of_pull || before.totals != after.totals {
            step(Field::PullRequests, &before.pulls.0, &after.pulls.0, (before.pulls.1, after.pulls.1));
        }
        // Mostly the very same map.
        let is_same = match (&before.languages, &after.languages) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (before, after) => before.is_none() && after.is_none(),
        };
        if !is_same {
            let sum = |languages: Option<Arc<BTreeMap<String, u64>>>| {
                languages.map(|languages| languages.values().sum())
            };
            let (before, after): (Option<u64>, Option<u64>) = (sum(before.languages), sum(after.languages));
            if before != after {
                step(Field::Languages, &[before], &[after], (false, false));
            }
        }
    }
}

impl Numbers {
    fn of(cell: &Cell) -> Self {
        let Repository { commits, stars, forks, watchers, open_issues, pulls, .. } = &cell.repo;
        let gauge = |gauge: &Option<Gauge>| {
            gauge.map_or((None, false), |gauge| (Some(gauge.value), gauge.doubt.is_some()))
        };
        let PullFigures { total, open, merged, closed } = pull_figures(&cell.repo, &cell.states);
        Numbers {
            single: [
                (commits.pair.as_ref().map(|pair| pair.count), commits.doubt.is_some()),
                gauge(stars),
                gauge(forks),
                (watchers.map(|watchers| watchers.value), false),
                gauge(open_issues),
            ],
            pulls: ([total, open, merged, closed], are_pulls_doubted(&cell.repo, &cell.states)),
            totals: (
                pulls.counted.map(|counted| (counted.total, counted.newest)),
                pulls.is_listed(),
                pulls.doubt.is_some(),
            ),
            languages: cell.repo.languages.bytes.clone(),
        }
    }
}

impl Folded<'_, '_> {
    fn row(
        &self,
        repo: RepoId,
        (field, slot): (Field, u8),
        before: &[Option<u64>],
        after: &[Option<u64>],
        marks: Marks,
    ) -> Row {
        // Of a question the place in the log is enough; what was asked says more.
        let (what, id) = match self.stamp.told {
            Told::Answer(_) => (self.asked(repo, field), ""),
            Told::Delivery | Told::Command => (self.source.event, self.source.id),
        };
        let change = Change {
            marks,
            teller: self.stamp.told.into(),
            at: self.forge_time(repo),
            received_ms: self.stamp.received_at,
            before,
            after,
            what,
            id,
        };
        Row {
            key: RowKey::Trail(self.account, repo, field, slot),
            version: self.stamp.version,
            value: change.encode().into(),
        }
    }

    /// The forge's time: of an answer its own, of a delivery the newest in it that is about the repository.
    fn forge_time(&self, repo: RepoId) -> Second {
        if let Told::Answer(asked) = self.stamp.told {
            return asked.date;
        }
        let times = self.events.iter().filter_map(|event| match event {
            Event::Repository(reading) if reading.id == repo => reading.as_of.max(reading.clock()),
            Event::Push(push) if push.repo == repo => push.pushed_at,
            Event::Pull(pull) if pull.repo == repo => Some(pull.updated_at),
            Event::Star(star) if star.repo == repo => Some(star.at),
            _ => None,
        });
        times.max().unwrap_or_default()
    }

    /// What was asked, in the words of payloads.
    fn asked(&self, repo: RepoId, field: Field) -> &'static str {
        let is_told = |event: &Event<'_>| match (field, event) {
            (Field::Commits, Event::Commits(reading)) => reading.repo == repo,
            (
                Field::PullRequests,
                Event::PullCount { repo: of, .. }
                | Event::Pulls { repo: of, .. }
                | Event::PullsListed { repo: of, .. }
                | Event::PullGone { repo: of, .. },
            )
            | (Field::Languages, Event::Languages { repo: of, .. }) => *of == repo,
            _ => false,
        };
        match field {
            Field::Commits if self.events.iter().any(is_told) => "commits",
            Field::PullRequests if self.events.iter().any(is_told) => "pull_requests",
            Field::Languages if self.events.iter().any(is_told) => "languages",
            _ => "repository",
        }
    }
}
