//! `/v1/repos/{owner}/{name}`, and what a repository adds to its account's payloads.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    entity::{check::Check, gauge::Gauge, pulls::PullStates, repository::Repository},
    id::{Forge, RepoId},
    time::{Millis, Second},
    version::Version,
    view::freshness::{Freshness, Missing, Reason},
};

/// What a public repository shows, derived once per change.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// `owner/name`.
    pub full_name: String,
    /// Its name.
    pub name: String,
    /// The html URL.
    pub url: String,
    /// Whether it is a fork.
    pub fork: bool,
    /// Commits on the default branch.
    pub commits: Option<u64>,
    /// Pull requests.
    pub pulls: PullFigures,
    /// Stars.
    pub stars: Option<u64>,
    /// Forks.
    pub forks: Option<u64>,
    /// Subscribers.
    pub watchers: Option<u64>,
    /// Open issues and pull requests.
    pub open_issues: Option<u64>,
    /// Bytes per language.
    pub languages: Option<Arc<BTreeMap<String, u64>>>,
    /// Topics, sorted.
    pub topics: Vec<String>,
    /// The newest forge time of anything told about it.
    pub as_of: Second,
    /// What is not (fully) known.
    pub missing: Vec<(&'static str, Reason)>,
    /// Whether name, commits and the total of pull requests are known and none is in doubt.
    pub payload_is_complete: bool,
    /// When the part that was checked longest ago was checked.
    pub checked_ms: Option<Millis>,
    /// The same for names, commits and pull requests alone.
    pub payload_checked_ms: Option<Millis>,
    /// Whether stars, watchers, languages and topics are known and none is in doubt.
    pub summary_is_complete: bool,
    /// When the part of those that was checked longest ago was checked.
    pub summary_checked_ms: Option<Millis>,
}

/// Numbers of pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PullRequests))]
pub struct PullFigures {
    /// In all states.
    pub total: Option<u64>,
    /// Open.
    pub open: Option<u64>,
    /// Merged.
    pub merged: Option<u64>,
    /// Closed without merge.
    pub closed: Option<u64>,
}

impl Figures {
    /// Derives what is shown of a repository; `None` while it has no name or is not public.
    pub fn of(repo: &Repository, states: &PullStates, login: &str, forge: Forge) -> Option<Self> {
        if !repo.visibility.is_public() {
            return None;
        }
        let name = repo.name()?.to_owned();
        let pulls = pull_figures(repo, states);
        let mut missing = missing(repo, states, &pulls);
        missing.retain(|(field, _)| is_told(field, forge));
        let summary_is_complete = !missing.iter().any(|(field, _)| SUMMARY_FIELDS.contains(field));
        let summary_checked_ms = oldest(&[&repo.facts_check, &repo.watchers_check, &repo.languages_check]);
        let commits = repo.commits.pair.as_ref().map(|pair| pair.count);
        let payload_is_complete = repo.facts.doubt.is_none()
            && commits.is_some()
            && repo.commits.doubt.is_none()
            && repo.commits_check.refused.is_none()
            && pulls.total.is_some()
            && !pulls_are_in_doubt(repo, states)
            && repo.pulls_check.refused.is_none();
        let payload_checked_ms = oldest(&[&repo.facts_check, &repo.commits_check, &repo.pulls_check]);
        Some(Figures {
            full_name: format!("{login}/{name}"),
            url: match &repo.facts.url {
                Some(url) => url.value.of(login, &name),
                None => String::new(),
            },
            name,
            fork: repo.facts.fork.as_ref().is_some_and(|fork| fork.value),
            commits,
            pulls,
            stars: repo.stars.map(|gauge| gauge.value),
            forks: repo.forks.map(|gauge| gauge.value),
            watchers: repo.watchers.map(|watchers| watchers.value),
            open_issues: repo.open_issues.map(|gauge| gauge.value),
            languages: repo.languages.bytes.clone(),
            topics: repo.facts.topics.as_ref().map(|topics| topics.value.clone()).unwrap_or_default(),
            as_of: repo.as_of,
            missing,
            payload_is_complete,
            checked_ms: match forge {
                Forge::GitHub => oldest(&[&repo.languages_check]).min(payload_checked_ms),
                Forge::Bitbucket => summary_checked_ms,
            },
            payload_checked_ms,
            summary_is_complete,
            summary_checked_ms,
        })
    }
}

/// The gaps that make a summary incomplete.
const SUMMARY_FIELDS: [&str; 4] = ["repository", "counts.stars", "counts.watchers", "languages"];

/// Whether a forge tells such a number at all. Of a Bitbucket repository nobody asks for more than its summary.
fn is_told(field: &str, forge: Forge) -> bool {
    match forge {
        Forge::GitHub => true,
        Forge::Bitbucket => matches!(field, "repository" | "counts.watchers" | "languages"),
    }
}

/// When the check that is longest ago was; `None` if one never was.
fn oldest(checks: &[&Check]) -> Option<Millis> {
    checks.iter().map(|check| (check.checked_ms > Millis(0)).then_some(check.checked_ms)).min().flatten()
}

/// Numbers of pull requests, as far as they are known.
pub(crate) fn pull_figures(repo: &Repository, states: &PullStates) -> PullFigures {
    if repo.pulls.is_listed() {
        let counts = states.counts();
        return PullFigures {
            total: Some(counts.total()),
            open: Some(counts.open),
            merged: Some(counts.merged),
            closed: Some(counts.closed),
        };
    }
    let total =
        repo.pulls.counted.map(|counted| counted.total.saturating_add(states.known_above(counted.newest)));
    PullFigures { total, ..PullFigures::default() }
}

fn pulls_are_in_doubt(repo: &Repository, states: &PullStates) -> bool {
    repo.pulls.doubt.is_some() || repo.pulls.is_contradicted_by(states)
}

/// Whether any number of pull requests may be wrong.
pub(crate) fn are_pulls_doubted(repo: &Repository, states: &PullStates) -> bool {
    pulls_are_in_doubt(repo, states) || !states.doubts().is_empty()
}

fn missing(repo: &Repository, states: &PullStates, pulls: &PullFigures) -> Vec<(&'static str, Reason)> {
    let gauge = |gauge: &Option<Gauge>| Standing {
        is_known: gauge.is_some(),
        is_doubted: gauge.is_some_and(|gauge| gauge.doubt.is_some()),
    };
    let commits =
        Standing { is_known: repo.commits.pair.is_some(), is_doubted: repo.commits.doubt.is_some() };
    let pulls = Standing { is_known: pulls.open.is_some(), is_doubted: are_pulls_doubted(repo, states) };
    let facts = Standing { is_known: !repo.facts_check.is_unasked(), is_doubted: repo.facts.doubt.is_some() };
    let asked = |is_known: bool| Standing { is_known, is_doubted: false };
    let mut watchers = asked(repo.watchers.is_some()).gap(&repo.facts_check);
    if watchers == Some(Reason::Loading) && repo.asked_alone_at > Version::NONE {
        // It was asked and left them out.
        watchers = Some(Reason::Refused);
    }
    if watchers.is_none() && repo.watchers_check.refused.is_some() {
        // Once known, and left out since.
        watchers = Some(Reason::Refused);
    }
    [
        ("repository", facts.gap(&repo.facts_check)),
        ("counts.commits", commits.gap(&repo.commits_check)),
        ("counts.pull_requests", pulls.gap(&repo.pulls_check)),
        ("counts.stars", gauge(&repo.stars).gap(&repo.facts_check)),
        ("counts.forks", gauge(&repo.forks).gap(&repo.facts_check)),
        ("counts.watchers", watchers),
        ("counts.open_issues", gauge(&repo.open_issues).gap(&repo.facts_check)),
        ("languages", asked(repo.languages.bytes.is_some()).gap(&repo.languages_check)),
    ]
    .into_iter()
    .filter_map(|(field, gap)| gap.map(|reason| (field, reason)))
    .collect()
}

/// Whether a number is known, and doubted.
struct Standing {
    is_known: bool,
    is_doubted: bool,
}

impl Standing {
    fn gap(&self, check: &Check) -> Option<Reason> {
        match (check.refused, self.is_doubted, self.is_known) {
            (Some(_), _, _) => Some(Reason::Refused),
            (None, true, _) => Some(Reason::Recounting),
            (None, false, false) => Some(Reason::Loading),
            (None, false, true) => None,
        }
    }
}

/// Languages with their share of all bytes.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = BTreeMap<String, Language>))]
pub struct Languages<'a>(pub &'a BTreeMap<String, u64>);

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct Language {
    bytes: u64,
    /// From 0 to 1.
    share: f64,
}

impl Serialize for Languages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let total: u64 = self.0.values().sum();
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, &bytes) in self.0 {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
            let share = if total == 0 { 0.0 } else { bytes as f64 / total as f64 };
            map.serialize_entry(name, &Language { bytes, share })?;
        }
        map.end()
    }
}

/// A repository with its counts.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RepositoryPayload))]
pub struct Payload<'a> {
    repository: About<'a>,
    counts: Counts,
    languages: Option<Languages<'a>>,
    freshness: Freshness<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Repository))]
struct About<'a> {
    /// The forge's own id.
    id: JsonId,
    /// `owner/name`.
    full_name: &'a str,
    /// The address of its page.
    url: &'a str,
    description: Option<&'a str>,
    visibility: &'static str,
    fork: bool,
    archived: bool,
    default_branch: Option<&'a str>,
    /// An SPDX id.
    license: Option<&'a str>,
    topics: &'a [String],
    created_at: Option<String>,
    updated_at: Option<String>,
    pushed_at: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RepositoryCounts))]
struct Counts {
    /// On the default branch.
    commits: Option<u64>,
    pull_requests: PullFigures,
    stars: Option<u64>,
    forks: Option<u64>,
    /// Subscribers.
    watchers: Option<u64>,
    /// As the forge counts them: pull requests included.
    open_issues: Option<u64>,
}

/// An id as its forge writes it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ForgeId))]
#[serde(untagged)]
pub enum JsonId {
    /// GitHub's.
    Number(u64),
    /// Bitbucket's.
    Text(String),
}

impl JsonId {
    /// The number, where there is one; else the text.
    pub fn of(number: Option<u64>, id: impl std::fmt::Display) -> Self {
        number.map_or_else(|| JsonId::Text(id.to_string()), JsonId::Number)
    }
}

/// Renders `/v1/repos/{owner}/{name}`; returns the payload and whether it is complete. `owner_gap` says why what
/// the owner's stream holds of its repositories may be wrong.
pub fn render(
    id: RepoId,
    repo: &Repository,
    figures: &Figures,
    owner_gap: Option<Reason>,
) -> (Vec<u8>, bool) {
    let time = |time: Option<Second>| time.map(|time| time.to_string());
    let facts = &repo.facts;
    let full_name = figures.full_name.as_str();
    let own = figures.missing.iter().copied();
    let owners = owner_gap.map(|reason| ("repository", reason));
    let owners = owners.filter(|(field, _)| figures.missing.iter().all(|(own, _)| own != field));
    let freshness = Freshness::new(
        figures.as_of,
        owners.into_iter().chain(own).map(|(field, reason)| Missing {
            field,
            repository: Some(full_name),
            reason,
        }),
    );
    let is_complete = freshness.is_complete();
    let payload = Payload {
        repository: About {
            id: JsonId::of(id.as_github(), id),
            full_name,
            url: &figures.url,
            description: facts.description.as_ref().and_then(|text| text.value.as_deref()),
            visibility: "public",
            fork: figures.fork,
            archived: facts.archived.as_ref().is_some_and(|archived| archived.value),
            default_branch: facts.default_branch.as_ref().map(|branch| branch.value.as_str()),
            license: facts.license.as_ref().and_then(|license| license.value.as_deref()),
            topics: &figures.topics,
            created_at: time(facts.created_at),
            updated_at: time(facts.updated_at),
            pushed_at: time(facts.pushed_at),
        },
        counts: Counts {
            commits: figures.commits,
            pull_requests: figures.pulls,
            stars: figures.stars,
            forks: figures.forks,
            watchers: figures.watchers,
            open_issues: figures.open_issues,
        },
        languages: figures.languages.as_deref().map(Languages),
        freshness,
    };
    (serde_json::to_vec(&payload).expect("a payload of plain values serializes"), is_complete)
}
