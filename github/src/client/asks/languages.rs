//! `GET /repos/{owner}/{name}/languages`: bytes per language.

use domain::Text;
use serde::de::MapAccess;

use crate::{
    client::{Answer, AskError, Asking, Client, RepoPath, owned, path::Path},
    wire::{Field, Read, read_object},
};

impl Client {
    /// Asks how many bytes are in which language, in the forge's order; none for an empty repository.
    pub async fn languages(
        &self,
        repo: RepoPath<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<Vec<(Text<'static>, u64)>>, AskError> {
        let endpoint = "GET /repos/{owner}/{name}/languages";
        let answer = self.get_path(endpoint, Path::repo(repo).fixed("/languages"), asking).await?;
        answer.read(endpoint, |fresh| {
            let ByLanguage(bytes) = read_object(&fresh.body).ok()?;
            bytes.into_iter().map(|(name, bytes)| Some((owned::text(name), bytes.into_value()?))).collect()
        })
    }
}

/// Name and bytes, as they stand.
struct ByLanguage<'a>(Vec<(Text<'a>, Field<u64>)>);

impl<'de: 'a, 'a> Read<'de> for ByLanguage<'a> {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(entry) = object.next_entry::<Text<'de>, Field<u64>>()? {
            bytes.push(entry);
        }
        Ok(Some(ByLanguage(bytes)))
    }
}
