//! The `repository` object of payloads and answers.

use domain::{
    AccountId, RepoId, Second, Text,
    event::{OwnerReading, RepositoryReading},
};
use serde::Deserialize;

use super::{Account, Field, List, object, text::halves};

/// A repository. In pushes `created_at` and `pushed_at` are numbers and `url` is the html one; everywhere
/// else `url` is the API's, so that only `html_url` is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Repository<'a> {
    pub(crate) id: Field<u64>,
    #[serde(borrow)]
    pub(crate) owner: Field<Account<'a>>,
    #[serde(borrow)]
    name: Field<Text<'a>>,
    #[serde(borrow)]
    full_name: Field<Text<'a>>,
    #[serde(borrow)]
    html_url: Field<Text<'a>>,
    private: Field<bool>,
    #[serde(borrow)]
    visibility: Field<Text<'a>>,
    fork: Field<bool>,
    archived: Field<bool>,
    #[serde(borrow)]
    default_branch: Field<Text<'a>>,
    /// Only in pushes.
    #[serde(borrow)]
    master_branch: Field<Text<'a>>,
    #[serde(borrow)]
    description: Field<Text<'a>>,
    #[serde(borrow)]
    license: Field<License<'a>>,
    #[serde(borrow)]
    topics: Field<List<Text<'a>>>,
    pub(crate) created_at: Field<Second>,
    pub(crate) updated_at: Field<Second>,
    pub(crate) pushed_at: Field<Second>,
    stargazers_count: Field<u64>,
    forks_count: Field<u64>,
    open_issues_count: Field<u64>,
    /// The real watchers; `watchers_count` repeats the stars.
    subscribers_count: Field<u64>,
}
object!(Repository<'a>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct License<'a> {
    #[serde(borrow)]
    spdx_id: Field<Text<'a>>,
}
object!(License<'a>);

impl<'a> Repository<'a> {
    /// Whose it is by its own word.
    pub(crate) fn owner_id(&self) -> Option<u64> {
        self.owner.value()?.id.get()
    }

    /// The default branch by this object.
    pub(crate) fn default_branch(&self) -> Option<Text<'a>> {
        self.default_branch.value().or(self.master_branch.value()).cloned().filter(|name| !name.is_empty())
    }

    /// The newest of its times.
    pub(crate) fn newest(&self) -> Option<Second> {
        [self.created_at, self.updated_at, self.pushed_at].iter().filter_map(Field::get).max()
    }

    /// Everything it tells, but for `counted_at` and `as_of`, which depend on what stands around it.
    /// `owner` is whose it is where the object does not say so itself.
    pub(crate) fn reading(&self, id: RepoId, owner: Option<AccountId>) -> RepositoryReading<'a> {
        RepositoryReading {
            id,
            owner: self.owner_reading(owner),
            name: self.name.value().cloned().or_else(|| self.halves_of_full_name().map(|(_, name)| name)),
            url: self.html_url.value().cloned(),
            private: self.is_private(),
            fork: self.fork.get(),
            archived: self.archived.get(),
            default_branch: self.default_branch(),
            description: self.description.or_none(),
            license: self.license(),
            topics: self.topics.value().map(|topics| topics.0.clone()),
            created_at: self.created_at.get(),
            updated_at: self.updated_at.get(),
            pushed_at: self.pushed_at.get(),
            stars: self.stargazers_count.get(),
            forks: self.forks_count.get(),
            open_issues: self.open_issues_count.get(),
            watchers: self.subscribers_count.get(),
            counted_at: None,
            as_of: None,
            is_whole: false,
        }
    }

    fn owner_reading(&self, fallback: Option<AccountId>) -> Option<OwnerReading<'a>> {
        let id = self.owner_id().map(AccountId::github).or(fallback)?;
        let owner = self.owner.value();
        let login = owner.and_then(|owner| owner.login.value()).cloned().filter(|login| !login.is_empty());
        // A push's `owner.name` is the login too, but elsewhere that field is what people read.
        let login = login.or_else(|| self.halves_of_full_name().map(|(login, _)| login))?;
        Some(OwnerReading {
            id,
            login,
            kind: owner.and_then(|owner| owner.kind.value()).cloned(),
            url: owner.and_then(|owner| owner.html_url.value()).cloned(),
            avatar_url: owner.and_then(|owner| owner.avatar_url.value()).cloned(),
        })
    }

    fn halves_of_full_name(&self) -> Option<(Text<'a>, Text<'a>)> {
        let (login, name) = halves(self.full_name.value()?, '/')?;
        (!login.is_empty() && !name.is_empty()).then_some((login, name))
    }

    /// Anything but `public` is private, `internal` too; where the two fields differ, private wins.
    fn is_private(&self) -> Option<bool> {
        let by_visibility = self.visibility.value().map(|visibility| visibility.as_str() != "public");
        match (self.private.get(), by_visibility) {
            (Some(by_flag), Some(by_visibility)) => Some(by_flag || by_visibility),
            (by_flag, by_visibility) => by_flag.or(by_visibility),
        }
    }

    fn license(&self) -> Option<Option<Text<'a>>> {
        match &self.license {
            Field::Absent => None,
            Field::Null => Some(None),
            Field::Value(license) => license.spdx_id.or_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::read_object;

    fn reading(json: &str) -> RepositoryReading<'_> {
        read_object::<Repository<'_>>(json.as_bytes()).unwrap().reading(RepoId::github(1), None)
    }

    #[test]
    fn private_wins_over_public_and_internal_is_private() {
        for (json, private) in [
            (r#"{"private":false}"#, Some(false)),
            (r#"{"private":false,"visibility":"public"}"#, Some(false)),
            (r#"{"visibility":"public"}"#, Some(false)),
            (r#"{"visibility":"internal"}"#, Some(true)),
            (r#"{"private":false,"visibility":"internal"}"#, Some(true)),
            (r#"{"private":true,"visibility":"public"}"#, Some(true)),
            (r#"{"private":"yes"}"#, None),
        ] {
            assert_eq!(reading(json).private, private, "{json}");
        }
    }

    #[test]
    fn none_is_told_from_not_said() {
        let none = reading(r#"{"description":null,"license":null}"#);
        assert_eq!((none.description, none.license), (Some(None), Some(None)));
        let silent = reading(r#"{"description":7,"license":"MIT"}"#);
        assert_eq!((silent.description, silent.license), (None, None));
        let said = reading(r#"{"description":"","license":{"key":"mit","spdx_id":"MIT"}}"#);
        assert_eq!((said.description, said.license), (Some(Some("".into())), Some(Some("MIT".into()))));
        assert_eq!(reading(r#"{"license":{"key":"own","spdx_id":null}}"#).license, Some(None));
    }

    #[test]
    fn names_are_found_in_the_full_name() {
        let json = r#"{"full_name":"octocat/Hello-World","owner":{"id":583231}}"#;
        let read = reading(json);
        assert_eq!(read.name.as_deref(), Some("Hello-World"));
        let owner = read.owner.unwrap();
        assert_eq!((owner.id, owner.login.as_str()), (AccountId::github(583_231), "octocat"));
        assert_eq!(reading(r#"{"full_name":"octocat"}"#).name, None);
    }

    #[test]
    fn the_url_is_the_one_for_people() {
        let push = r#"{"url":"https://github.com/o/n","html_url":"https://github.com/o/n"}"#;
        let other = r#"{"url":"https://api.github.com/repos/o/n","html_url":"https://github.com/o/n"}"#;
        assert_eq!(reading(push).url, reading(other).url);
        assert_eq!(reading(r#"{"url":"https://api.github.com/repos/o/n"}"#).url, None);
    }

    #[test]
    fn watchers_are_subscribers() {
        let read =
            reading(r#"{"watchers":80,"watchers_count":80,"stargazers_count":80,"subscribers_count":42}"#);
        assert_eq!((read.stars, read.watchers), (Some(80), Some(42)));
        assert_eq!(reading(r#"{"watchers_count":80}"#).watchers, None);
    }
}
