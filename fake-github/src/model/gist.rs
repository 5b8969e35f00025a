//! A gist: files with a text, every version of which can be read by its address.

use super::{id::AccountId, second::Second};

/// How a gist is made.
#[derive(Debug, Clone)]
pub struct NewGist {
    /// Whether it is listed.
    pub public: bool,
    /// The line below the name.
    pub description: Option<String>,
    /// Name and text.
    pub files: Vec<(String, String)>,
}

impl NewGist {
    /// A public one without a description.
    pub fn public(files: &[(&str, &str)]) -> Self {
        NewGist { public: true, description: None, files: owned(files) }
    }
}

pub(super) fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[derive(Debug, Clone)]
pub(crate) struct Gist {
    pub(crate) id: String,
    pub(crate) owner: AccountId,
    pub(crate) public: bool,
    pub(crate) description: Option<String>,
    /// The newest last; each with the name of its version.
    pub(crate) versions: Vec<(String, Vec<(String, String)>)>,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
}

impl Gist {
    /// The present files, by name, and the name of their version.
    pub(crate) fn present(&self) -> (&str, &[(String, String)]) {
        let (version, files) = self.versions.last().expect("a gist is made with a version");
        (version, files)
    }

    /// The text of a file in one of its versions.
    pub(crate) fn text(&self, version: &str, filename: &str) -> Option<&str> {
        let (_, files) = self.versions.iter().find(|(name, _)| name == version)?;
        files.iter().find(|(name, _)| name == filename).map(|(_, text)| text.as_str())
    }
}
