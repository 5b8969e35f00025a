//! `/v1/accounts/{login}/gists`, and what S2 shows of new gists.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::gists::{Gist, Gists},
    time::Second,
    version::Version,
    view::{
        body::{Body, Meta, Stored, hash},
        freshness::{Freshness, Missing, Reason},
    },
};

/// The encoding of stored items.
const TAG: u8 = 1;

/// An account's public gists, the newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountGists))]
pub struct Payload<'a> {
    gists: Vec<Shown<'a>>,
    freshness: Freshness<'a>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Gist))]
struct Shown<'a> {
    /// The forge's own id.
    id: &'a str,
    /// The address of its page.
    url: &'a str,
    description: Option<&'a str>,
    /// By name.
    files: Vec<ShownFile<'a>>,
    created_at: Option<String>,
    updated_at: String,
    /// When it was first seen here.
    first_seen_at: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = GistFile))]
struct ShownFile<'a> {
    filename: &'a str,
    language: Option<&'a str>,
    /// Bytes.
    size: Option<u64>,
    raw_url: &'a str,
}

/// A file of a gist that is new to its user, as S2 shows it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = NewGistFile))]
pub struct NewFile<'a> {
    /// The gist's id.
    id: &'a str,
    /// Its owner's login.
    owner: &'a str,
    filename: &'a str,
    raw_url: &'a str,
}

/// The view of an account's gists; [`Stored::Gone`] while nobody wants them.
pub fn render(gists: &Gists) -> Stored {
    if !gists.is_wanted() || gists.polled.is_none() {
        return Stored::Gone;
    }
    let mut present: Vec<(&String, &Gist)> = gists.present().collect();
    present.sort_by(|(id, gist), (other_id, other)| {
        (other.facts.created_at, other_id).cmp(&(gist.facts.created_at, id))
    });
    let as_of = present.iter().map(|(_, gist)| gist.facts.updated_at).max().unwrap_or_default();
    let reason = match (gists.refused, gists.polled) {
        (Some(_), _) => Some(Reason::Refused),
        (None, Some(polled)) if polled.asked_at >= gists.wanted_at => None,
        (None, _) => Some(Reason::Loading),
    };
    let missing = reason.map(|reason| Missing { field: "gists", repository: None, reason });
    let freshness = Freshness::new(as_of, missing.into_iter());
    let complete = freshness.is_complete();
    let payload = Payload { gists: present.into_iter().map(shown).collect(), freshness };
    let payload = serde_json::to_vec(&payload).expect("a payload of plain values serializes");
    let meta = Meta {
        hash: hash(&payload),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        as_of,
        checked_ms: gists.polled.map(|polled| polled.asked_ms),
        complete,
        name: String::new(),
    };
    Stored::Body(Body::new(&payload, meta))
}

fn shown<'a>((id, gist): (&'a String, &'a Gist)) -> Shown<'a> {
    let facts = &gist.facts;
    let file = |file: &'a crate::event::GistFile| ShownFile {
        filename: &file.filename,
        language: file.language.as_deref(),
        size: file.size,
        raw_url: &file.raw_url,
    };
    Shown {
        id,
        url: &facts.url,
        description: facts.description.as_deref(),
        files: facts.files.iter().map(file).collect(),
        created_at: facts.created_at.map(|at: Second| at.to_string()),
        updated_at: facts.updated_at.to_string(),
        first_seen_at: gist.first_seen_ms.to_second().to_string(),
    }
}

/// What S2 shows of an account's gists, ready to be cut by what a user has seen: the files of every gist that was ever
/// new, by the record that first showed it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Items {
    /// The first record of each run, and the JSON objects of its files.
    runs: Vec<(Version, Vec<String>)>,
}

impl Items {
    /// Renders them. Gists that were deleted stay: they may not have been shown yet.
    pub fn of(gists: &Gists) -> Self {
        let mut new: Vec<(&String, &Gist)> = gists.gists.iter().collect();
        new.sort_by_key(|(id, gist)| (gist.first_seen, gist.facts.created_at, *id));
        let mut runs: Vec<(Version, Vec<String>)> = Vec::new();
        for (id, gist) in new {
            let owner = gist.facts.owner.as_str();
            let files = gist.items.iter().map(|item| {
                let file = NewFile { id, owner, filename: &item.filename, raw_url: &item.raw_url };
                serde_json::to_string(&file).expect("a file of plain values serializes")
            });
            match runs.last_mut() {
                Some((version, run)) if *version == gist.first_seen => run.extend(files),
                _ => runs.push((gist.first_seen, files.collect())),
            }
        }
        Items { runs }
    }

    /// The JSON array of what came after a visit that saw everything up to `seen`.
    pub fn since(&self, seen: Version) -> String {
        let new = self.runs.iter().filter(|(version, _)| *version > seen);
        let files: Vec<&str> = new.flat_map(|(_, files)| files).map(String::as_str).collect();
        format!("[{}]", files.join(","))
    }

    /// The newest record that showed anything new.
    pub fn newest(&self) -> Version {
        self.runs.last().map_or(Version::NONE, |(version, _)| *version)
    }

    /// The stored form.
    pub fn encode(&self) -> Bytes {
        codec::encode(TAG, self).into()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }
}
