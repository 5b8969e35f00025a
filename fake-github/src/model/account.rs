//! A user or an organisation.

use std::collections::BTreeSet;

use super::{id::AccountId, second::Second};

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum AccountKind {
    /// A person.
    User,
    /// An organisation, whose members act for it.
    Organization,
}

impl AccountKind {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            AccountKind::User => "User",
            AccountKind::Organization => "Organization",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) kind: AccountKind,
    pub(crate) login: String,
    pub(crate) name: Option<String>,
    /// The public one of the profile.
    pub(crate) email: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) followers: u64,
    pub(crate) following: u64,
    pub(crate) public_gists: u64,
    pub(crate) created_at: Second,
    pub(crate) updated_at: Second,
    /// Of an organisation: who acts for it. The first is its owner.
    pub(crate) members: BTreeSet<AccountId>,
    /// It was deleted; what it did is still there.
    pub(crate) is_gone: bool,
}

impl Account {
    /// What git commits of this account carry.
    pub(crate) fn commit_email(&self) -> String {
        match &self.email {
            Some(email) => email.clone(),
            None => format!("{}+{}@users.noreply.github.com", self.id, self.login),
        }
    }
}
