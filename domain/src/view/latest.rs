//! S4's payloads, `/repos` and `/stats`, from ready fragments: each of the newest public repositories rendered once,
//! with what filters and sums look at beside it.
//!
//! Which fragments an answer shows is a [`Selection`]; the answers to all requests that select the same are the same.

mod filter;
mod stats;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    filter::{Filter, Flag, Selection, fold},
    stats::{Payload as Stats, stats},
};
use crate::{
    codec::{self, DecodeError},
    entity::latest::{Copy, Latest, SHOWN_MAX},
    event::LatestFacts,
    id::{AccountId, RepoId},
    time::{Millis, Second},
    view::body::{Body, Meta, Stored, hash},
};

/// The encoding of the stored fragments.
const TAG: u8 = 1;

/// The newest public repositories, ready to be joined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fragments {
    /// When the list of public repositories was last read to its end, on our clock.
    pub listed_ms: Option<Millis>,
    /// Newest first; at most [`SHOWN_MAX`].
    pub repositories: Vec<Fragment>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    pub owner: Option<AccountId>,
    /// Its object in `/repos`.
    pub json: String,
    /// The newest `*_at` field in it.
    pub as_of: Second,
    /// What filters look at.
    sought: Sought,
    /// What `/stats` sums.
    summed: Summed,
}

/// What filters look at: texts are [folded](fold).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sought {
    name: String,
    /// The primary one and all others.
    languages: Vec<String>,
    license: String,
    /// One bit for each [`Flag`].
    flags: u8,
}

/// What `/stats` sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Summed {
    language: String,
    license: String,
    forks: Option<u64>,
    open_issues: Option<u64>,
    size: Option<u64>,
}

/// S4's `/repos`: the newest first. Answers are joined from ready fragments, so that no value is ever built of it.
#[cfg(feature = "schema")]
#[derive(utoipa::ToSchema)]
#[schema(as = Repos)]
#[expect(dead_code, reason = "it describes bytes that are joined")]
pub struct Repos {
    repositories: Vec<Json<'static>>,
}

/// One of the newest public repositories. What is not known is `null` or, of texts, empty.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LatestRepository))]
struct Json<'a> {
    id: u64,
    name: &'a str,
    full_name: String,
    owner: &'a str,
    repository: &'a str,
    html_url: &'a str,
    description: &'a str,
    languages_url: &'a str,
    created_at: Option<String>,
    updated_at: Option<String>,
    size: Option<u64>,
    language: &'a str,
    languages: BTreeMap<&'a str, Bytes>,
    license: &'a str,
    forks_count: Option<u64>,
    open_issues_count: Option<u64>,
    watchers_count: Option<u64>,
    allow_forking: bool,
    has_issues: bool,
    has_projects: bool,
    has_downloads: bool,
    has_wiki: bool,
    has_pages: bool,
    has_discussions: bool,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LanguageBytes))]
struct Bytes {
    bytes: u64,
}

impl Fragments {
    /// Renders what is shown.
    pub fn of(latest: &Latest) -> Self {
        Fragments {
            listed_ms: latest.listed_ms,
            repositories: latest.shown().map(|(id, facts, copy)| Fragment::of(id, facts, copy)).collect(),
        }
    }

    /// The row's value: fragments, compressed, with what the answers' headers need.
    pub fn stored(latest: &Latest) -> Stored {
        let fragments = Fragments::of(latest);
        let payload = fragments.encode();
        let meta = Meta {
            hash: hash(&payload),
            length: u32::try_from(payload.len()).expect("a hundred repositories are far below 4 GiB"),
            as_of: fragments.as_of(Selection::all(fragments.repositories.len())),
            checked_ms: latest.checked_ms(),
            complete: latest.is_complete(),
            name: String::new(),
        };
        Stored::Body(Body::new(&payload, meta))
    }

    /// The payload of the stored row.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the payload of a stored row.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let fragments: Fragments = codec::decode(TAG, payload)?;
        // A selection has no room for more.
        if fragments.repositories.len() > SHOWN_MAX { Err(DecodeError::Damaged) } else { Ok(fragments) }
    }

    /// The repositories of a selection, newest first.
    pub fn selected(&self, selection: Selection) -> impl Iterator<Item = &Fragment> {
        self.repositories
            .iter()
            .enumerate()
            .filter(move |(place, _)| selection.holds(*place))
            .map(|(_, it)| it)
    }

    /// The newest `*_at` field of a selection.
    pub fn as_of(&self, selection: Selection) -> Second {
        self.selected(selection).map(|fragment| fragment.as_of).max().unwrap_or_default()
    }

    /// `/repos` of a selection.
    pub fn repos(&self, selection: Selection) -> Vec<u8> {
        const HEAD: &[u8] = br#"{"repositories":["#;
        let length: usize = self.selected(selection).map(|fragment| fragment.json.len() + 1).sum();
        let mut payload = Vec::with_capacity(length + HEAD.len() + 2);
        payload.extend_from_slice(HEAD);
        for (place, fragment) in self.selected(selection).enumerate() {
            if place > 0 {
                payload.push(b',');
            }
            payload.extend_from_slice(fragment.json.as_bytes());
        }
        payload.extend_from_slice(b"]}");
        payload
    }
}

impl Fragment {
    fn of(id: RepoId, facts: &LatestFacts, copy: &Copy) -> Self {
        let languages = copy.known_languages();
        let language = facts.language.as_deref().unwrap_or_default();
        let license = facts.license.as_deref().unwrap_or_default();
        let all = languages.into_iter().flatten();
        let names = all.clone().map(|(name, _)| name.as_str());
        let known = names.chain((!language.is_empty()).then_some(language));
        let mut sought: Vec<String> = known.map(fold).collect();
        sought.sort();
        sought.dedup();
        let json = Json {
            id: id.as_github().unwrap_or_default(),
            name: &facts.name,
            full_name: format!("{}/{}", facts.owner, facts.name),
            owner: &facts.owner,
            repository: &facts.name,
            html_url: &facts.html_url,
            description: facts.description.as_deref().unwrap_or_default(),
            languages_url: &facts.languages_url,
            created_at: facts.created_at.map(|at| at.to_string()),
            updated_at: facts.updated_at.map(|at| at.to_string()),
            size: facts.size,
            language,
            languages: all.map(|(name, bytes)| (name.as_str(), Bytes { bytes: *bytes })).collect(),
            license,
            forks_count: facts.forks,
            open_issues_count: facts.open_issues,
            watchers_count: facts.watchers,
            allow_forking: facts.features.allow_forking,
            has_issues: facts.features.issues,
            has_projects: facts.features.projects,
            has_downloads: facts.features.downloads,
            has_wiki: facts.features.wiki,
            has_pages: facts.features.pages,
            has_discussions: facts.features.discussions,
        };
        Fragment {
            id,
            owner: facts.owner_id,
            json: serde_json::to_string(&json).expect("plain values serialize"),
            as_of: facts.created_at.max(facts.updated_at).unwrap_or_default(),
            sought: Sought {
                name: fold(&facts.name),
                languages: sought,
                license: fold(license),
                flags: Flag::bits(facts),
            },
            summed: Summed {
                language: language.to_owned(),
                license: license.to_owned(),
                forks: facts.forks,
                open_issues: facts.open_issues,
                size: facts.size,
            },
        }
    }
}
