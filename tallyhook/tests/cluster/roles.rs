//! A whole cluster at work: every role as a process of its own, and the load under which it is tried.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    place::Place,
    process::Process,
    support::{
        forge::Forge,
        load::{self, Load, Sent, Wrongs},
        process::Setup,
        reader::Reader,
        seconds,
        truth::until_true,
    },
};

/// Debug builds of every role share two cores with the servers, and perhaps with another test's.
pub(crate) const TRUE_WITHIN: Duration = seconds(120);

/// What was acknowledged is shown within this, whatever happened before: a member that died is missed after its
/// session, a server that is back is found by its clients within seconds.
const SHOWN_WITHIN: Duration = seconds(90);

const SENDERS: usize = 16;

/// A door, projectors and a window.
pub(crate) struct Roles {
    pub(crate) setup: Setup,
    pub(crate) door: Process,
    pub(crate) projectors: Vec<Process>,
    pub(crate) query: Process,
}

impl Roles {
    /// Starts them on new topics and tables; returns once what they show is true.
    pub(crate) async fn start(place: &Place, forge: &Forge, projectors: usize) -> Roles {
        let setup = place.setup(forge);
        place.migrate(&setup).await;
        let door = Process::start(&setup, "ingest").await;
        let mut started = Vec::with_capacity(projectors);
        for _ in 0..projectors {
            started.push(Process::start(&setup, "projector").await);
        }
        let query = Process::start(&setup, "query-api").await;
        until_true(forge, &query.reader(), TRUE_WITHIN).await;
        Roles { setup, door, projectors: started, query }
    }

    pub(crate) fn reader(&self) -> Reader {
        self.query.reader()
    }

    /// Asks all of them to end, and waits until they have.
    pub(crate) async fn terminate(self) {
        for process in [self.door, self.query].into_iter().chain(self.projectors) {
            process.terminate().await.done();
        }
    }
}

/// Roles under a load of deliveries of which everything is known (`support::load`).
pub(crate) struct Loaded {
    pub(crate) roles: Roles,
    pub(crate) load: Arc<Load>,
    senders: Vec<JoinHandle<()>>,
    wrongs: Wrongs,
}

impl Loaded {
    /// Starts the roles, then the load.
    pub(crate) async fn start(place: &Place, projectors: usize) -> Loaded {
        let (forge, clock) = load::forge(SENDERS).await;
        let roles = Roles::start(place, &forge, projectors).await;
        let load = Load::new(forge, clock);
        let loaded = Loaded { roles, senders: load.start(), load, wrongs: Wrongs::default() };
        loaded.send();
        loaded
    }

    /// Lets all senders send to the door that is there now.
    pub(crate) fn send(&self) {
        self.load.send_to(self.roles.door.api(), SENDERS);
    }

    /// That all that was acknowledged is shown and nothing more. What is acknowledged stands still meanwhile.
    pub(crate) async fn compare_at_rest(&mut self, when: &str) {
        self.load.pause();
        self.compare(when).await;
        self.send();
    }

    /// The same where nothing is sent any more.
    pub(crate) async fn compare(&mut self, when: &str) {
        self.load.compare_within(&self.roles.reader(), when, SHOWN_WITHIN, &mut self.wrongs).await;
    }

    /// Ends the load, and compares.
    pub(crate) async fn end_load(&mut self, when: &str) -> Sent {
        let senders = std::mem::take(&mut self.senders);
        let sent = self.load.end(self.roles.door.api(), senders).await;
        self.compare(when).await;
        println!("{when}: {sent:?}, {:?}", self.wrongs);
        sent
    }

    /// After the load: that nothing was lost, doubled or unreadable, and that the forge, asked again, is shown as
    /// it is. The roles that are left stay for the caller.
    pub(crate) async fn end(self) -> Roles {
        self.wrongs.none();
        self.load.forge.fake.faults().stop();
        until_true(&self.load.forge, &self.roles.reader(), TRUE_WITHIN).await;
        for projector in &self.roles.projectors {
            assert_eq!(projector.metric("tallyhook_dead_letters").await, 0.0);
        }
        self.roles
    }
}
