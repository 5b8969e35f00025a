//! Where a service of a test keeps what it knows: here a folder. Tests that use this run on a cluster too, which
//! has another file of this name.

use tempfile::TempDir;

use super::support::{forge::Forge, process::Setup};

/// Is gone with the test.
pub(crate) struct Ground(TempDir);

impl Ground {
    /// The checks of `/readyz`.
    pub(crate) const CHECKS: [&str; 3] = ["log", "store", "projector"];

    /// `None` where what it needs cannot be had.
    #[expect(clippy::unused_async, reason = "the same as on a cluster")]
    pub(crate) async fn new(_what: &str) -> Option<Ground> {
        Some(Ground(TempDir::new().unwrap()))
    }

    /// A service of its own that asks this forge.
    #[expect(clippy::unused_async, reason = "the same as on a cluster")]
    pub(crate) async fn setup(&self, forge: &Forge) -> Setup {
        Setup::of(self.0.path(), forge)
    }
}
