//! A gist as a list shows it: its files without their texts.

use domain::{
    AccountId, Second, Text,
    event::{GistFacts, GistFile},
};
use serde::{Deserialize, de::MapAccess};

use super::{Account, Field, Read, object};

/// A gist of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Gist<'a> {
    #[serde(borrow)]
    id: Field<Text<'a>>,
    #[serde(borrow)]
    owner: Field<Account<'a>>,
    #[serde(borrow)]
    html_url: Field<Text<'a>>,
    #[serde(borrow)]
    description: Field<Text<'a>>,
    public: Field<bool>,
    created_at: Field<Second>,
    updated_at: Field<Second>,
    #[serde(borrow)]
    files: Field<Files<'a>>,
}
object!(Gist<'a>);

/// Files by name.
#[derive(Debug, Clone, Default)]
struct Files<'a>(Vec<(Text<'a>, File<'a>)>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct File<'a> {
    #[serde(borrow)]
    language: Field<Text<'a>>,
    size: Field<u64>,
    #[serde(borrow)]
    raw_url: Field<Text<'a>>,
}
object!(File<'a>);

impl<'de: 'a, 'a> Read<'de> for Files<'a> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        let mut files = Vec::new();
        while let Some((name, file)) = object.next_entry::<Text<'de>, Field<File<'de>>>()? {
            files.extend(file.into_value().map(|file| (name, file)));
        }
        Ok(Some(Files(files)))
    }
}

impl Gist<'_> {
    /// Whether everybody may see it.
    pub(crate) fn is_public(&self) -> bool {
        self.public.get().unwrap_or(true)
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> Option<AccountId> {
        self.owner.value()?.id.get().map(AccountId::github)
    }

    /// What is kept of it; `None` without an id, an owner and the time of its last change.
    pub(crate) fn facts(&self) -> Option<GistFacts> {
        let mut files: Vec<GistFile> =
            self.files.value()?.0.iter().map(|(name, file)| file.facts(name)).collect();
        files.sort();
        files.dedup_by(|one, other| one.filename == other.filename);
        Some(GistFacts {
            id: own(self.id.value()).filter(|id| !id.is_empty())?,
            owner: own(self.owner.value()?.login.value())?,
            url: own(self.html_url.value()).unwrap_or_default(),
            description: own(self.description.value()),
            files,
            created_at: self.created_at.get(),
            updated_at: self.updated_at.get()?,
        })
    }
}

impl File<'_> {
    fn facts(&self, name: &Text<'_>) -> GistFile {
        GistFile {
            filename: name.as_str().to_owned(),
            language: own(self.language.value()),
            size: self.size.get(),
            raw_url: own(self.raw_url.value()).unwrap_or_default(),
        }
    }
}

fn own(text: Option<&Text<'_>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}
