//! What is true at this Bitbucket: workspaces and their repositories.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// An account: a team's workspace, or a user's own.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its uuid, without braces.
    pub uuid: String,
    /// The name in its URL.
    pub slug: String,
    /// Whether it is found under `/2.0/users` only.
    pub is_user: bool,
    /// Its repositories.
    pub repositories: Vec<Repository>,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Its uuid, without braces.
    pub uuid: String,
    /// The name in its URL.
    pub slug: String,
    /// Private ones are shown to nobody.
    pub is_private: bool,
    /// Whether it was forked from another.
    pub is_fork: bool,
    /// Its language; empty where its owner named none.
    pub language: String,
    /// How many watch it.
    pub watchers: u64,
    /// Seconds since 1970.
    pub updated_at: u64,
}

impl Repository {
    /// An original, public one that nobody watches.
    pub fn public(slug: impl Into<String>, language: impl Into<String>) -> Self {
        Repository {
            uuid: String::new(),
            slug: slug.into(),
            is_private: false,
            is_fork: false,
            language: language.into(),
            watchers: 0,
            updated_at: 0,
        }
    }

    /// With this many watchers.
    #[must_use]
    pub fn watched_by(self, watchers: u64) -> Self {
        Repository { watchers, ..self }
    }

    /// As a fork.
    #[must_use]
    pub fn forked(self) -> Self {
        Repository { is_fork: true, ..self }
    }
}

/// Everything at this Bitbucket.
#[derive(Debug, Default)]
pub struct World {
    workspaces: Vec<Workspace>,
    made: u64,
}

impl World {
    /// Makes a few accounts to look at: the workspace `team` and the user `ada`.
    pub fn populate(&mut self) {
        self.create_workspace("team");
        self.create_repository("team", Repository::public("tools", "Rust").watched_by(4));
        self.create_repository("team", Repository::public("site", "javascript").watched_by(2));
        self.create_repository("team", Repository::public("copied", "c").forked());
        self.create_user("ada");
        self.create_repository("ada", Repository::public("engine", "assembly").watched_by(1));
    }

    /// Makes a team's workspace.
    pub fn create_workspace(&mut self, slug: &str) {
        self.create(slug, false);
    }

    /// Makes a user, who is found under `/2.0/users` only.
    pub fn create_user(&mut self, slug: &str) {
        self.create(slug, true);
    }

    fn create(&mut self, slug: &str, is_user: bool) {
        let uuid = self.next_uuid();
        self.workspaces.push(Workspace { uuid, slug: slug.to_owned(), is_user, repositories: Vec::new() });
    }

    /// Makes a repository; its uuid and time are given here.
    ///
    /// # Panics
    /// When there is no such workspace.
    pub fn create_repository(&mut self, workspace: &str, repository: Repository) {
        let repository = Repository { uuid: self.next_uuid(), updated_at: now(), ..repository };
        self.workspace_mut(workspace).repositories.push(repository);
    }

    /// Changes a repository, a second after it changed last.
    ///
    /// # Panics
    /// When there is no such repository.
    pub fn change(&mut self, workspace: &str, slug: &str, change: impl FnOnce(&mut Repository)) {
        let repositories = &mut self.workspace_mut(workspace).repositories;
        let repository = repositories.iter_mut().find(|repository| repository.slug == slug);
        let repository = repository.expect("the repository exists");
        change(repository);
        repository.updated_at = now().max(repository.updated_at + 1);
    }

    /// Deletes a repository.
    ///
    /// # Panics
    /// When there is no such workspace.
    pub fn delete_repository(&mut self, workspace: &str, slug: &str) {
        self.workspace_mut(workspace).repositories.retain(|repository| repository.slug != slug);
    }

    /// Deletes a workspace with everything in it.
    pub fn delete_workspace(&mut self, slug: &str) {
        self.workspaces.retain(|workspace| workspace.slug != slug);
    }

    /// The uuid of a workspace, without braces.
    pub fn workspace_uuid(&self, slug: &str) -> Option<&str> {
        self.workspace(slug).map(|workspace| workspace.uuid.as_str())
    }

    /// The workspace with this name or uuid in braces.
    pub(crate) fn workspace(&self, name: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| is_called(name, &workspace.slug, &workspace.uuid))
    }

    fn workspace_mut(&mut self, slug: &str) -> &mut Workspace {
        let found = self.workspaces.iter_mut().find(|workspace| workspace.slug == slug);
        found.expect("the workspace exists")
    }

    fn next_uuid(&mut self) -> String {
        self.made += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", 0xb17b_0c4e_u32, self.made)
    }
}

impl Workspace {
    /// Those that everybody may see, by name.
    pub(crate) fn shown(&self) -> Vec<&Repository> {
        let mut shown: Vec<_> = self.repositories.iter().filter(|one| !one.is_private).collect();
        shown.sort_by(|one, other| one.slug.cmp(&other.slug));
        shown
    }

    /// The repository with this name or uuid in braces, if everybody may see it.
    pub(crate) fn repository(&self, name: &str) -> Option<&Repository> {
        let mut shown = self.repositories.iter().filter(|one| !one.is_private);
        shown.find(|repository| is_called(name, &repository.slug, &repository.uuid))
    }

    pub(crate) fn to_json(&self) -> Value {
        let html = format!("https://bitbucket.org/{}", self.slug);
        let mut json = json!({
            "uuid": braced(&self.uuid),
            "created_on": "2018-11-14T19:15:05.058566+00:00",
            "links": {"html": {"href": html}, "avatar": {"href": format!("{html}/avatar")}},
        });
        let more = if self.is_user {
            json!({"type": "user", "nickname": self.slug, "display_name": self.slug})
        } else {
            json!({"type": "workspace", "slug": self.slug, "name": self.slug})
        };
        merge(&mut json, more);
        json
    }

    pub(crate) fn repository_json(&self, repository: &Repository) -> Value {
        let full_name = format!("{}/{}", self.slug, repository.slug);
        let parent =
            repository.is_fork.then(|| json!({"uuid": braced("00000000-0000-4000-8000-000000000000")}));
        json!({
            "type": "repository",
            "uuid": braced(&repository.uuid),
            "full_name": full_name,
            "slug": repository.slug,
            "name": repository.slug,
            "is_private": repository.is_private,
            "parent": parent,
            "language": repository.language,
            "description": "",
            "created_on": "2019-01-02T03:04:05.678901+00:00",
            "updated_on": timestamp(repository.updated_at),
            "workspace": {"type": "workspace", "uuid": braced(&self.uuid), "slug": self.slug},
            "links": {"html": {"href": format!("https://bitbucket.org/{full_name}")}},
        })
    }
}

fn is_called(name: &str, slug: &str, uuid: &str) -> bool {
    name.eq_ignore_ascii_case(slug) || name == braced(uuid)
}

fn braced(uuid: &str) -> String {
    format!("{{{uuid}}}")
}

fn merge(json: &mut Value, more: Value) {
    if let (Value::Object(json), Value::Object(more)) = (json, more) {
        json.extend(more);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// RFC 3339, from seconds since 1970.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date by the civil calendar, years beginning in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_bitbucket_writes_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000+00:00"),
            (951_782_400, "2000-02-29T00:00:00.000000+00:00"),
            (1_795_255_201, "2026-11-21T10:00:01.000000+00:00"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }
}
