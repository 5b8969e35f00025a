//! Why a store cannot be opened or migrated, in sentences for the person who started the process.

use scylla::errors::{ExecutionError, NewSessionError, PrepareError};

use super::address::CqlAddress;

/// Why a cluster cannot be used as a store. Only [`Self::Unreachable`] may pass by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// No server answered, or the one that did stopped answering.
    #[error("the store {address} does not answer: {cause}")]
    Unreachable {
        /// Without secrets.
        address: String,
        /// What the driver said.
        cause: String,
    },
    /// A file for TLS cannot be used.
    #[error("TLS to the store: {0}")]
    Tls(String),
    /// The servers do not know us, or do not let us.
    #[error("the store {address} refuses: {cause}; check user, password and rights")]
    Refused {
        /// Without secrets.
        address: String,
        /// What the server said.
        cause: String,
    },
    /// The keyspace or a table is not there.
    #[error("the store {address} has no {missing}; run `tallyhook migrate`")]
    NotMigrated {
        /// Without secrets.
        address: String,
        /// What is missing.
        missing: String,
    },
    /// A newer release migrated it.
    #[error("the store {address} was migrated by a newer release (step {step}); run that release")]
    Newer {
        /// Without secrets.
        address: String,
        /// The step that this release does not know.
        step: String,
    },
    /// Its tables were made by other files than this release's.
    #[error(
        "the store {address} was migrated with another text of step {step}: this build is not the release that it \
         claims to be. Run the release that migrated it, or use another keyspace"
    )]
    Changed {
        /// Without secrets.
        address: String,
        /// The step whose text differs.
        step: String,
    },
    /// The server understood us and did not do it.
    #[error("the store {address} cannot be used: {cause}")]
    Failed {
        /// Without secrets.
        address: String,
        /// What it said.
        cause: String,
    },
}

impl OpenError {
    pub(super) fn unreachable(address: &CqlAddress, error: &NewSessionError) -> Self {
        let (address, cause) = (address.to_string(), error.to_string());
        // The driver tells a refused password only as the reason why it has no connection.
        if cause.contains("uthenticat") || cause.contains("credentials") {
            return OpenError::Refused { address, cause };
        }
        OpenError::Unreachable { address, cause }
    }

    pub(super) fn executing(address: &CqlAddress, error: &ExecutionError) -> Self {
        Self::of(address, super::retry::Kind::of(error), error.to_string())
    }

    pub(super) fn preparing(address: &CqlAddress, error: &PrepareError) -> Self {
        Self::of(address, super::retry::Kind::of_prepare(error), error.to_string())
    }

    fn of(address: &CqlAddress, kind: super::retry::Kind, cause: String) -> Self {
        let address = address.to_string();
        match kind {
            super::retry::Kind::Passing => OpenError::Unreachable { address, cause },
            super::retry::Kind::Refused => OpenError::Refused { address, cause },
            super::retry::Kind::Final => OpenError::Failed { address, cause },
        }
    }

    pub(super) fn not_migrated(address: &CqlAddress, missing: impl Into<String>) -> Self {
        OpenError::NotMigrated { address: address.to_string(), missing: missing.into() }
    }
}
