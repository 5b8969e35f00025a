//! Addresses of what is asked for, built from names as people type them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stands in an address as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A repository, by name or by id. The id survives renames, but only names are documented for every
/// endpoint and offered by look-alikes: the name is the normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepoPath<'a> {
    /// `/repos/{owner}/{name}`
    Name {
        /// The owner's login.
        owner: &'a str,
        /// The repository's name.
        name: &'a str,
    },
    /// `/repositories/{id}`
    Id(u64),
}

/// An account, by login or by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountPath<'a> {
    /// `/users/{login}`; the login as somebody typed it.
    Login(&'a str),
    /// `/user/{id}`
    Id(u64),
}

/// An address below the configured one. It stays `None` once a name in it cannot be sent: an empty
/// one, `.` or `..` would name something else.
pub(crate) struct Path {
    text: Option<String>,
}

impl Path {
    /// Begins with a fixed part, such as `/users`.
    pub(crate) fn new(fixed: &str) -> Self {
        Path { text: Some(fixed.to_owned()) }
    }

    /// Begins at a repository.
    pub(crate) fn repo(repo: RepoPath<'_>) -> Self {
        match repo {
            RepoPath::Name { owner, name } => Path::new("/repos").name(owner).name(name),
            RepoPath::Id(id) => Path::new("/repositories").number(id),
        }
    }

    /// Appends a fixed part, which may carry a query.
    pub(crate) fn fixed(mut self, fixed: &str) -> Self {
        if let Some(text) = &mut self.text {
            text.push_str(fixed);
        }
        self
    }

    /// Appends a name as one segment.
    pub(crate) fn name(mut self, name: &str) -> Self {
        if matches!(name, "" | "." | "..") {
            self.text = None;
        }
        self.fixed("/").value(name)
    }

    /// Appends a number as one segment.
    pub(crate) fn number(self, number: u64) -> Self {
        self.fixed(&format!("/{number}"))
    }

    /// Appends a value, encoded; for queries.
    pub(crate) fn value(self, value: &str) -> Self {
        let encoded = utf8_percent_encode(value, ENCODED).to_string();
        self.fixed(&encoded)
    }

    /// The whole address.
    pub(crate) fn below(self, api_url: &Url) -> Option<Url> {
        let base = api_url.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{}", self.text?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: Path) -> Option<String> {
        path.below(&Url::parse("https://ghe.example/api/v3/").unwrap()).map(String::from)
    }

    #[test]
    fn names_are_one_segment_whatever_is_in_them() {
        let repo = RepoPath::Name { owner: "octo-org", name: "a.b_c" };
        let branch = Path::repo(repo).fixed("/branches").name("feature/ü #1?");
        assert_eq!(
            url(branch).as_deref(),
            Some("https://ghe.example/api/v3/repos/octo-org/a.b_c/branches/feature%2F%C3%BC%20%231%3F")
        );
        assert_eq!(
            url(Path::new("/users").name("a/../b")).as_deref(),
            Some("https://ghe.example/api/v3/users/a%2F..%2Fb")
        );
        let by_id = Path::repo(RepoPath::Id(7)).fixed("/commits?sha=").value("a&b").fixed("&per_page=1");
        assert_eq!(
            url(by_id).as_deref(),
            Some("https://ghe.example/api/v3/repositories/7/commits?sha=a%26b&per_page=1")
        );
    }

    #[test]
    fn names_that_would_name_something_else_are_not_sent() {
        for name in ["", ".", ".."] {
            assert_eq!(url(Path::new("/users").name(name)), None);
            assert_eq!(url(Path::repo(RepoPath::Name { owner: name, name: "n" }).fixed("/languages")), None);
        }
        assert!(url(Path::new("/users").name("...")).is_some());
    }
}
