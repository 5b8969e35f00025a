//! Readings that outlive the answer they were read from.

use std::borrow::Cow;

use domain::{
    Text,
    event::{OwnerReading, ProfileReading, RepositoryReading},
};

pub(crate) fn text(text: Text<'_>) -> Text<'static> {
    Text(Cow::Owned(text.into_string()))
}

pub(crate) fn owner(owner: OwnerReading<'_>) -> OwnerReading<'static> {
    OwnerReading {
        id: owner.id,
        login: text(owner.login),
        kind: owner.kind.map(text),
        url: owner.url.map(text),
        avatar_url: owner.avatar_url.map(text),
    }
}

pub(crate) fn profile(profile: ProfileReading<'_>) -> ProfileReading<'static> {
    ProfileReading {
        owner: owner(profile.owner),
        name: profile.name.map(text),
        email: profile.email.map(text),
        followers: profile.followers,
        public_gists: profile.public_gists,
        public_repos: profile.public_repos,
        as_of: profile.as_of,
    }
}

pub(crate) fn repository(reading: RepositoryReading<'_>) -> RepositoryReading<'static> {
    RepositoryReading {
        id: reading.id,
        owner: reading.owner.map(owner),
        name: reading.name.map(text),
        url: reading.url.map(text),
        private: reading.private,
        fork: reading.fork,
        archived: reading.archived,
        default_branch: reading.default_branch.map(text),
        description: reading.description.map(|description| description.map(text)),
        license: reading.license.map(|license| license.map(text)),
        topics: reading.topics.map(|topics| topics.into_iter().map(text).collect()),
        created_at: reading.created_at,
        updated_at: reading.updated_at,
        pushed_at: reading.pushed_at,
        stars: reading.stars,
        forks: reading.forks,
        open_issues: reading.open_issues,
        watchers: reading.watchers,
        counted_at: reading.counted_at,
        as_of: reading.as_of,
        is_whole: reading.is_whole,
    }
}
