//! A repository with all that S4 shows of it. Deliveries are read with the smaller `repository`, which is on their
//! way; this one is only asked for.

use domain::{
    AccountId, RepoId, Second, Text,
    event::{LatestFacts, LatestFeatures},
};
use serde::Deserialize;

use super::{Account, Field, object, text::halves};

/// A repository as an answer tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PublicRepository<'a> {
    id: Field<u64>,
    #[serde(borrow)]
    owner: Field<Account<'a>>,
    #[serde(borrow)]
    name: Field<Text<'a>>,
    #[serde(borrow)]
    full_name: Field<Text<'a>>,
    #[serde(borrow)]
    html_url: Field<Text<'a>>,
    #[serde(borrow)]
    languages_url: Field<Text<'a>>,
    private: Field<bool>,
    #[serde(borrow)]
    visibility: Field<Text<'a>>,
    #[serde(borrow)]
    description: Field<Text<'a>>,
    created_at: Field<Second>,
    updated_at: Field<Second>,
    pushed_at: Field<Second>,
    size: Field<u64>,
    #[serde(borrow)]
    language: Field<Text<'a>>,
    #[serde(borrow)]
    license: Field<License<'a>>,
    forks_count: Field<u64>,
    open_issues_count: Field<u64>,
    watchers_count: Field<u64>,
    allow_forking: Field<bool>,
    has_issues: Field<bool>,
    has_projects: Field<bool>,
    has_downloads: Field<bool>,
    has_wiki: Field<bool>,
    has_pages: Field<bool>,
    has_discussions: Field<bool>,
}
object!(PublicRepository<'a>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct License<'a> {
    #[serde(borrow)]
    name: Field<Text<'a>>,
    #[serde(borrow)]
    spdx_id: Field<Text<'a>>,
    #[serde(borrow)]
    key: Field<Text<'a>>,
}
object!(License<'a>);

impl PublicRepository<'_> {
    /// Its id.
    pub(crate) fn id(&self) -> Option<RepoId> {
        self.id.get().map(RepoId::github)
    }

    /// Whether everybody may see it; where two fields differ, they may not.
    pub(crate) fn is_public(&self) -> bool {
        let is_visible = self.visibility.value().is_none_or(|visibility| visibility.as_str() == "public");
        is_visible && !self.private.get().unwrap_or(false)
    }

    /// `owner/name`; empty where it is not told.
    pub(crate) fn full_name(&self) -> String {
        own(self.full_name.value()).unwrap_or_default()
    }

    /// What S4 shows; `None` without an id, a name and an owner.
    pub(crate) fn facts(&self) -> Option<LatestFacts> {
        let halves = self.full_name.value().and_then(|name| halves(name, '/'));
        let owner = self.owner.value();
        let login = owner.and_then(|owner| owner.login.value()).cloned();
        Some(LatestFacts {
            id: self.id()?,
            owner_id: owner.and_then(|owner| owner.id.get()).map(AccountId::github),
            owner: login.or_else(|| halves.clone().map(|(owner, _)| owner))?.into_string(),
            name: self.name.value().cloned().or_else(|| halves.map(|(_, name)| name))?.into_string(),
            html_url: own(self.html_url.value()).unwrap_or_default(),
            languages_url: own(self.languages_url.value()).unwrap_or_default(),
            description: own(self.description.value()),
            created_at: self.created_at.get(),
            updated_at: self.updated_at.get(),
            pushed_at: self.pushed_at.get(),
            size: self.size.get(),
            language: own(self.language.value()),
            license: self.license.value().and_then(|license| {
                own(license.name.value().or(license.spdx_id.value()).or(license.key.value()))
            }),
            forks: self.forks_count.get(),
            open_issues: self.open_issues_count.get(),
            watchers: self.watchers_count.get(),
            features: LatestFeatures {
                allow_forking: self.allow_forking.get().unwrap_or(false),
                issues: self.has_issues.get().unwrap_or(false),
                projects: self.has_projects.get().unwrap_or(false),
                downloads: self.has_downloads.get().unwrap_or(false),
                wiki: self.has_wiki.get().unwrap_or(false),
                pages: self.has_pages.get().unwrap_or(false),
                discussions: self.has_discussions.get().unwrap_or(false),
            },
        })
    }
}

fn own(text: Option<&Text<'_>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}
