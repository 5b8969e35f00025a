//! The handle: a GitHub that runs until it is dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    faults::Faults,
    hooks::{Delivery, Dispatcher},
    model::{Urls, World},
    server::{Limits, RequestRecord, Requests, Shared, serve},
};

/// How a fake is set up.
#[derive(Debug, Clone)]
pub struct FakeConfig {
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Ids, names, histories and faults come from it.
    pub seed: u64,
    /// Its time.
    pub clock: Clock,
    /// Accounts that have repositories and a past from the start; 0 is an empty world.
    pub accounts: usize,
    /// Requests an hour without a token, for each address.
    pub limit_anonymous: u64,
    /// Requests an hour for each account, with a token.
    pub limit_authorised: u64,
    /// Points of GraphQL an hour for each account.
    pub limit_graphql: u64,
    /// Rows that a list of pull requests can be paged to (422 beyond); `None` is no such wall.
    pub rows_max: Option<usize>,
    /// Rows that a list of stargazers can be paged to (422 beyond), the oldest first.
    pub stargazers_max: usize,
    /// Deliveries under way at once.
    pub deliveries_concurrent: usize,
    /// How long a receiver may take to answer.
    pub delivery_timeout: Duration,
}

impl Default for FakeConfig {
    /// GitHub's own numbers, an empty world, a free port on loopback.
    fn default() -> Self {
        FakeConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: 1,
            clock: Clock::Real,
            accounts: 0,
            limit_anonymous: 60,
            limit_authorised: 5000,
            limit_graphql: 5000,
            rows_max: None,
            stargazers_max: 40_000,
            deliveries_concurrent: 8,
            delivery_timeout: Duration::from_secs(10),
        }
    }
}

/// A running GitHub. Dropping it stops everything that it started.
pub struct FakeGithub {
    url: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl FakeGithub {
    /// Starts one on the present Tokio runtime. URLs in payloads and answers lead to it.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(config: FakeConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let urls = Urls { api: url.clone(), ..Urls::default() };
        let clock = config.clock.clone();
        let mut world = World::new(config.seed, config.clock, urls);
        if config.accounts > 0 {
            world.populate(config.accounts).map_err(io::Error::other)?;
        }
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let faults = Faults::new(config.seed);
        let dispatcher = Dispatcher::new(
            faults.clone(),
            clock,
            Handle::current(),
            stop.clone(),
            config.deliveries_concurrent,
            config.delivery_timeout,
        );
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            faults,
            dispatcher,
            limits: Mutex::new(Limits::new(
                config.limit_anonymous,
                config.limit_authorised,
                config.limit_graphql,
            )),
            requests: Mutex::new(Requests::default()),
            rows_max: config.rows_max,
            stargazers_max: config.stargazers_max,
        });
        tasks.spawn(serve(listener, shared.clone(), stop.clone(), tasks.clone()));
        Ok(FakeGithub { url, shared, stop, tasks })
    }

    /// The API's address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks at the world, or does something to it; what follows is sent to the hooks at once, in the
    /// background. Can be called from any thread.
    pub fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with_world(act)
    }

    /// Every attempt to deliver something, in the order in which they were begun.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.dispatcher.deliveries()
    }

    /// Sends an event again, with its GUID, to every hook that heard of it. Returns to how many.
    pub fn redeliver(&self, guid: &str) -> usize {
        let now = self.world(|world| world.now());
        self.shared.dispatcher.redeliver(guid, now)
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Every request to the API so far.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.requests().all()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.requests().clear();
    }

    /// Lets go what is held back, and returns when every delivery has been attempted.
    pub async fn settle(&self) {
        self.shared.dispatcher.settle().await;
    }

    /// Stops, and returns when nothing runs any more.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.shared.dispatcher.stopped().await;
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
