//! Users and organisations, and an App's installation on one of them.

use domain::{AccountId, Text, event::OwnerReading};
use serde::Deserialize;

use super::{Field, object};

/// A user or organisation, as it stands in payloads and in answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account<'a> {
    pub(crate) id: Field<u64>,
    #[serde(borrow)]
    pub(crate) login: Field<Text<'a>>,
    /// In pushes and some look-alikes a second form of `login`; in profiles the name that people read.
    #[serde(borrow)]
    pub(crate) name: Field<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) html_url: Field<Text<'a>>,
    #[serde(borrow)]
    pub(crate) avatar_url: Field<Text<'a>>,
}
object!(Account<'a>);

impl<'a> Account<'a> {
    /// The account as it names itself; `None` without a login.
    pub(crate) fn reading(&self, id: AccountId) -> Option<OwnerReading<'a>> {
        Some(OwnerReading {
            id,
            login: self.login.value().cloned().filter(|login| !login.is_empty())?,
            kind: self.kind.value().cloned(),
            url: self.html_url.value().cloned(),
            avatar_url: self.avatar_url.value().cloned(),
        })
    }
}

/// An App's installation. Only `installation*` events say whose it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Installation<'a> {
    #[serde(borrow)]
    pub(crate) account: Field<Account<'a>>,
}
object!(Installation<'a>);

impl Installation<'_> {
    /// Whose installation it is.
    pub(crate) fn account_id(&self) -> Option<u64> {
        self.account.value()?.id.get()
    }
}
