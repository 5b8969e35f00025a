//! The adapter keeps every promise of the port on a real server.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use futures::future::join_all;
use test_servers::Cassandra;
use tokio::sync::Mutex;
use view_store::{
    ViewStore,
    contract::{CASES, Capabilities, Failure, Harness, run},
    cql::{CqlAddress, CqlStore, CqlStoreSettings, MigrateSettings, connect, migrate},
};

use crate::server;

/// A keyspace that each case finds empty, on a server that may be killed or not.
struct OnServer {
    address: CqlAddress,
    open: Mutex<HashMap<u32, Arc<CqlStore>>>,
    killable: Option<Arc<Cassandra>>,
}

impl OnServer {
    async fn new(server: &Cassandra, killable: Option<Arc<Cassandra>>) -> Self {
        let address = server::address(server, "contract");
        for generation in [1, 2] {
            migrate(&address, MigrateSettings { generation, ..MigrateSettings::default() }).await.unwrap();
        }
        OnServer { address, open: Mutex::default(), killable }
    }

    /// Making tables anew would take several times as long.
    async fn empty(&self) {
        let session = connect(&self.address).await.unwrap();
        let text = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'contract'";
        let tables = session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap();
        let tables = tables.rows::<(String,)>().unwrap().map(|row| row.unwrap().0);
        let emptied = tables.filter(|table| table != "schema_steps").map(|table| {
            let session = &session;
            async move { session.query_unpaged(format!("TRUNCATE contract.{table}"), ()).await.unwrap() }
        });
        join_all(emptied).await;
    }
}

#[async_trait]
impl Harness for OnServer {
    async fn open(&self, generation: u32) -> Result<Arc<dyn ViewStore>, String> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.get(&generation) {
            return Ok(Arc::clone(store) as Arc<dyn ViewStore>);
        }
        let settings = CqlStoreSettings { generation, ..CqlStoreSettings::default() };
        let store = CqlStore::open(&self.address, settings).await.map_err(|error| error.to_string())?;
        let store = Arc::new(store);
        open.insert(generation, Arc::clone(&store));
        Ok(store)
    }

    async fn crash(&self) {
        let server = Arc::clone(self.killable.as_ref().expect("only servers of our own are killed"));
        let killed = tokio::task::spawn_blocking(move || server.kill(0).and_then(|()| server.restart(0)));
        killed.await.unwrap().unwrap();
        self.open.lock().await.clear();
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { survives_crashes: self.killable.is_some() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server() {
    if server::skipped() {
        return;
    }
    let harness = OnServer::new(server::shared(), None).await;
    let mut failures: Vec<Failure> = Vec::new();
    for case in CASES.iter().filter(|case| case.applies_to(harness.capabilities())) {
        harness.empty().await;
        failures.extend(run(*case, &harness).await.err());
    }
    assert_eq!(failures, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server_that_is_killed() {
    if server::skipped() {
        return;
    }
    let server = Arc::new(Cassandra::start_temporary(1).unwrap());
    let harness = OnServer::new(&server, Some(Arc::clone(&server))).await;
    let without = Capabilities { survives_crashes: false };
    let mut failures: Vec<Failure> = Vec::new();
    for case in CASES.iter().filter(|case| !case.applies_to(without)) {
        harness.empty().await;
        failures.extend(run(*case, &harness).await.err());
    }
    assert_eq!(failures, []);
}
