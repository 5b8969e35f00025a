//! Several profiles in one answer (S1): which accounts are meant, and what their ready summaries come to.
//!
//! Only texts that begin with the address of a forge are profiles, compared byte by byte, and only names that a
//! forge can give are asked for: nothing here builds an address, and the clients know one server each.

use std::{borrow::Cow, collections::BTreeMap};

use domain::{
    AccountId, Forge, Millis, Second, StreamKey, Version, ViewKey,
    record::{ATTEMPT_CURSOR, login_attempt_cursor},
    view::{
        body::{self, Meta},
        summary::{self, StoredSummary},
    },
};
use http::HeaderValue;

use crate::{
    protocol::problem::Problem,
    reading::{Found, Shown, Wanted},
    ready::Ready,
    rows::{Address, ReadError},
    window::Window,
};

/// So many profiles may be asked for at once; a request's head holds hardly more.
const URLS_MAX: usize = 1_000;
/// No profile's address is longer: names have at most 100 letters.
const URL_BYTES_MAX: usize = 1_024;
/// Longer texts are no names (GitHub's have at most 39 letters, Bitbucket's 62).
const NAME_BYTES_MAX: usize = 100;

/// What the addresses of profiles begin with.
const FORGES: [(&str, Forge); 2] =
    [("https://github.com/", Forge::GitHub), ("https://bitbucket.org/", Forge::Bitbucket)];

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is wrong; in a sentence.
    NotProfiles(String),
    /// A forge fails, and nothing of a profile was ever known.
    ForgeFails(Forge),
    /// As for all routes.
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Problem(problem)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Refusal::Problem(error.into())
    }
}

/// A name at a forge, as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name<'u> {
    forge: Forge,
    typed: &'u str,
}

/// What is known of a profile.
enum Profile {
    Known {
        shown: Shown,
        /// Asking for it comes to nothing at present, so that it may be old.
        is_failing: bool,
    },
    Missing,
}

impl Profile {
    fn summary(&self) -> Option<&StoredSummary> {
        match self {
            Profile::Known { shown, .. } => shown.summary(),
            Profile::Missing => None,
        }
    }
}

impl Window {
    /// The answer about these profiles, in this order.
    pub(crate) async fn profiles(&self, urls: &[Cow<'_, str>]) -> Result<Ready, Refusal> {
        let names = parse(urls)?;
        // Each is looked for once, however often it is given.
        let mut wanted: BTreeMap<(Forge, String), Name<'_>> = BTreeMap::new();
        for name in names.iter().flatten() {
            wanted.entry(key(*name)).or_insert(*name);
        }
        let found = wanted.into_iter().map(|(key, name)| async move {
            let profile = self.profile(name).await;
            (key, profile)
        });
        let found: Vec<_> = futures::future::join_all(found).await;
        // A forge that fails outweighs what is merely not there yet.
        let mut profiles = BTreeMap::new();
        let mut refusal = None;
        for (key, profile) in found {
            match profile {
                Ok(profile) => drop(profiles.insert(key, profile)),
                Err(Refusal::ForgeFails(forge)) => return Err(Refusal::ForgeFails(forge)),
                Err(other) => refusal = Some(other),
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(compose(urls, &names, &profiles)),
        }
    }

    async fn profile(&self, name: Name<'_>) -> Result<Profile, Refusal> {
        let lower = name.typed.to_ascii_lowercase();
        let is_failing_unknown = self.is_failing_unknown(name.forge, &lower).await?;
        if is_failing_unknown && !self.is_known(name.forge, &lower).await? {
            return Err(Refusal::ForgeFails(name.forge));
        }
        match self.find_at(name.forge, name.typed, Wanted::Account(ViewKey::Summary)).await {
            Ok(Found::Shown(shown)) if self.hidden.look().hides(shown.account) => Ok(Profile::Missing),
            Ok(Found::Shown(shown)) => {
                let is_failing = self.is_failing(StreamKey::Account(shown.account), ATTEMPT_CURSOR).await?;
                Ok(Profile::Known { shown, is_failing })
            }
            Ok(Found::Elsewhere(_)) => Ok(Profile::Missing),
            Err(problem) if problem.is_absence() => Ok(Profile::Missing),
            Err(problem) if problem.is_computing() => {
                let is_failing = self.is_failing_unknown(name.forge, &lower).await?;
                Err(if is_failing { Refusal::ForgeFails(name.forge) } else { problem.into() })
            }
            Err(problem) => Err(problem.into()),
        }
    }

    /// Whether asking for what is not known of a name came to nothing: who it is, or what that account has.
    async fn is_failing_unknown(&self, forge: Forge, lower: &str) -> Result<bool, ReadError> {
        match self.account_at(forge, lower).await? {
            Some(account) => self.is_failing(StreamKey::Account(account), ATTEMPT_CURSOR).await,
            None => self.is_failing(StreamKey::Service, &login_attempt_cursor(forge, lower)).await,
        }
    }

    /// Whether anything of a name can be shown.
    async fn is_known(&self, forge: Forge, lower: &str) -> Result<bool, ReadError> {
        let Some(account) = self.account_at(forge, lower).await? else { return Ok(false) };
        let directory = self.rows.get(Address::Row(&domain::RowKey::Directory(account))).await?;
        Ok(directory.directory().is_none_or(|directory| {
            directory.listed || directory.state != domain::directory::DirectoryState::Kept
        }))
    }

    async fn account_at(&self, forge: Forge, lower: &str) -> Result<Option<AccountId>, ReadError> {
        Ok(self.rows.get(Address::Alias(forge, lower)).await?.alias())
    }

    async fn is_failing(&self, stream: StreamKey, cursor: &str) -> Result<bool, ReadError> {
        let key = domain::RowKey::Cursor(stream, cursor.to_owned());
        Ok(self.rows.get(Address::Row(&key)).await?.is_failing())
    }
}

/// The name that each address means; `None` where no forge can have given such a name.
fn parse<'u>(urls: &'u [Cow<'_, str>]) -> Result<Vec<Option<Name<'u>>>, Refusal> {
    let wrong = |sentence: String| Err(Refusal::NotProfiles(sentence));
    if urls.is_empty() {
        return wrong("Say which profiles: /health-check?url=https://github.com/NAME&url=…".to_owned());
    }
    if urls.len() > URLS_MAX {
        return wrong(format!("At most {URLS_MAX} profiles may be asked for at once."));
    }
    let mut names = Vec::with_capacity(urls.len());
    for url in urls {
        if url.len() > URL_BYTES_MAX {
            return wrong(format!("No profile's address is longer than {URL_BYTES_MAX} bytes."));
        }
        let found = FORGES.iter().find_map(|(prefix, forge)| Some((url.strip_prefix(prefix)?, *forge)));
        let Some((typed, forge)) = found else {
            let known = FORGES.map(|(prefix, _)| prefix).join(" or ");
            return wrong(format!("Each url must begin with {known}"));
        };
        let typed = typed.trim_end_matches('/');
        names.push(is_possible(typed).then_some(Name { forge, typed }));
    }
    Ok(names)
}

/// Whether a forge can have given such a name. Others are asked for nowhere.
fn is_possible(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_letter)
        && !name.bytes().all(|byte| byte == b'.')
}

/// Names are the same whatever the case of their letters.
fn key(name: Name<'_>) -> (Forge, String) {
    (name.forge, name.typed.to_ascii_lowercase())
}

fn compose(
    urls: &[Cow<'_, str>],
    names: &[Option<Name<'_>>],
    profiles: &BTreeMap<(Forge, String), Profile>,
) -> Ready {
    let of = |name: &Option<Name<'_>>| name.and_then(|name| profiles.get(&key(name))?.summary());
    let missing: Vec<&str> =
        urls.iter().zip(names).filter(|(_, name)| of(name).is_none()).map(|(url, _)| url.as_ref()).collect();
    let known: Vec<&StoredSummary> = profiles.values().filter_map(Profile::summary).collect();
    let merged = summary::merge(names.iter().filter_map(|name| Some(&of(name)?.summary)));
    let payload = summary::payload(&merged, &missing);

    let is_current = |profile: &Profile| match profile {
        Profile::Known { shown, is_failing } => shown.is_complete() && !is_failing,
        Profile::Missing => true,
    };
    let meta = Meta {
        hash: body::hash(&payload),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        as_of: known.iter().map(|summary| summary.as_of).max().unwrap_or(Second(0)),
        checked_ms: known.iter().map(|summary| summary.checked_ms).min().unwrap_or(Some(Millis(i64::MAX))),
        complete: profiles.values().all(is_current),
        name: String::new(),
    };
    Ready::composed(payload.into(), meta, token(profiles))
}

/// Where in the log the parts stand: another text as soon as any of them moves.
fn token(profiles: &BTreeMap<(Forge, String), Profile>) -> HeaderValue {
    let mut parts = Vec::new();
    for profile in profiles.values() {
        let (account, version) = match profile {
            Profile::Known { shown, .. } => (StreamKey::Account(shown.account), shown.version()),
            Profile::Missing => (StreamKey::Service, Version::NONE),
        };
        account.write_key(&mut parts);
        parts.extend_from_slice(&version.as_raw().to_be_bytes());
    }
    HeaderValue::try_from(format!("{:016x}", body::hash(&parts))).expect("hexadecimal digits are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(urls: &[&'static str]) -> Result<Vec<Option<(Forge, String)>>, Refusal> {
        let urls: Vec<Cow<'_, str>> = urls.iter().map(|url| Cow::Borrowed(*url)).collect();
        let names = parse(&urls)?;
        Ok(names.into_iter().map(|name| name.map(|name| (name.forge, name.typed.to_owned()))).collect())
    }

    #[test]
    fn only_what_begins_with_a_forges_address_is_a_profile() {
        let hub = |name: &str| Some((Forge::GitHub, name.to_owned()));
        assert_eq!(
            names(&["https://github.com/Octo-cat_1.x", "https://bitbucket.org/team/"]),
            Ok(vec![hub("Octo-cat_1.x"), Some((Forge::Bitbucket, "team".to_owned()))])
        );
        for url in [
            "",
            "octocat",
            "http://github.com/octocat",
            "HTTPS://github.com/octocat",
            "https://GitHub.com/octocat",
            "https://github.com",
            "https://github.com:443/octocat",
            "https://me:hush@github.com/octocat",
            "https://github.com@evil.example/octocat",
            "https://github.com.evil.example/octocat",
            "https://evil.example/https://github.com/octocat",
            "https://gіthub.com/octocat",
            "https://gitlab.com/octocat",
            " https://github.com/octocat",
            "//github.com/octocat",
        ] {
            assert!(matches!(names(&["https://github.com/a", url]), Err(Refusal::NotProfiles(_))), "{url}");
        }
    }

    #[test]
    fn names_that_no_forge_gives_are_missing_and_asked_for_nowhere() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "octоcat",
            "a%2fb",
            "a?b",
            "a#b",
            "@me",
            "a@evil.example",
            "a\\b",
            "a\u{0}b",
            "a\r\nHost: evil.example",
        ] {
            let url: &'static str = String::leak(format!("https://github.com/{name}"));
            assert_eq!(names(&[url]), Ok(vec![None]), "{name:?}");
        }
        let long: &'static str = String::leak(format!("https://github.com/{}", "a".repeat(101)));
        assert_eq!(names(&[long]), Ok(vec![None]));
    }

    #[test]
    fn too_many_and_too_long_are_refused() {
        assert!(matches!(names(&[]), Err(Refusal::NotProfiles(_))));
        assert!(names(&["https://github.com/a"; URLS_MAX]).is_ok());
        assert!(matches!(names(&["https://github.com/a"; URLS_MAX + 1]), Err(Refusal::NotProfiles(_))));
        let long: &'static str = String::leak(format!("https://github.com/{}", "a".repeat(8 << 10)));
        assert!(matches!(names(&[long]), Err(Refusal::NotProfiles(_))));
    }
}
