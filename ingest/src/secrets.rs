//! The secrets in use, which may be replaced while deliveries come in.

use std::sync::{Arc, PoisonError, RwLock};

use github::signature::Secrets;

/// The secrets in use. Copies share them: keep one to replace them on SIGHUP.
#[derive(Debug, Clone)]
pub struct SharedSecrets(Arc<RwLock<Secrets>>);

impl SharedSecrets {
    /// Starts with these.
    pub fn new(secrets: Secrets) -> Self {
        SharedSecrets(Arc::new(RwLock::new(secrets)))
    }

    /// From now on deliveries are checked with these; those whose check has begun are not disturbed.
    pub fn replace(&self, secrets: Secrets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// What a delivery that arrives now is checked with.
    pub(crate) fn current(&self) -> Secrets {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
