//! From Bitbucket's JSON to our own readings. Pure, and total: what cannot be read is `None`.
//!
//! Bitbucket Cloud is one server, so that its JSON has one shape: a field of another type makes the answer
//! unreadable, and it is asked for again. What it leaves out (stars, topics, followers, commit counts) is left
//! out here too.

use domain::{
    AccountId, Event, RepoId, Second, Text,
    event::{OwnerReading, ProfileReading, RepositoryReading},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::uuid;

/// A page of an account's repositories.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The repositories.
    pub repositories: Vec<Listed>,
    /// The address of the next page, as Bitbucket gave it; `None` on the last.
    pub next: Option<String>,
}

/// A repository as Bitbucket tells it: everything but its watchers.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// In our words.
    pub reading: RepositoryReading<'static>,
    /// Its one language, as its owner named it; `None` where none is told.
    pub language: Option<String>,
}

impl Listed {
    /// What it says to the owner's stream. Bytes are not told, so that they are 0.
    pub fn into_events(self) -> [Event<'static>; 2] {
        let repo = self.reading.id;
        let bytes = self.language.into_iter().map(|name| (Text::from(name), 0)).collect();
        [Event::Repository(Box::new(self.reading)), Event::Languages { repo, bytes }]
    }
}

#[derive(Deserialize)]
struct JsonAccount {
    uuid: String,
    slug: Option<String>,
    nickname: Option<String>,
    username: Option<String>,
    #[serde(alias = "display_name")]
    name: Option<String>,
    created_on: Option<String>,
    #[serde(default)]
    links: JsonLinks,
}

#[derive(Deserialize, Default)]
struct JsonLinks {
    html: Option<JsonLink>,
    avatar: Option<JsonLink>,
}

#[derive(Deserialize)]
struct JsonLink {
    href: Option<String>,
}

#[derive(Deserialize)]
struct JsonPage {
    values: Vec<JsonRepository>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct JsonRepository {
    uuid: String,
    full_name: String,
    is_private: bool,
    parent: Option<IgnoredAny>,
    language: Option<String>,
    description: Option<String>,
    created_on: Option<String>,
    updated_on: Option<String>,
    workspace: Option<JsonOwner>,
    #[serde(default)]
    links: JsonLinks,
}

#[derive(Deserialize)]
struct JsonOwner {
    uuid: String,
}

#[derive(Deserialize)]
struct JsonSize {
    size: Option<u64>,
}

/// Reads a workspace or a user; `asked` is the name that it was asked for by, where it tells none itself.
pub fn profile(body: &[u8], kind: &'static str, asked: &str) -> Option<ProfileReading<'static>> {
    let account: JsonAccount = serde_json::from_slice(body).ok()?;
    let login = account.slug.or(account.username).or(account.nickname).unwrap_or_else(|| asked.to_owned());
    Some(ProfileReading {
        owner: OwnerReading {
            id: AccountId::bitbucket(uuid::parse(&account.uuid)?),
            login: login.into(),
            kind: Some(kind.into()),
            url: account.links.html.and_then(|link| link.href).map(Text::from),
            avatar_url: account.links.avatar.and_then(|link| link.href).map(Text::from),
        },
        name: account.name.map(Text::from),
        email: None,
        followers: None,
        public_gists: None,
        public_repos: None,
        as_of: account.created_on.as_deref().and_then(Second::parse),
    })
}

/// Reads a page of repositories. Half of a list is worse than none: what is left out counts as gone.
pub fn page(body: &[u8]) -> Option<Page> {
    let page: JsonPage = serde_json::from_slice(body).ok()?;
    let repositories = page.values.into_iter().map(listed).collect::<Option<_>>()?;
    Some(Page { repositories, next: page.next })
}

/// Reads one repository.
pub fn repository(body: &[u8]) -> Option<Listed> {
    listed(serde_json::from_slice(body).ok()?)
}

/// Reads how long a list is; `Some(None)` where it does not tell.
pub fn size(body: &[u8]) -> Option<Option<u64>> {
    let size: JsonSize = serde_json::from_slice(body).ok()?;
    Some(size.size)
}

fn listed(json: JsonRepository) -> Option<Listed> {
    let id = RepoId::bitbucket(uuid::parse(&json.uuid)?);
    let (login, name) = json.full_name.split_once('/')?;
    let owner = match json.workspace {
        Some(workspace) => Some(OwnerReading {
            id: AccountId::bitbucket(uuid::parse(&workspace.uuid)?),
            login: login.to_owned().into(),
            kind: None,
            url: None,
            avatar_url: None,
        }),
        None => None,
    };
    let [created_at, updated_at] =
        [&json.created_on, &json.updated_on].map(|time| time.as_deref().and_then(Second::parse));
    let reading = RepositoryReading {
        owner,
        name: Some(name.to_owned().into()),
        url: json.links.html.and_then(|link| link.href).map(Text::from),
        private: Some(json.is_private),
        fork: Some(json.parent.is_some()),
        description: Some(json.description.filter(|text| !text.is_empty()).map(Text::from)),
        created_at,
        updated_at,
        as_of: created_at.max(updated_at),
        ..RepositoryReading::of(id)
    };
    Some(Listed { reading, language: json.language.filter(|language| !language.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "{21fa9bf8-b5b2-4891-97ed-d590bad0f871}";

    fn json(more: &str) -> String {
        format!(
            r#"{{"uuid":"{UUID}","full_name":"team/tools","is_private":false,"language":"C#","parent":null,
            "created_on":"2014-06-30T00:21:51.279560+00:00","updated_on":"2015-06-30T00:21:51+00:00",
            "workspace":{{"uuid":"{UUID}"}},"links":{{"html":{{"href":"https://bitbucket.org/team/tools"}}}}{more}}}"#
        )
    }

    #[test]
    fn a_repository_is_read_with_what_bitbucket_tells_of_it() {
        let Listed { reading, language } = repository(json("").as_bytes()).unwrap();
        assert_eq!(reading.name.as_deref(), Some("tools"));
        assert_eq!((reading.private, reading.fork), (Some(false), Some(false)));
        assert_eq!(reading.updated_at, Second::parse("2015-06-30T00:21:51Z"));
        assert_eq!(reading.owner.unwrap().id, AccountId::bitbucket(uuid::parse(UUID).unwrap()));
        assert_eq!((language.as_deref(), reading.stars, reading.watchers), (Some("C#"), None, None));
        let fork = json("").replace("\"parent\":null", r#""parent":{"uuid":"x"}"#);
        assert_eq!(repository(fork.as_bytes()).unwrap().reading.fork, Some(true));
        let none = json("").replace("\"C#\"", "\"\"");
        assert_eq!(repository(none.as_bytes()).unwrap().language, None);
    }

    #[test]
    fn an_element_that_cannot_be_read_makes_the_page_unreadable() {
        let next = "https://api.bitbucket.org/2.0/repositories/team?page=2";
        let good = format!(r#"{{"values":[{}],"next":"{next}"}}"#, json(""));
        assert_eq!(page(good.as_bytes()).unwrap().next.as_deref(), Some(next));
        for bad in [
            format!(r#"{{"values":[{},7]}}"#, json("")),
            r#"{"values":[{"uuid":"no","full_name":"a/b","is_private":false}]}"#.to_owned(),
            r#"{"values":[{"uuid":"{21fa9bf8-b5b2-4891-97ed-d590bad0f871}","full_name":"a/b"}]}"#.to_owned(),
            r#"{"error":{"message":"x"}}"#.to_owned(),
            "[]".to_owned(),
            "<html>".to_owned(),
        ] {
            assert_eq!(page(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_user_is_called_as_it_was_asked_for_where_it_tells_no_name() {
        let body = format!(r#"{{"uuid":"{UUID}","display_name":"Ada L.","type":"user"}}"#);
        let profile = profile(body.as_bytes(), "User", "ada").unwrap();
        assert_eq!((profile.owner.login.as_str(), profile.name.as_deref()), ("ada", Some("Ada L.")));
    }
}
