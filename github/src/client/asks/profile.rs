//! `GET /users/{login}`, `/user/{id}` and `/user`: who an account is.

use domain::{AccountId, Second, Text, event::ProfileReading};
use serde::Deserialize;

use crate::{
    client::{AccountPath, Answer, AskError, Asking, Client, owned, path::Path},
    wire::{Account, Field, object, read_object},
};

impl Client {
    /// Asks who an account is.
    pub async fn profile(
        &self,
        account: AccountPath<'_>,
        asking: &Asking<'_>,
    ) -> Result<Answer<ProfileReading<'static>>, AskError> {
        let (endpoint, path) = match account {
            AccountPath::Login(login) => ("GET /users/{login}", Path::new("/users").name(login)),
            AccountPath::Id(id) => ("GET /user/{id}", Path::new("/user").number(id)),
        };
        let answer = self.get_path(endpoint, path, asking).await?;
        answer.read(endpoint, |fresh| read_profile(&fresh.body))
    }

    /// Asks whose token is used.
    pub async fn whoami(&self, asking: &Asking<'_>) -> Result<Answer<ProfileReading<'static>>, AskError> {
        let endpoint = "GET /user";
        let answer = self.get_path(endpoint, Path::new("/user"), asking).await?;
        answer.read(endpoint, |fresh| read_profile(&fresh.body))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counts<'a> {
    #[serde(borrow)]
    email: Field<Text<'a>>,
    followers: Field<u64>,
    public_gists: Field<u64>,
    public_repos: Field<u64>,
    created_at: Field<Second>,
    updated_at: Field<Second>,
}
object!(Counts<'a>);

fn read_profile(body: &[u8]) -> Option<ProfileReading<'static>> {
    let account: Account<'_> = read_object(body).ok()?;
    let counts: Counts<'_> = read_object(body).ok()?;
    let id = AccountId::github(account.id.get()?);
    Some(owned::profile(ProfileReading {
        owner: account.reading(id)?,
        name: account.name.into_value(),
        email: counts.email.into_value().filter(|email| !email.is_empty()),
        followers: counts.followers.get(),
        public_gists: counts.public_gists.get(),
        public_repos: counts.public_repos.get(),
        as_of: counts.created_at.get().max(counts.updated_at.get()),
    }))
}
