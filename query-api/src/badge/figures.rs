//! What images show, read from ready payloads.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::text;

/// A number of a repository, by its name in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Commits,
    PullRequests,
    OpenPullRequests,
    MergedPullRequests,
    ClosedPullRequests,
    Stars,
    Forks,
    Watchers,
    OpenIssues,
    Language,
}

/// Name in paths, words on the badge, colour. White letters are readable on each (WCAG AA).
const FIELDS: [(Field, &str, &str, &str); 10] = [
    (Field::Commits, "commits", "commits", "#0969da"),
    (Field::PullRequests, "pull_requests", "pull requests", "#8250df"),
    (Field::OpenPullRequests, "open_pull_requests", "open pull requests", "#1a7f37"),
    (Field::MergedPullRequests, "merged_pull_requests", "merged pull requests", "#8250df"),
    (Field::ClosedPullRequests, "closed_pull_requests", "closed pull requests", "#cf222e"),
    (Field::Stars, "stars", "stars", "#9a6700"),
    (Field::Forks, "forks", "forks", "#0969da"),
    (Field::Watchers, "watchers", "watchers", "#57606a"),
    (Field::OpenIssues, "open_issues", "open issues", "#1a7f37"),
    (Field::Language, "language", "language", "#bc4c00"),
];

impl Field {
    /// The field of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(_, known, _, _)| *known == name).map(|(field, ..)| *field)
    }

    pub(crate) fn label(self) -> &'static str {
        self.row().2
    }

    pub(super) fn colour(self) -> &'static str {
        self.row().3
    }

    fn row(self) -> &'static (Field, &'static str, &'static str, &'static str) {
        FIELDS.iter().find(|(field, ..)| *field == self).expect("every field is listed")
    }
}

/// What a card shows; numbers as they are written, `None` while they are not known.
pub(crate) struct Account {
    pub(super) login: String,
    pub(super) name: Option<String>,
    pub(super) numbers: Numbers,
    /// Those used most, with their parts of all bytes.
    pub(super) languages: Vec<(String, f64)>,
}

#[derive(Deserialize)]
struct RepositoryPayload {
    counts: Counts,
    languages: Option<Languages>,
}

#[derive(Deserialize)]
struct Counts {
    commits: Option<u64>,
    pull_requests: Pulls,
    stars: Option<u64>,
    forks: Option<u64>,
    watchers: Option<u64>,
    open_issues: Option<u64>,
}

#[derive(Deserialize)]
struct Pulls {
    total: Option<u64>,
    open: Option<u64>,
    merged: Option<u64>,
    closed: Option<u64>,
}

type Languages = BTreeMap<String, Share>;

#[derive(Deserialize)]
struct Share {
    bytes: u64,
    share: f64,
}

#[derive(Deserialize)]
struct AccountPayload {
    account: About,
    totals: Totals,
}

#[derive(Deserialize)]
struct About {
    login: String,
    name: Option<String>,
    followers: Option<u64>,
}

#[derive(Deserialize)]
struct Totals {
    repositories: Repositories,
    commits: Option<u64>,
    pull_requests: Pulls,
    stars: Option<u64>,
    forks: Option<u64>,
    languages: Languages,
}

#[derive(Deserialize)]
struct Repositories {
    original: u64,
    forked: u64,
}

/// A number of a repository as it is written; `Some(None)` while it is not known, `None` when the payload cannot be
/// read.
pub(super) fn of_repository(payload: &[u8], field: Field) -> Option<Option<String>> {
    let RepositoryPayload { counts, languages } = serde_json::from_slice(payload).ok()?;
    let number = match field {
        Field::Commits => counts.commits,
        Field::PullRequests => counts.pull_requests.total,
        Field::OpenPullRequests => counts.pull_requests.open,
        Field::MergedPullRequests => counts.pull_requests.merged,
        Field::ClosedPullRequests => counts.pull_requests.closed,
        Field::Stars => counts.stars,
        Field::Forks => counts.forks,
        Field::Watchers => counts.watchers,
        Field::OpenIssues => counts.open_issues,
        Field::Language => {
            let name = |languages| most_used(languages, 1).pop().map_or("none".to_owned(), |(name, _)| name);
            return Some(languages.map(name));
        }
    };
    Some(number.map(text::number))
}

/// Each with its word.
type Numbers = [(&'static str, Option<String>); 6];

impl Account {
    /// The words of the numbers, in their order.
    pub(crate) const LABELS: [&'static str; 6] =
        ["Commits", "Pull requests", "Stars", "Repositories", "Forks", "Followers"];

    /// Reads what is shown of an account; `None` when the payload cannot be read.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        /// More would not fit a card.
        const LANGUAGES_MAX: usize = 3;
        let AccountPayload { account, totals } = serde_json::from_slice(payload).ok()?;
        let numbers = [
            totals.commits,
            totals.pull_requests.total,
            totals.stars,
            Some(totals.repositories.original + totals.repositories.forked),
            totals.forks,
            account.followers,
        ];
        let written = |place: usize| (Self::LABELS[place], numbers[place].map(text::number));
        Some(Account {
            numbers: std::array::from_fn(written),
            login: account.login,
            name: account.name.filter(|name| !name.trim().is_empty()),
            languages: most_used(totals.languages, LANGUAGES_MAX),
        })
    }

    /// The numbers as they are written, each with its word; `None` while it is not known.
    pub(crate) fn numbers(&self) -> &[(&'static str, Option<String>)] {
        &self.numbers
    }
}

fn most_used(languages: Languages, count: usize) -> Vec<(String, f64)> {
    let mut languages: Vec<_> = languages.into_iter().filter(|(_, used)| used.bytes > 0).collect();
    languages.sort_by(|(one, used), (other, by)| by.bytes.cmp(&used.bytes).then_with(|| one.cmp(other)));
    languages.into_iter().take(count).map(|(name, used)| (name, used.share)).collect()
}
