//! A GitHub App: its key, its hook, the accounts that it is installed on, and the tokens of its installations.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use ring::signature::RsaKeyPair;
use rustls_pki_types::{PrivatePkcs1KeyDer, pem::PemObject};

use super::{
    event::installation_id,
    id::{AccountId, HookId, RepoId},
    second::Second,
};

/// So long a token of an installation is accepted.
pub(crate) const TOKEN_SECONDS: i64 = 60 * 60;

/// The key that every fake gives its App. Everybody knows it: it opens nothing.
const PEM: &str = include_str!("../../keys/app.pem");

/// What the maker of an App is told.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKeys {
    /// The App's id.
    pub id: u64,
    /// What it signs with, in PEM form.
    pub private_key: String,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
}

impl fmt::Debug for AppKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The App of a world.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) key: Arc<RsaKeyPair>,
    pub(crate) hook: HookId,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) installed: BTreeMap<AccountId, Installed>,
    pub(crate) tokens: HashMap<String, Token>,
}

/// An App's installation on an account.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) at: Second,
    pub(crate) suspended_at: Option<Second>,
    /// What was taken from it again.
    pub(crate) withdrawn: BTreeSet<RepoId>,
}

/// What an installation asks with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) account: AccountId,
    pub(crate) ends_at: Second,
}

impl App {
    pub(crate) fn new(id: u64, name: String, hook: HookId) -> Self {
        let der = PrivatePkcs1KeyDer::from_pem_slice(PEM.as_bytes()).expect("the key is PEM");
        let key = RsaKeyPair::from_der(der.secret_pkcs1_der()).expect("the key is RSA");
        App {
            id,
            name,
            key: Arc::new(key),
            hook,
            permissions: BTreeMap::new(),
            events: Vec::new(),
            installed: BTreeMap::new(),
            tokens: HashMap::new(),
        }
    }

    /// What only its maker is told.
    pub(crate) fn private_key(&self) -> &'static str {
        PEM
    }

    /// The name in addresses.
    pub(crate) fn slug(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }

    /// The account of an installation.
    pub(crate) fn account_of(&self, installation: u64) -> Option<AccountId> {
        self.installed.keys().copied().find(|account| installation_id(*account) == installation)
    }

    /// Whether it hears of what happens to an account, or to a repository of it.
    pub(crate) fn hears(&self, account: AccountId, repository: Option<RepoId>) -> bool {
        self.installed.get(&account).is_some_and(|installed| {
            installed.suspended_at.is_none()
                && repository.is_none_or(|repository| !installed.withdrawn.contains(&repository))
        })
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("id", &self.id)
            .field("installed", &self.installed)
            .finish_non_exhaustive()
    }
}
