//! Where a service keeps what it knows, for tests that run on one machine too: here a topic and a keyspace. All
//! roles are in one process, as `tallyhook serve` runs them.

use super::{
    place::Place,
    support::{forge::Forge, process::Setup},
};

/// On servers that other tests use too.
pub(crate) struct Ground(Place);

impl Ground {
    /// The checks of `/readyz`. A window looks whether there is something to show, which takes the store.
    pub(crate) const CHECKS: [&str; 3] = ["log", "views", "projector"];

    /// `None` where there are no servers.
    pub(crate) async fn new(what: &str) -> Option<Ground> {
        Place::shared(what).await.map(Ground)
    }

    /// A service of its own that asks this forge, with its topic and tables made.
    pub(crate) async fn setup(&self, forge: &Forge) -> Setup {
        let setup = self.0.setup(forge).without("TRACK");
        self.0.migrate(&setup).await;
        setup
    }
}
